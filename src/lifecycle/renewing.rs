//! How far this instance has come with replaying leads whose states are of older semantics.

use std::sync::{Mutex, PoisonError};

/// Counts the leads that this instance has replayed since it found outdated states. `None` while no outdated
/// states are known.
#[derive(Debug, Default)]
pub struct Renewing(Mutex<Option<usize>>);

impl Renewing {
    /// Starts the count, unless it runs already. Returns whether the count started now.
    pub(in crate::lifecycle) fn begins(&self) -> bool {
        let mut replayed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = replayed.is_none();
        replayed.get_or_insert(0);
        begins
    }

    /// Adds replayed leads to the count.
    pub(in crate::lifecycle) fn more(&self, leads: usize) {
        let mut replayed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *replayed.get_or_insert(0) += leads;
    }

    /// Ends the count, and logs the number of replayed leads if a count was running.
    pub(in crate::lifecycle) fn ends(&self) {
        let replayed = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(leads) = replayed {
            tracing::info!(leads, semantics = scoring::SEMANTICS, "every score has the newest semantics");
        }
    }
}
