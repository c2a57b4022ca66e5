//! The end of the quarantine.

use std::time::Duration;

use super::store;
use crate::{
    lifecycle::{Lifecycle, change::LeadChange},
    platform::sweep::Sweep,
};

/// How many events one run lets go.
const AT_ONCE: i64 = 500;

/// Lets suspect clicks go that have waited long enough: from then on they count as what they are thought to be. Of an
/// address that is no lead there is nothing to replay.
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
        // Before the leads were locked, their identities may have moved and their events may have been judged otherwise.
        let released = store::release(change.conn(), &locked, now).await?;
        let count = released.len() + strays.len();
        change.replay(released);
        change.commit().await?;
        Ok(count)
    }
}
