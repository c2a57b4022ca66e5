//! Sweeps that give new changes their positions and delete old changes.

use std::time::Duration;

use super::{sequence, store};
use crate::platform::{core::Core, sweep::Sweep};

/// How many changes are deleted in one transaction.
const FORGOTTEN_AT_ONCE: i64 = 10_000;

/// Gives committed changes their positions in the feed, so that the outbox stays small even if nobody reads the feed.
#[derive(Debug)]
pub struct Sequence;

impl Sweep for Sequence {
    type State = Core;

    const NAME: &'static str = "sequence_changes";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(core: &Core) -> Result<usize, sqlx::Error> {
        sequence(&mut *core.db.acquire().await?, core.clock.now()).await
    }
}

/// Deletes the changes that are older than the operator wants to keep.
#[derive(Debug)]
pub struct Forget;

impl Sweep for Forget {
    type State = Core;

    const NAME: &'static str = "forget_changes";
    const PERIOD: Duration = Duration::from_mins(10);

    async fn run_once(core: &Core) -> Result<usize, sqlx::Error> {
        let before = core.clock.now() - core.changes_kept;
        store::forget(&mut *core.db.acquire().await?, before, FORGOTTEN_AT_ONCE).await
    }
}
