//! Scores that change by themselves: points fade, windows close, a silence grows long. Stages that change because
//! somebody is left out from now on, or no longer is.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{Additions, apply, store};
use crate::{app::App, leads, models, policy, qualification::Frame, sweep::Sweep};

/// How many leads one run sees to.
const AT_ONCE: i64 = 1_000;
/// How many leads are looked at again at once: so few that an event of one of them waits but a moment.
const CHUNK: i64 = 500;

/// Brings the leads up to date whose score changes, or whose dwell ends, by now; and nobody else.
#[derive(Debug)]
pub struct DueScores;

impl Sweep for DueScores {
    const NAME: &'static str = "due_scores";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(app: &App) -> Result<usize, sqlx::Error> {
        let mut tx = models::begin(&app.db).await?;
        let scored = app.live.scored(&mut tx).await?;
        let due = store::due(&mut tx, &scored.ids(), app.clock.now(), AT_ONCE).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let mut resolved = leads::lock_free(&mut tx, &due).await?;
        // A rebuild may have come further before the leads were ours.
        let scored = app.live.scored(&mut tx).await?;
        let policy = app.policies.current(&mut tx).await?;
        let frame = Frame { scored: &scored, policy: &policy, now: app.clock.now(), ids: &app.ids };
        let standings = apply(&mut tx, frame, &mut resolved, &Additions::new()).await?;
        tx.commit().await?;
        Ok(standings.len())
    }
}

/// Looks at every lead's stage again after the policy's exclusions have changed.
#[derive(Debug)]
pub struct Reconsider;

impl Sweep for Reconsider {
    const NAME: &'static str = "reconsider";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(app: &App) -> Result<usize, sqlx::Error> {
        let mut tx = models::begin(&app.db).await?;
        let now = app.clock.now();
        let Some(walk) = policy::next_walk(&mut tx).await? else { return Ok(0) };
        let chunk = leads::after(&mut tx, walk.to, CHUNK).await?;
        let mut locked = leads::lock(&mut tx, &chunk).await?;
        let (scored, policy) = (app.live.scored(&mut tx).await?, app.policies.current(&mut tx).await?);
        let frame = Frame { scored: &scored, policy: &policy, now, ids: &app.ids };
        apply(&mut tx, frame, &mut locked, &Additions::new()).await?;
        policy::reconsidered(&mut tx, walk, chunk.last().copied(), now).await?;
        tx.commit().await?;
        Ok(chunk.len().max(1))
    }

    async fn rest(app: &App, worked: Duration) -> Duration {
        app.pace.rest(&app.db, worked).await
    }
}

/// Replays the leads whose states were made under older semantics; their attributes too. Whatever comes of it for a stage is
/// the model's doing, as if a new model had been published.
///
/// It knows an outdated state by the state itself, so it does not matter who left it behind: the release before this one, an
/// instance of it that still runs beside this one, or a run that was killed.
#[derive(Debug)]
pub struct Renew;

/// How many leads this instance has replayed since it last found outdated states, if it has found any.
#[derive(Debug, Default)]
pub struct Renewing(Mutex<Option<usize>>);

impl Sweep for Renew {
    const NAME: &'static str = "renew";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(app: &App) -> Result<usize, sqlx::Error> {
        let mut tx = models::begin(&app.db).await?;
        let outdated = store::outdated(&mut tx, CHUNK).await?;
        if outdated.is_empty() {
            app.renewing.ends();
            return Ok(0);
        }
        if app.renewing.begins() {
            let leads = store::count_outdated(&mut tx).await?;
            tracing::info!(
                leads,
                semantics = scoring::SEMANTICS,
                "replaying the leads whose scores have older semantics"
            );
        }
        let mut locked = leads::lock_free(&mut tx, &outdated).await?;
        let (scored, policy) = (app.live.scored(&mut tx).await?, app.policies.current(&mut tx).await?);
        let frame = Frame { scored: &scored, policy: &policy, now: app.clock.now(), ids: &app.ids };
        let standings = apply(&mut tx, frame, &mut locked, &Additions::new()).await?;
        tx.commit().await?;
        app.renewing.more(standings.len());
        Ok(standings.len())
    }

    async fn rest(app: &App, worked: Duration) -> Duration {
        app.pace.rest(&app.db, worked).await
    }
}

impl Renewing {
    /// Whether there was nothing to do before.
    fn begins(&self) -> bool {
        let mut replayed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = replayed.is_none();
        replayed.get_or_insert(0);
        begins
    }

    fn more(&self, leads: usize) {
        let mut replayed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *replayed.get_or_insert(0) += leads;
    }

    fn ends(&self) {
        let replayed = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(leads) = replayed {
            tracing::info!(leads, semantics = scoring::SEMANTICS, "every score has the newest semantics");
        }
    }
}
