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
    /// Makes new ids.
    pub ids: Arc<Ids>,
    /// Slows background work down while events come in.
    pub pace: Pace,
    /// The tasks that must finish before the process may end.
    pub tasks: TaskTracker,
    /// Cancelled when the service is about to stop. From then on the service still answers, but says that it is not
    /// ready.
    pub leaving: CancellationToken,
    /// Cancelled when the service must stop.
    pub stop: CancellationToken,
    /// The id of this instance, which tells it from other instances on the same database.
    pub instance: Uuid,
    /// The address under which others reach the service, without a slash at the end.
    pub public_url: String,
    /// How long the feed keeps changes.
    pub changes_kept: TimeDelta,
    /// How many refused items are kept, and how long.
    pub rejects: Rejects,
}

/// Bounds on the refused items that the service keeps.
#[derive(Debug, Clone, Copy)]
pub struct Rejects {
    /// How long a refused item is kept.
    pub kept: TimeDelta,
    /// How many refused items are kept at most.
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
