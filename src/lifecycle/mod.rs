//! How a lead goes from stranger to customer, and the one way in which it changes.
//!
//! [`change::LeadChange`] is the unit of work: every change of a lead goes through one. [`jobs`] are the sweeps that change
//! leads when nobody asks: time passes, the policy changes, the semantics become newer.

pub mod change;
pub mod jobs;

use std::sync::Arc;

use sqlx::PgPool;

use crate::{clock::Clock, ids::Ids, models::Live, policy::Policies};

/// What every change of a lead works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    /// The connections on which leads are changed.
    pub db: PgPool,
    /// The models under which leads are scored.
    pub live: Live,
    /// The policy in force.
    pub policies: Policies,
    /// What time it is.
    pub clock: Clock,
    /// Where new ids come from.
    pub ids: Arc<Ids>,
}
