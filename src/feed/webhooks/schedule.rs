//! When a failed delivery is tried again.

use chrono::{DateTime, TimeDelta, Utc};

/// How long to wait after each failed attempt. The first attempt is made at once. After the last one, more than 27
/// hours later, the delivery is given up.
const WAITS: [TimeDelta; 7] = [
    TimeDelta::seconds(5),
    TimeDelta::minutes(5),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(5),
    TimeDelta::hours(10),
    TimeDelta::hours(10),
];
/// By what share a wait is lengthened at most, at random. So deliveries that failed together do not come again
/// together.
const JITTER: f64 = 0.2;
/// How long a receiver may ask to wait at most.
const LONGEST_ASKED: TimeDelta = TimeDelta::hours(10);

/// Returns how long to wait after this many failed attempts. `None`: the delivery is given up.
///
/// The wait is never shorter than the receiver asks, up to ten hours. `chance` is a random number from 0 to 1.
pub(super) fn wait(tries: i32, asked: Option<TimeDelta>, chance: f64) -> Option<TimeDelta> {
    let planned = *WAITS.get(usize::try_from(tries).ok()?.checked_sub(1)?)?;
    #[expect(clippy::cast_possible_truncation, reason = "a fifth of ten hours, in milliseconds")]
    let jitter = TimeDelta::milliseconds((planned.num_milliseconds() as f64 * JITTER * chance) as i64);
    Some((planned + jitter).max(asked.unwrap_or_default().min(LONGEST_ASKED)))
}

/// Reads `Retry-After`: a number of seconds, or a date.
pub(super) fn retry_after(value: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
    match value.trim().parse::<u32>() {
        Ok(seconds) => Some(TimeDelta::seconds(seconds.into())),
        Err(_) => Some(DateTime::<Utc>::from(httpdate::parse_http_date(value.trim()).ok()?) - now),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn eight_tries_are_made_at_the_documented_distances() {
        let waits: Vec<i64> =
            (1..).map_while(|tries| wait(tries, None, 0.0)).map(|wait| wait.num_seconds()).collect();

        assert_eq!(waits, [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]);
        assert_eq!((wait(0, None, 0.0), wait(-1, None, 0.0), wait(i32::MAX, None, 0.0)), (None, None, None));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_nothing_else() {
        let now = "2026-03-02T09:00:00Z".parse().unwrap();

        let asked = |value| retry_after(value, now).map(|asked| asked.num_seconds());

        assert_eq!(asked(" 120 "), Some(120));
        assert_eq!(asked("Mon, 02 Mar 2026 09:01:00 GMT"), Some(60));
        assert_eq!(asked("Mon, 02 Mar 2026 08:00:00 GMT"), Some(-3_600));
        // The two forms of date that RFC 9110 calls obsolete, and asks recipients to read.
        assert_eq!(asked("Monday, 02-Mar-26 09:01:00 GMT"), Some(60));
        assert_eq!(asked("Mon Mar  2 09:01:00 2026"), Some(60));
        assert_eq!([asked("soon"), asked("-1"), asked("1.5"), asked(""), asked("99999999999")], [None; 5]);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_shorter_than_planned_or_asked_and_never_much_longer(
            tries in 1..8_i32, asked in proptest::option::of(-100_000..200_000_i64), chance in 0.0..=1.0
        ) {
            let planned = WAITS[usize::try_from(tries).unwrap() - 1];
            let asked = asked.map(TimeDelta::seconds);

            let wait = wait(tries, asked, chance).unwrap();

            let honoured = asked.unwrap_or_default().min(LONGEST_ASKED);
            prop_assert!(wait >= planned && wait >= honoured);
            prop_assert!(wait <= (planned + planned / 5).max(honoured));
        }
    }
}
