//! The types of events that the log has held.
//!
//! A type is noted after the commit that brought its first event, and then never again by this instance: so no transaction
//! waits for another because of it. An instance that dies in between leaves the type out until the next one meets it.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use sqlx::PgPool;

use super::store;
use crate::models::MOST_TYPES;

/// Those that this instance knows to be noted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Types(Arc<Mutex<HashSet<String>>>);

impl Types {
    /// Notes types of events that have been committed.
    pub(super) async fn note(&self, pool: &PgPool, kinds: impl Iterator<Item = &str>) {
        let new = self.unknown(kinds);
        if new.is_empty() {
            return;
        }
        let noted = async { store::note_types(&mut *pool.acquire().await?, &new, MOST_TYPES).await };
        match noted.await {
            Ok(()) => self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(new),
            Err(error) => {
                tracing::debug!(%error, "types of events were not noted; the next event tries again");
            }
        }
    }

    /// Those that are to be noted, each once; none once there are very many.
    fn unknown<'a>(&self, kinds: impl Iterator<Item = &'a str>) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_TYPES {
            return Vec::new();
        }
        let new: BTreeSet<&str> = kinds.filter(|kind| !known.contains(*kind)).collect();
        new.into_iter().map(str::to_owned).collect()
    }
}
