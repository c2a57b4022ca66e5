//! The types of events that the log has held.
//!
//! A type is noted after the commit of its first event, and never again by this instance. So no transaction
//! waits for another because of a type. If an instance dies before it notes a type, the next event of the
//! type notes it.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use sqlx::PgPool;

use super::store;
use crate::models::MOST_TYPES;

/// The types that this instance knows to be noted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Types(Arc<Mutex<HashSet<String>>>);

impl Types {
    /// Notes the types of committed events. A failure is only logged.
    pub(super) async fn note(&self, pool: &PgPool, kinds: impl Iterator<Item = &str>) {
        let new = self.unknown(kinds);
        if new.is_empty() {
            return;
        }
        let noted = async { store::note_types(&mut *pool.acquire().await?, &new, MOST_TYPES).await };
        match noted.await {
            Ok(()) => self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(new),
            Err(error) => {
                tracing::debug!(%error, "cannot note types of events; the next event tries again");
            }
        }
    }

    /// Returns the types that are not known to be noted, each once. Empty if very many are noted already.
    fn unknown<'a>(&self, kinds: impl Iterator<Item = &'a str>) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_TYPES {
            return Vec::new();
        }
        let new: BTreeSet<&str> = kinds.filter(|kind| !known.contains(*kind)).collect();
        new.into_iter().map(str::to_owned).collect()
    }
}
