//! How far this instance has come with replaying leads whose states are of older semantics.

use std::sync::{Mutex, PoisonError};

/// How many leads this instance has replayed since it last found outdated states, if it has found any.
#[derive(Debug, Default)]
pub struct Renewing(Mutex<Option<usize>>);

impl Renewing {
    /// Whether there was nothing to do before.
    pub(in crate::lifecycle) fn begins(&self) -> bool {
        let mut replayed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = replayed.is_none();
        replayed.get_or_insert(0);
        begins
    }

    pub(in crate::lifecycle) fn more(&self, leads: usize) {
        let mut replayed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *replayed.get_or_insert(0) += leads;
    }

    pub(in crate::lifecycle) fn ends(&self) {
        let replayed = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(leads) = replayed {
            tracing::info!(leads, semantics = scoring::SEMANTICS, "every score has the newest semantics");
        }
    }
}
