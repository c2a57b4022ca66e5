//! How fast background work may go while events come in.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::PgPool;

use super::store;

/// While events come in, the work rests this many times as long as it works.
const REST: u32 = 3;
/// For how long one look at the database is believed. The server's own figures may be a second old.
const LOOK: Duration = Duration::from_secs(1);

/// Remembers whether events are coming in, on any instance.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Option<Sample>>);

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    taken: i64,
    busy: bool,
}

impl Pace {
    /// Returns how long background work must rest after it has worked for `worked`: three times as long while events
    /// come in, else not at all.
    pub async fn rest(&self, pool: &PgPool, worked: Duration) -> Duration {
        if self.is_busy(pool).await { worked * REST } else { Duration::ZERO }
    }

    /// Whether events are coming in. Counts as true if the database cannot be asked.
    pub async fn is_busy(&self, pool: &PgPool) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.filter(|last| last.at.elapsed() < LOOK) {
            return last.busy;
        }
        let Ok(mut conn) = pool.acquire().await else { return true };
        let Ok(taken) = store::events_taken(&mut conn).await else { return true };
        // With nothing to compare, assume that events are coming in.
        let busy = last.is_none_or(|last| taken > last.taken);
        let sample = Sample { at: Instant::now(), taken, busy };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sample);
        busy
    }
}
