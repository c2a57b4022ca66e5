//! When people are active: mostly in office hours, mostly on weekdays.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc, Weekday};

use super::draw::Draw;

const HOUR: i64 = 60 * 60 * 1_000;

/// A point of the month, as the share of the month's activity before it, in parts of [`Share::WHOLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share(u32);

impl Share {
    const WHOLE: u32 = 1 << 30;

    /// Draws any point of the month.
    pub(super) fn any(draw: &mut Draw) -> Share {
        Share(draw.below(Share::WHOLE))
    }

    /// Returns the middle of part `number` (from 0) of `parts` equal parts.
    pub(super) fn middle(number: u32, parts: u32) -> Share {
        let whole = u64::from(Share::WHOLE);
        let at = (2 * u64::from(number) + 1) * whole / (2 * u64::from(parts.max(1)));
        Share(u32::try_from(at).unwrap_or(Share::WHOLE))
    }

    /// Draws a later point, at most `thousandths` of the month later. `None` if the point is after the month's end.
    pub(super) fn later(self, draw: &mut Draw, thousandths: u32) -> Option<Share> {
        let span = Share::WHOLE / 1_000 * thousandths;
        let at = self.0 + draw.below(span.max(1));
        (at < Share::WHOLE).then_some(Share(at))
    }

    /// Whether the point lies in the last third of the month.
    pub(super) fn is_late(self) -> bool {
        self.0 > Share::WHOLE / 3 * 2
    }
}

/// A month, with the activity of each of its hours.
#[derive(Debug)]
pub(super) struct Calendar {
    begin: DateTime<Utc>,
    until: DateTime<Utc>,
    /// The activity up to the end of each hour.
    totals: Vec<u64>,
}

impl Calendar {
    /// Makes a calendar of the `days` before `until`.
    pub(super) fn new(days: u32, until: DateTime<Utc>) -> Calendar {
        let begin = until - TimeDelta::days(days.into());
        let activity = (0..i64::from(days) * 24).map(|hour| busy(begin + TimeDelta::hours(hour)));
        let totals = activity
            .scan(0, |total, activity| {
                *total += activity;
                Some(*total)
            })
            .collect();
        Calendar { begin, until, totals }
    }

    /// Returns the instant at which this share of the month's activity has passed.
    pub(super) fn at(&self, share: Share) -> DateTime<Utc> {
        let whole = u64::from(Share::WHOLE);
        let scaled = u64::from(share.0) * self.totals.last().copied().unwrap_or(0);
        let hour = self.totals.partition_point(|total| total * whole <= scaled);
        let before = if hour == 0 { 0 } else { self.totals[hour - 1] };
        let activity = self.totals.get(hour).map_or(1, |total| total - before);
        let within = (scaled - before * whole) / activity;
        let millis = i64::try_from(within).unwrap_or(0) * HOUR / i64::from(Share::WHOLE);
        let hours = TimeDelta::hours(i64::try_from(hour).unwrap_or(0));
        self.bounded(self.begin + hours + TimeDelta::milliseconds(millis))
    }

    /// Returns the beginning of something that takes this long. It begins early enough to end within the month.
    pub(super) fn at_for(&self, share: Share, takes: TimeDelta) -> DateTime<Utc> {
        self.bounded(self.at(share).min(self.until - takes))
    }

    /// Returns the instant, or the month's beginning or end if the instant lies outside the month.
    pub(super) fn bounded(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        at.clamp(self.begin, self.until)
    }
}

/// Returns the activity in an hour, as a weight.
fn busy(hour: DateTime<Utc>) -> u64 {
    let in_week: u64 = match hour.hour() {
        9..=16 => 40,
        7 | 8 | 17 | 18 => 16,
        19..=22 => 6,
        _ => 1,
    };
    if matches!(hour.weekday(), Weekday::Sat | Weekday::Sun) { in_week.div_ceil(8) } else { in_week }
}
