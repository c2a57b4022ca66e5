//! Time as a parameter: the service asks a clock, tests set it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use scoring::Instant;

/// Where "now" comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock for tests, in microseconds UTC since 1970. The clock stands still until a test moves it.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Makes a clock that stands still at an instant.
    pub fn manual(at: DateTime<Utc>) -> Clock {
        Clock::Manual(Arc::new(AtomicI64::new(at.timestamp_micros())))
    }

    /// Returns the present instant, in whole microseconds.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "only this function reads the machine's clock")]
            Clock::System => whole_micros(Utc::now()),
            Clock::Manual(micros) => from_micros(micros.load(Ordering::SeqCst)),
        }
    }

    /// Returns the instant of a manual clock, and `None` for the machine's clock.
    ///
    /// Code that must agree on the time with other instances uses this instant if there is one, and else the database's
    /// clock.
    pub fn stands_at(&self) -> Option<DateTime<Utc>> {
        matches!(self, Clock::Manual(_)).then(|| self.now())
    }

    /// Moves a manual clock forward. Does nothing to the machine's clock.
    pub fn advance(&self, by: TimeDelta) {
        if let Clock::Manual(micros) = self {
            micros.fetch_add(
                by.num_microseconds().expect("a test moves the clock by less than 292 000 years"),
                Ordering::SeqCst,
            );
        }
    }
}

/// Cuts an instant to whole microseconds, the resolution of the database and of the scoring core.
fn whole_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    from_micros(at.timestamp_micros())
}

/// Converts an instant of the scoring core to a date-time.
///
/// An instant outside chrono's range (± 262 000 years) becomes the latest date-time. This does not occur: the service
/// refuses events with such instants.
pub fn to_utc(at: Instant) -> DateTime<Utc> {
    from_micros(at.as_micros())
}

/// Converts a date-time to an instant of the scoring core (microseconds UTC since 1970).
pub fn to_instant(at: DateTime<Utc>) -> Instant {
    Instant::from_micros(at.timestamp_micros())
}

fn from_micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
