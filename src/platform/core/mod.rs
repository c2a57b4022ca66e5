//! What every feature stands on.

mod pace;
mod store;

use std::{ops::Deref, sync::Arc};

use chrono::TimeDelta;
use sqlx::PgPool;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

pub use pace::Pace;

use crate::platform::{clock::Clock, ids::Ids};

/// The database, the clock, the ids, the tasks and the settings of one service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Core(Arc<CoreParts>);

/// The parts of a [`Core`].
#[derive(Debug)]
pub struct CoreParts {
    /// Connections for requests and sweeps.
    pub db: PgPool,
    /// What time it is.
    pub clock: Clock,
    /// Where new ids come from.
    pub ids: Arc<Ids>,
    /// How fast background work may go.
    pub pace: Pace,
    /// Everything that must finish before the process may end.
    pub tasks: TaskTracker,
    /// Cancelled when the service is about to stop. It is no longer ready, but it still serves.
    pub leaving: CancellationToken,
    /// Cancelled when the service is to stop.
    pub stop: CancellationToken,
    /// This instance of the service, among the instances on the same database.
    pub instance: Uuid,
    /// The address under which others reach the service, without a slash at the end.
    pub public_url: String,
    /// For how long changes are kept.
    pub changes_kept: TimeDelta,
    /// What is kept of refused items.
    pub rejects: Rejects,
}

/// What is kept of refused items.
#[derive(Debug, Clone, Copy)]
pub struct Rejects {
    /// For how long.
    pub kept: TimeDelta,
    /// How many.
    pub most: i64,
}

impl Default for Rejects {
    fn default() -> Rejects {
        Rejects { kept: TimeDelta::days(30), most: 50_000 }
    }
}

impl Core {
    /// Puts the parts together.
    pub fn new(parts: CoreParts) -> Core {
        Core(Arc::new(parts))
    }
}

impl Deref for Core {
    type Target = CoreParts;

    fn deref(&self) -> &CoreParts {
        &self.0
    }
}
