//! Numbers, instants and texts as people read them.

use chrono::{DateTime, Utc};

/// A text that somebody sent, without what would play tricks on a terminal: control characters, and those that turn
/// the direction of writing.
#[must_use]
pub fn visible(text: &str) -> String {
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !c.is_control() && !turns(*c)).collect()
}

/// A text as [`visible`], of at most so many characters.
#[must_use]
pub fn short(text: &str, longest: usize) -> String {
    let shown = visible(text);
    if shown.chars().count() <= longest {
        return shown;
    }
    let mut cut: String = shown.chars().take(longest.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Milli-points as points, such as `7.5`.
#[must_use]
pub fn points(milli: i64) -> String {
    let (sign, size) = (if milli < 0 { "-" } else { "" }, milli.unsigned_abs());
    let (whole, rest) = (size / 1000, size % 1000);
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{}", format!("{rest:03}").trim_end_matches('0'))
}

/// Milli-points that were given or taken, such as `+7.5`.
#[must_use]
pub fn signed_points(milli: i64) -> String {
    if milli > 0 { format!("+{}", points(milli)) } else { points(milli) }
}

/// An instant in UTC, to the minute.
#[must_use]
pub fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// An instant that somebody wrote, in RFC 3339.
///
/// # Errors
///
/// A sentence that says how to write one.
pub fn rfc3339(text: &str) -> Result<DateTime<Utc>, String> {
    let parsed = DateTime::parse_from_rfc3339(text);
    parsed.map(|at| at.to_utc()).map_err(|_| "write an instant as 2026-12-01T10:00:00Z".to_owned())
}

/// How long ago something happened, such as `6 h ago`.
#[must_use]
pub fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (now - at).num_minutes() {
        ..=0 => "just now".to_owned(),
        minutes => format!("{} ago", span(minutes)),
    }
}

/// How far ahead an instant lies, such as `in 30 min`.
#[must_use]
pub fn ahead(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    // Rounded: a claim that was just made for half an hour lacks some milliseconds of it.
    match ((at - now).num_seconds() + 30).div_euclid(60) {
        ..=0 => "now".to_owned(),
        minutes => format!("in {}", span(minutes)),
    }
}

fn span(minutes: i64) -> String {
    match minutes {
        ..60 => format!("{minutes} min"),
        60..2_880 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1_440),
    }
}

/// `1 lead`, `2 leads`.
#[must_use]
pub fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn points_are_shown_exactly_and_without_idle_zeros() {
        let shown = [0, 7_500, -1_669, 20_000, 5, -40_010].map(signed_points);
        assert_eq!(shown, ["0", "+7.5", "-1.669", "+20", "+0.005", "-40.01"]);
    }

    #[test]
    fn what_somebody_sent_cannot_steer_the_terminal() {
        assert_eq!(visible("\u{1b}[31mAda\u{7}\nNorth\u{202e}"), "[31mAdaNorth");
        assert_eq!(short("\u{7}Ada North", 5), "Ada …");
    }

    #[test]
    fn spans_are_told_in_the_unit_that_fits() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(9);
        let at = |minutes| now - TimeDelta::minutes(minutes);
        assert_eq!(
            [0, 59, 120, 3_000].map(|minutes| ago(at(minutes), now)),
            ["just now", "59 min ago", "2 h ago", "2 d ago"]
        );
        assert_eq!(ahead(now + TimeDelta::milliseconds(1_799_990), now), "in 30 min");
        assert_eq!(ahead(now, now), "now");
    }
}
