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
    /// Stands still (microseconds UTC since 1970) until somebody moves it.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at an instant.
    pub fn manual(at: DateTime<Utc>) -> Clock {
        Clock::Manual(Arc::new(AtomicI64::new(at.timestamp_micros())))
    }

    /// Now, to the microsecond.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
            Clock::System => whole_micros(Utc::now()),
            Clock::Manual(micros) => from_micros(micros.load(Ordering::SeqCst)),
        }
    }

    /// Where a manual clock stands; none: time passes. What must agree between instances asks the database's clock, and
    /// this first.
    pub fn stands_at(&self) -> Option<DateTime<Utc>> {
        matches!(self, Clock::Manual(_)).then(|| self.now())
    }

    /// Moves a manual clock forward; the machine's clock moves by itself.
    pub fn advance(&self, by: TimeDelta) {
        if let Clock::Manual(micros) = self {
            micros.fetch_add(
                by.num_microseconds().expect("a test moves the clock by less than 292 000 years"),
                Ordering::SeqCst,
            );
        }
    }
}

/// The database's and the core's resolution.
fn whole_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    from_micros(at.timestamp_micros())
}

/// An instant of the scoring core as a date-time. Instants outside chrono's range (± 262 000 years) do not
/// occur: events are refused long before.
pub fn to_utc(at: Instant) -> DateTime<Utc> {
    from_micros(at.as_micros())
}

/// A date-time as an instant of the scoring core.
pub fn to_instant(at: DateTime<Utc>) -> Instant {
    Instant::from_micros(at.timestamp_micros())
}

fn from_micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
