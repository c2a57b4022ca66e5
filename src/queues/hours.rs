//! When a lead may be called, in the lead's local time.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use scoring::Mistakes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::document;

/// Minutes of a day.
const DAY: u32 = 24 * 60;

/// When leads may be called, in their local time. A lead's time zone is its attribute `timezone`, an IANA
/// name. If that is missing, the zone of its attribute `country`; else the queue's zone.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueueHours)]
pub(super) struct OpeningHours {
    /// The openings. A lead may be called during any of them.
    open: Vec<Opening>,
    /// The IANA time zone of each country. The keys are values of the attribute `country`, in upper or lower
    /// case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    countries: BTreeMap<String, String>,
}

/// An opening: the same hours on some days of the week.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueueOpening)]
struct Opening {
    /// The days on which the opening begins.
    days: Vec<Day>,
    /// The first minute, such as `09:00`.
    from: String,
    /// The minute at which the opening ends, such as `17:30` or `24:00`. If it is before `from`, the opening
    /// ends on the next day.
    to: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = QueueDay)]
enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// The hours of a queue, parsed and checked.
#[derive(Debug)]
pub(super) struct Hours {
    windows: Vec<Window>,
    /// The zones by country, in lower case.
    countries: BTreeMap<String, Tz>,
    /// The zone of leads whose own zone is not known.
    elsewhere: Tz,
}

/// An opening. `from` and `to` are minutes since midnight, 0 to 1440. If `to` is before `from`, it is on the next day.
#[derive(Debug)]
struct Window {
    /// The days on which the opening begins, Monday first.
    days: [bool; 7],
    from: u32,
    to: u32,
}

impl OpeningHours {
    /// Parses and checks the hours. `elsewhere` is the zone of leads whose own zone is not known.
    pub(super) fn ready(&self, elsewhere: Tz, mistakes: &mut Mistakes) -> Option<Hours> {
        if self.open.is_empty() {
            mistakes.add("/hours/open", "empty", "write at least one opening, or leave `hours` out");
        }
        let windows: Vec<Option<Window>> = self
            .open
            .iter()
            .enumerate()
            .map(|(n, one)| one.ready(&format!("/hours/open/{n}"), mistakes))
            .collect();
        let countries: Vec<Option<(String, Tz)>> = self
            .countries
            .iter()
            .map(|(country, zone)| {
                let place = format!("/hours/countries/{}", country.replace('~', "~0").replace('/', "~1"));
                Some((country.to_lowercase(), document::zone(zone, &place, mistakes)?))
            })
            .collect();
        Some(Hours {
            windows: windows.into_iter().collect::<Option<_>>()?,
            countries: countries.into_iter().collect::<Option<_>>()?,
            elsewhere,
        })
    }
}

impl Opening {
    fn ready(&self, pointer: &str, mistakes: &mut Mistakes) -> Option<Window> {
        if self.days.is_empty() {
            mistakes.add(format!("{pointer}/days"), "empty", "name at least one day");
        }
        let mut days = [false; 7];
        self.days.iter().for_each(|day| days[*day as usize] = true);
        let minute = |text: &str| match text {
            "24:00" => Some(DAY),
            _ if text.len() != 5 => None,
            _ => NaiveTime::parse_from_str(text, "%H:%M").ok().map(|time| time.hour() * 60 + time.minute()),
        };
        let wrong = "write hours and minutes, such as 09:00; 24:00 is the end of a day";
        let from = minute(&self.from).filter(|from| *from < DAY);
        let from = from.or_else(|| mistakes.wrong(format!("{pointer}/from"), "invalid_time", wrong));
        let to = minute(&self.to).or_else(|| mistakes.wrong(format!("{pointer}/to"), "invalid_time", wrong));
        let window = Window { days, from: from?, to: to? };
        if window.from == window.to {
            let message = "`from` and `to` are equal; for a whole day write 00:00 to 24:00";
            return mistakes.wrong(format!("{pointer}/to"), "empty", message);
        }
        Some(window)
    }
}

impl Hours {
    /// Returns the time zone of a lead, by its attributes `timezone` and `country`.
    pub(super) fn zone_of(&self, timezone: Option<&str>, country: Option<&str>) -> Tz {
        let by_country = || self.countries.get(&country?.to_lowercase()).copied();
        timezone.and_then(|name| name.parse().ok()).or_else(by_country).unwrap_or(self.elsewhere)
    }

    /// Whether a lead in this zone may be called now.
    pub(super) fn are_open(&self, zone: Tz, now: DateTime<Utc>) -> bool {
        let local = now.with_timezone(&zone);
        let (today, minute) =
            (local.weekday().num_days_from_monday() as usize, local.hour() * 60 + local.minute());
        self.windows.iter().any(|window| window.holds(today, minute))
    }

    /// Returns when the next opening begins in this zone, after `now`.
    pub(super) fn open_at(&self, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let today = now.with_timezone(&zone).date_naive();
        let starts = (0..=7).flat_map(|later| {
            let date = today + Days::new(later);
            let day = date.weekday().num_days_from_monday() as usize;
            let begin = move |window: &Window| {
                let midnight = date.and_time(NaiveTime::MIN);
                window.days[day].then(|| midnight + TimeDelta::minutes(i64::from(window.from)))
            };
            self.windows.iter().filter_map(begin).collect::<Vec<_>>()
        });
        starts.filter_map(|start| first_instant(zone, start)).filter(|start| *start > now).min()
    }
}

impl Window {
    /// Whether the opening covers a minute of a day. `today` is the day of the week, 0 for Monday.
    fn holds(&self, today: usize, minute: u32) -> bool {
        if self.from < self.to {
            return self.days[today] && (self.from..self.to).contains(&minute);
        }
        let yesterday = (today + 6) % 7;
        (self.days[today] && minute >= self.from) || (self.days[yesterday] && minute < self.to)
    }
}

/// Returns the first instant at which the clocks of a zone show this local time. If they skip this time, the
/// first instant after it.
pub(super) fn first_instant(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    // Clocks are put forward by at most a day, and by whole quarters of an hour.
    let shown = |quarters: i64| {
        let later = local + TimeDelta::minutes(15 * quarters);
        zone.from_local_datetime(&later).earliest().map(|at| at.with_timezone(&Utc))
    };
    (0..=96).find_map(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(days: &[&str], from: &str, to: &str) -> Hours {
        let said = serde_json::json!({"open": [{"days": days, "from": from, "to": to}], "countries": {"US": "America/New_York"}});
        let said: OpeningHours = serde_json::from_value(said).unwrap();
        let mut mistakes = Mistakes::default();
        let ready = said.ready(Tz::Europe__Berlin, &mut mistakes);
        assert!(mistakes.is_empty());
        ready.unwrap()
    }

    fn open(hours: &Hours, zone: Tz, at: &str) -> bool {
        hours.are_open(zone, at.parse().unwrap())
    }

    const WEEK: [&str; 5] = ["mon", "tue", "wed", "thu", "fri"];
    const BERLIN: Tz = Tz::Europe__Berlin;

    #[test]
    fn the_first_minute_is_open_and_the_last_is_not() {
        let hours = hours(&WEEK, "09:00", "17:00");

        assert!(!open(&hours, BERLIN, "2026-03-02T07:59:59.999999Z"));
        assert!(open(&hours, BERLIN, "2026-03-02T08:00:00Z"));
        assert!(open(&hours, BERLIN, "2026-03-02T15:59:59.999999Z"));
        assert!(!open(&hours, BERLIN, "2026-03-02T16:00:00Z"));
    }

    #[test]
    fn the_same_wall_time_is_another_instant_after_the_clocks_change() {
        let hours = hours(&["mon", "sat", "sun"], "09:00", "17:00");

        // On 29 March 2026 Berlin goes from UTC+1 to UTC+2.
        assert!(!open(&hours, BERLIN, "2026-03-28T07:30:00Z"));
        assert!(open(&hours, BERLIN, "2026-03-29T07:30:00Z"));
        assert_eq!(
            hours.open_at(BERLIN, "2026-03-28T16:00:00Z".parse().unwrap()),
            Some("2026-03-29T07:00:00Z".parse().unwrap())
        );
    }

    #[test]
    fn hours_that_begin_where_the_clock_skips_begin_when_it_goes_on() {
        let hours = hours(&["sun"], "02:30", "06:00");

        assert_eq!(
            hours.open_at(BERLIN, "2026-03-28T12:00:00Z".parse().unwrap()),
            Some("2026-03-29T01:00:00Z".parse().unwrap())
        );
        assert!(!open(&hours, BERLIN, "2026-03-29T00:59:59Z"));
        assert!(open(&hours, BERLIN, "2026-03-29T01:00:00Z"), "it is 03:00 there");
    }

    #[test]
    fn an_hour_that_comes_twice_is_open_twice() {
        let hours = hours(&["sun"], "02:00", "03:00");

        for at in ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"] {
            assert!(open(&hours, BERLIN, at), "it is 02:30 there at {at}");
        }
        assert!(!open(&hours, BERLIN, "2026-10-25T02:00:00Z"));
    }

    #[test]
    fn hours_over_midnight_belong_to_the_day_on_which_they_begin() {
        let hours = hours(&["fri"], "22:00", "02:00");

        assert!(!open(&hours, BERLIN, "2026-03-06T20:59:59Z"));
        assert!(open(&hours, BERLIN, "2026-03-06T21:00:00Z"));
        assert!(open(&hours, BERLIN, "2026-03-06T23:00:00Z"), "Saturday, midnight");
        assert!(open(&hours, BERLIN, "2026-03-07T00:59:59Z"));
        assert!(!open(&hours, BERLIN, "2026-03-07T01:00:00Z"));
        assert!(!open(&hours, BERLIN, "2026-03-05T23:30:00Z"), "Friday, half past midnight");
    }

    #[test]
    fn a_day_that_ends_at_24_00_has_no_gap_to_the_next() {
        let hours = hours(&["mon", "tue"], "00:00", "24:00");

        for at in ["2026-03-01T23:00:00Z", "2026-03-02T22:59:59.999999Z", "2026-03-02T23:00:00Z"] {
            assert!(open(&hours, BERLIN, at), "{at}");
        }
        assert!(!open(&hours, BERLIN, "2026-03-03T23:00:00Z"));
    }

    #[test]
    fn a_lead_lives_where_it_says_or_where_its_country_does_or_where_the_queue_says() {
        let hours = hours(&WEEK, "09:00", "17:00");

        assert_eq!(hours.zone_of(Some("Asia/Tokyo"), Some("us")), Tz::Asia__Tokyo);
        assert_eq!(hours.zone_of(Some("Mars/Olympus"), Some("us")), Tz::America__New_York);
        assert_eq!(hours.zone_of(None, Some("FR")), BERLIN);
    }
}
