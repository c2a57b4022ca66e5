//! Every key in use, held in memory. To recognise or refuse a key, the ring seldom asks the database.
//!
//! When the ring is older than [`BELIEVED`], one request reads it again for all that wait. Another instance may just
//! have made a key that is not on the ring. So if an unknown key has the checksum of a key of this service, the ring is
//! read again, once for all that wait. Between two such readings there is a pause, so that no number of wrong keys
//! keeps the database busy.

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

/// How long the ring is used before the database is asked again.
pub const BELIEVED: TimeDelta = TimeDelta::seconds(1);
/// The shortest pause between two readings for keys that are not on the ring.
const REST: Duration = Duration::from_millis(50);
/// How long a key may be, in bytes.
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
    /// The keys by their hash.
    keys: HashMap<Vec<u8>, Key>,
    /// When the keys were read. `None` if they must be read again.
    at: Option<DateTime<Utc>>,
    /// When the last reading began.
    began: Option<Instant>,
    /// How often [`KeyRing::forget`] was called. A reading that was under way meanwhile does not count as fresh.
    forgotten: u64,
}

impl KeyRing {
    /// Makes an empty ring.
    pub fn new(clock: Clock) -> KeyRing {
        KeyRing { clock, known: RwLock::default(), reading: Mutex::default() }
    }

    /// Returns the record of a key in the clear. `None` if the key is unknown or revoked.
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

    /// Forgets the keys, so that the next call reads them from the database again.
    pub fn forget(&self) {
        let mut known = self.known_mut();
        known.at = None;
        known.forgotten += 1;
    }

    fn is_fresh(&self) -> bool {
        self.known().at.is_some_and(|at| self.clock.now() - at < BELIEVED)
    }

    /// Reads the ring, unless it is fresh and another request has read it since the instant `asked`.
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
