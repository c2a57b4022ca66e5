//! Scores that change by themselves: points fade, windows close, a silence grows long. Stages that change because
//! somebody is left out from now on, or no longer is.

use std::time::Duration;

use super::LeadChange;
use crate::{
    leads,
    lifecycle::{Lifecycle, policy},
    platform::sweep::Sweep,
    scores,
};

/// How many leads one run sees to.
const AT_ONCE: i64 = 1_000;
/// How many leads are looked at again at once: so few that an event of one of them waits but a moment.
const CHUNK: i64 = 500;

/// Brings the leads up to date whose score changes, or whose dwell ends, by now; and nobody else.
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

/// Looks at every lead's stage again after the policy's exclusions have changed.
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

/// Replays the leads whose states were made under older semantics; their attributes too. Whatever comes of it for a stage is
/// the model's doing, as if a new model had been published.
///
/// It knows an outdated state by the state itself, so it does not matter who left it behind: the release before this one, an
/// instance of it that still runs beside this one, or a run that was killed.
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
