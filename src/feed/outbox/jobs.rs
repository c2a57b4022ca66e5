//! Places for what is new, and an end for what is old.

use std::time::Duration;

use super::{sequence, store};
use crate::platform::{core::Core, sweep::Sweep};

/// How many changes are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: i64 = 10_000;

/// Gives what is committed its place in the feed, so that the outbox stays small where nobody reads.
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

/// Forgets the changes that are older than the operator wants them kept.
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
