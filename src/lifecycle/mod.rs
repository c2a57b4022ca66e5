//! How a lead goes from stranger to customer, and the one way in which it changes.
//!
//! [`change::LeadChange`] is the unit of work: every change of a lead goes through one. The sweeps in
//! [`change::jobs`] change leads when time passes, when the policy changes, or when the semantics become
//! newer.

pub mod change;
pub mod checklists;
pub mod erasure;
pub mod handoffs;
pub mod outcomes;
pub mod policy;
mod renewing;
pub mod stages;

use std::{ops::Deref, sync::Arc};

use sqlx::PgPool;

use crate::{lifecycle::policy::Policies, models::Models};
pub use renewing::Renewing;

/// What every change of a lead works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    /// The core, and the models under which leads are scored.
    pub models: Models,
    /// The connections on which leads are changed.
    pub db: PgPool,
    /// The policy in force.
    pub policies: Policies,
    /// How far this instance has come with replaying leads whose states are of older semantics.
    pub renewing: Arc<Renewing>,
}

impl Lifecycle {
    /// Returns the same state with `db` as the connections on which leads are changed.
    #[must_use]
    pub fn on(&self, db: PgPool) -> Lifecycle {
        Lifecycle { db, ..self.clone() }
    }
}

impl Deref for Lifecycle {
    type Target = Models;

    fn deref(&self) -> &Models {
        &self.models
    }
}
