//! Every key in use, held in memory: to know a key, or to know none, asks the database nothing.
//!
//! The ring is read again when it is older than [`BELIEVED`], by one request for all that wait. A key that is not on it is
//! looked for once more in the database if it has the checksum of a key made here, since another instance may have made it
//! just now; that too is one reading for all that wait, and there is a rest after it, so that no number of wrong keys keeps
//! the database busy.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tokio::{sync::Mutex, time::Instant};

use super::{has_checksum, hash_of, store, store::Key};
use crate::platform::clock::Clock;

/// For how long the ring is believed before the database is asked again.
pub const BELIEVED: TimeDelta = TimeDelta::seconds(1);
/// How long keys that are not on the ring wait at least from one reading to the next.
const REST: Duration = Duration::from_millis(50);
/// How long a key can be, in bytes.
const LONGEST: usize = 1_024;

/// The keys in use.
#[derive(Debug)]
pub struct KeyRing {
    clock: Clock,
    known: RwLock<Known>,
    reading: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    /// By their hash.
    keys: HashMap<Vec<u8>, Key>,
    /// As of when, if they may be believed.
    at: Option<DateTime<Utc>>,
    /// When the last reading began.
    began: Option<Instant>,
    /// How often they were to be forgotten.
    forgotten: u64,
}

impl KeyRing {
    /// An empty ring.
    pub fn new(clock: Clock) -> KeyRing {
        KeyRing { clock, known: RwLock::default(), reading: Mutex::default() }
    }

    /// The record of a key in the clear; none if it is unknown or revoked.
    pub async fn find(&self, db: &PgPool, presented: &str) -> Result<Option<Key>, sqlx::Error> {
        if presented.len() > LONGEST {
            return Ok(None);
        }
        let (asked, hash) = (Instant::now(), hash_of(presented));
        if self.is_fresh() {
            let key = self.known().keys.get(&hash).cloned();
            if key.is_some() || !has_checksum(presented) {
                return Ok(key);
            }
        }
        self.read_since(db, asked).await?;
        Ok(self.known().keys.get(&hash).cloned())
    }

    /// Asks the database again from now on.
    pub fn forget(&self) {
        let mut known = self.known_mut();
        known.at = None;
        known.forgotten += 1;
    }

    fn is_fresh(&self) -> bool {
        self.known().at.is_some_and(|at| self.clock.now() - at < BELIEVED)
    }

    /// Sees to it that the ring is fresh and was read after this instant.
    async fn read_since(&self, db: &PgPool, asked: Instant) -> Result<(), sqlx::Error> {
        let _one = self.reading.lock().await;
        if self.is_fresh() {
            let began = self.known().began;
            if began.is_some_and(|began| began >= asked) {
                return Ok(());
            }
            if let Some(began) = began {
                tokio::time::sleep_until(began + REST).await;
            }
        }
        let (began, at, forgotten) = (Instant::now(), self.clock.now(), self.known().forgotten);
        let keys = store::in_use(&mut *db.acquire().await?).await?;
        let mut known = self.known_mut();
        let at = (known.forgotten == forgotten).then_some(at);
        *known = Known { keys: keys.into_iter().collect(), at, began: Some(began), ..*known };
        Ok(())
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}
