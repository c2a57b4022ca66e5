//! Sweeps that change leads without a call. Scores change because points fade, windows close or a silence
//! grows long. Stages change because the policy excludes a person from now on, or no longer does.

use std::time::Duration;

use super::LeadChange;
use crate::{
    leads,
    lifecycle::{Lifecycle, policy},
    platform::sweep::Sweep,
    scores,
};

/// How many leads one run updates.
const AT_ONCE: i64 = 1_000;
/// How many leads one transaction looks at again. The number is small, because an event of one of these leads
/// waits for the transaction.
const CHUNK: i64 = 500;

/// Updates the leads whose score has changed or whose dwell has ended by now. Other leads are not touched.
#[derive(Debug)]
pub struct DueScores;

impl Sweep for DueScores {
    type State = Lifecycle;

    const NAME: &'static str = "due_scores";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(lifecycle: &Lifecycle) -> Result<usize, sqlx::Error> {
        let mut begun = LeadChange::begin(lifecycle).await?;
        let now = begun.now();
        let scored = lifecycle.live.scored(begun.conn()).await?;
        let due = scores::due(begun.conn(), &scored.ids(), now, AT_ONCE).await?;
        if due.is_empty() {
            return Ok(0);
        }
        Ok(begun.lock_free(&due).await?.commit().await?.len())
    }
}

/// Decides every lead's stage again after the policy's exclusions have changed.
#[derive(Debug)]
pub struct Reconsider;

impl Sweep for Reconsider {
    type State = Lifecycle;

    const NAME: &'static str = "reconsider";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(lifecycle: &Lifecycle) -> Result<usize, sqlx::Error> {
        let mut begun = LeadChange::begin(lifecycle).await?;
        let now = begun.now();
        let Some(walk) = policy::next_walk(begun.conn()).await? else { return Ok(0) };
        let chunk = leads::after(begun.conn(), walk.to, CHUNK).await?;
        let mut change = begun.lock(&chunk).await?;
        policy::reconsidered(change.conn(), walk, chunk.last().copied(), now).await?;
        change.commit().await?;
        Ok(chunk.len().max(1))
    }

    async fn rest(lifecycle: &Lifecycle, worked: Duration) -> Duration {
        lifecycle.pace.rest(&lifecycle.db, worked).await
    }
}

/// Replays the leads whose states were made under older semantics, with their attributes. Stages that change
/// by this change as if a new model had been published.
///
/// The state itself says that it is outdated. So the state may be from an earlier release, from an instance
/// of that release that still runs, or from a run that was killed.
#[derive(Debug)]
pub struct Renew;

impl Sweep for Renew {
    type State = Lifecycle;

    const NAME: &'static str = "renew";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(lifecycle: &Lifecycle) -> Result<usize, sqlx::Error> {
        let mut begun = LeadChange::begin(lifecycle).await?;
        let outdated = scores::outdated(begun.conn(), CHUNK).await?;
        if outdated.is_empty() {
            lifecycle.renewing.ends();
            return Ok(0);
        }
        if lifecycle.renewing.begins() {
            let leads = scores::count_outdated(begun.conn()).await?;
            tracing::info!(
                leads,
                semantics = scoring::SEMANTICS,
                "replaying the leads whose scores have older semantics"
            );
        }
        let replayed = begun.lock_free(&outdated).await?.commit().await?.len();
        lifecycle.renewing.more(replayed);
        Ok(replayed)
    }

    async fn rest(lifecycle: &Lifecycle, worked: Duration) -> Duration {
        lifecycle.pace.rest(&lifecycle.db, worked).await
    }
}
