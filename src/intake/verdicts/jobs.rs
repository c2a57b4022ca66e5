//! The sweep that ends the quarantine of suspect clicks.

use std::time::Duration;

use super::store;
use crate::{
    lifecycle::{Lifecycle, change::LeadChange},
    platform::sweep::Sweep,
};

/// How many events one run releases.
const AT_ONCE: i64 = 500;

/// Releases suspect clicks whose quarantine has ended: they count from now on, and their leads are replayed.
/// For addresses that have no lead, there is nothing to replay.
#[derive(Debug)]
pub struct Release;

impl Sweep for Release {
    type State = Lifecycle;

    const NAME: &'static str = "release";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(lifecycle: &Lifecycle) -> Result<usize, sqlx::Error> {
        let mut begun = LeadChange::begin(lifecycle).await?;
        let now = begun.now();
        let strays = store::hold_strays(begun.conn(), now, AT_ONCE).await?;
        if !strays.is_empty() {
            store::release_strays(begun.conn(), &strays, now).await?;
        }
        let due = store::due(begun.conn(), now, AT_ONCE).await?;
        if due.is_empty() && strays.is_empty() {
            return Ok(0);
        }
        let mut change = begun.lock_free(&due).await?;
        let locked = change.ids();
        // Selected again under the lock: identities may have moved, or events may have got another verdict,
        // before the leads were locked.
        let released = store::release(change.conn(), &locked, now).await?;
        let count = released.len() + strays.len();
        change.replay(released);
        change.commit().await?;
        Ok(count)
    }
}
