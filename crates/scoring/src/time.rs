//! Instants and spans, in microseconds. Instants are UTC; there is no calendar.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant, in microseconds since 1970-01-01T00:00:00Z. In JSON an instant is an RFC 3339 date-time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
pub struct Instant(i64);

impl Instant {
    /// The last instant that RFC 3339 can write, 9999-12-31T23:59:59.999999Z. Work that is due at this
    /// instant or later is never done.
    pub const LAST: Self = Self(253_402_300_799_999_999);

    /// Makes an instant from microseconds since 1970-01-01T00:00:00Z.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The microseconds since 1970-01-01T00:00:00Z.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 date-time with any offset. Digits beyond microseconds are cut off.
    ///
    /// # Errors
    /// The text is not an RFC 3339 date-time.
    pub fn parse_rfc3339(text: &str) -> Result<Self, InstantError> {
        DateTime::parse_from_rfc3339(text).map(|at| Self(at.timestamp_micros())).map_err(|_| InstantError)
    }

    /// The instant after this span; `None` if it would be after [`Instant::LAST`].
    pub fn plus(self, span: Span) -> Option<Self> {
        self.0.checked_add(span.0).map(Self).filter(|at| *at <= Self::LAST)
    }

    /// The time from `earlier` to this instant. The span is negative if this instant is before `earlier`.
    /// Saturates.
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl From<DateTime<Utc>> for Instant {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_micros())
    }
}

impl From<Instant> for DateTime<Utc> {
    /// Exact within the years that chrono can represent (about ±262 000); otherwise the nearest date-time
    /// that chrono has.
    fn from(at: Instant) -> Self {
        let nearest = if at.0 < 0 { Self::MIN_UTC } else { Self::MAX_UTC };
        Self::from_timestamp_micros(at.0).unwrap_or(nearest)
    }
}

impl fmt::Display for Instant {
    /// Writes RFC 3339 in UTC, without trailing zeros in the decimals: `2026-03-01T00:00:00.5Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = DateTime::<Utc>::from(*self).to_rfc3339_opts(SecondsFormat::Micros, true);
        let trimmed = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
        let seconds_kept = text.len() - ".000000Z".len();
        write!(f, "{}Z", if trimmed.len() < seconds_kept { &text[..seconds_kept] } else { trimmed })
    }
}

impl FromStr for Instant {
    type Err = InstantError;
    fn from_str(text: &str) -> Result<Self, InstantError> {
        Self::parse_rfc3339(text)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_rfc3339(&text).map_err(serde::de::Error::custom)
    }
}

/// A text that is not an RFC 3339 date-time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstantError;

impl fmt::Display for InstantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write an RFC 3339 date-time with its offset, such as 2026-03-01T09:30:00Z")
    }
}

impl std::error::Error for InstantError {}

/// A length of time in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Span(pub i64);

impl Span {
    /// Twenty-four hours.
    pub const DAY: Self = Self(86_400_000_000);

    /// `self × n`; `None` on overflow.
    pub fn times(self, n: i64) -> Option<Self> {
        self.0.checked_mul(n).map(Self)
    }
}

impl FromStr for Span {
    type Err = SpanError;

    /// Reads `<integer><unit>` with the unit `s`, `m`, `h`, `d` or `w`.
    fn from_str(text: &str) -> Result<Self, SpanError> {
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(SpanError::Malformed)?;
        let (digits, unit) = text.split_at(unit_at);
        let seconds: i64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            "M" | "mo" | "mon" | "month" | "months" | "y" | "yr" | "year" | "years" => {
                return Err(SpanError::Calendar);
            }
            _ => return Err(SpanError::Malformed),
        };
        if digits.is_empty() {
            return Err(SpanError::Malformed);
        }
        let count: i64 = digits.parse().map_err(|_| SpanError::TooLong)?;
        if count == 0 {
            return Err(SpanError::Zero);
        }
        count.checked_mul(seconds * 1_000_000).map(Self).ok_or(SpanError::TooLong)
    }
}

impl fmt::Display for Span {
    /// Writes the span in the largest unit that divides it, such as `2w` or `36h`. Parts of a second are
    /// written as decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(i64, &str); 4] =
            [(604_800_000_000, "w"), (86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "m")];
        match UNITS.iter().find(|(micros, _)| self.0 != 0 && self.0 % micros == 0) {
            Some((micros, unit)) => write!(f, "{}{unit}", self.0 / micros),
            None if self.0 % 1_000_000 == 0 => write!(f, "{}s", self.0 / 1_000_000),
            None => {
                let decimals = format!("{:06}", self.0.unsigned_abs() % 1_000_000);
                let sign = if self.0 < 0 { "-" } else { "" };
                let whole = self.0.unsigned_abs() / 1_000_000;
                write!(f, "{sign}{whole}.{}s", decimals.trim_end_matches('0'))
            }
        }
    }
}

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanError {
    /// The text is not an integer and a unit.
    Malformed,
    /// The unit is a month or a year, which have no fixed length.
    Calendar,
    /// The duration is zero.
    Zero,
    /// The duration has more microseconds than fit into 64 bits.
    TooLong,
}

impl fmt::Display for SpanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "write a duration as an integer and one unit of s, m, h, d or w, such as 30d",
            Self::Calendar => "months and years differ in length; write days or weeks instead, such as 30d",
            Self::Zero => "a duration must be longer than zero",
            Self::TooLong => "write a shorter duration; this one has more microseconds than 64 bits hold",
        })
    }
}

impl std::error::Error for SpanError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_in_utc_without_trailing_zeros() {
        let shown = |text| Instant::parse_rfc3339(text).unwrap().to_string();
        assert_eq!(shown("2026-06-01T01:00:00+02:00"), "2026-05-31T23:00:00Z");
        assert_eq!(shown("2026-06-01T01:00:00.500Z"), "2026-06-01T01:00:00.5Z");
        assert_eq!(shown("2026-06-01T01:20:30.000001Z"), "2026-06-01T01:20:30.000001Z");
        assert_eq!(shown("2026-06-01T01:00:00.0000019Z"), "2026-06-01T01:00:00.000001Z");
        assert_eq!(Instant::LAST.to_string(), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn a_date_without_a_time_is_no_instant() {
        assert_eq!(Instant::parse_rfc3339("2026-06-01"), Err(InstantError));
        assert_eq!(Instant::parse_rfc3339("2026-06-01T00:00:00"), Err(InstantError));
    }

    #[test]
    fn spans_are_integers_with_one_unit() {
        assert_eq!("30d".parse(), Ok(Span(30 * Span::DAY.0)));
        assert_eq!("2w".parse::<Span>().unwrap().to_string(), "2w");
        assert_eq!("36h".parse::<Span>().unwrap().to_string(), "36h");
        for text in ["", "d", "30", "1.5d", "-1d", "1d2h", "30 d", "30D"] {
            assert_eq!(text.parse::<Span>(), Err(SpanError::Malformed), "{text}");
        }
    }

    #[test]
    fn zero_months_and_overflow_are_refused_each_for_its_own_reason() {
        assert_eq!("0d".parse::<Span>(), Err(SpanError::Zero));
        assert_eq!("3months".parse::<Span>(), Err(SpanError::Calendar));
        assert_eq!("1y".parse::<Span>(), Err(SpanError::Calendar));
        assert_eq!("99999999999999999999s".parse::<Span>(), Err(SpanError::TooLong));
        assert_eq!("15250285w".parse::<Span>(), Err(SpanError::TooLong));
    }
}
