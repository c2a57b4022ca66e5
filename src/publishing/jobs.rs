//! The background work of publishing: states from the log, stages by the new version, states no longer needed.

use std::time::Duration;

use chrono::TimeDelta;

use super::{KEPT, Purpose, store};
use crate::{
    app::App,
    ids::ModelId,
    leads, models,
    qualification::Frame,
    scores::{self, Additions},
    sweep::Sweep,
};

/// How many leads one transaction sees to: so few that an event of one of them waits but a moment.
const CHUNK: i64 = 500;
/// How many states are removed at once.
const REMOVED: i64 = 2_000;
/// For how long the other instances leave a run to the one that is at work on it.
const TERM: TimeDelta = TimeDelta::seconds(10);

/// Gives leads a state under the versions that are being prepared; the last step puts the version to its use.
#[derive(Debug)]
pub struct Rebuild;

impl Sweep for Rebuild {
    const NAME: &'static str = "rebuild";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(app: &App) -> Result<usize, sqlx::Error> {
        rebuild_next(app, CHUNK).await
    }

    async fn rest(app: &App, worked: Duration) -> Duration {
        app.pace.rest(&app.db, worked).await
    }
}

/// Gives the next leads, at most so many, a state; how many there were, and one for the step at the end.
pub async fn rebuild_next(app: &App, at_most: i64) -> sqlx::Result<usize> {
    let mut tx = models::begin(&app.db).await?;
    let now = app.clock.now();
    let Some(run) = store::next_rebuild(&mut tx, app.instance, now).await? else { return Ok(0) };
    let chunk = store::leads_after(&mut tx, run.rebuilt_to, at_most).await?;
    let Some(last) = chunk.last().copied() else {
        tx.rollback().await?;
        put_to_use(app, run.model_id).await?;
        return Ok(1);
    };
    let version = models::load(&mut tx, run.model_id).await?.ok_or(sqlx::Error::RowNotFound)?;
    let locked = leads::lock(&mut tx, &chunk).await?;
    scores::rebuild(&mut tx, &version, now, &locked).await?;
    store::rebuilt(&mut tx, &run, last, chunk.len() as i64).await?;
    store::hold(&mut tx, &run, app.instance, now, now + TERM).await?;
    tx.commit().await?;
    Ok(chunk.len())
}

/// Every lead has a state: the version goes live, or is complete as a shadow.
async fn put_to_use(app: &App, id: ModelId) -> sqlx::Result<()> {
    let mut tx = models::begin_change(&app.db).await?;
    let Some(run) = store::find(&mut tx, id).await? else { return Ok(()) };
    if run.dropped_at.is_some() || run.rebuilt_at.is_some() {
        return Ok(());
    }
    let now = app.clock.now();
    match run.purpose {
        Purpose::Publish => store::switch(&mut tx, id, now, now + KEPT, run.offers).await?,
        Purpose::Shadow => store::complete_shadow(&mut tx, id, now).await?,
    }
    tx.commit().await?;
    tracing::info!(model = %id, leads = run.rebuilt, "every lead has a state under this version");
    Ok(())
}

/// Looks at leads' stages again after a version went live.
#[derive(Debug)]
pub struct Settle;

impl Sweep for Settle {
    const NAME: &'static str = "settle";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(app: &App) -> Result<usize, sqlx::Error> {
        let mut tx = models::begin(&app.db).await?;
        let now = app.clock.now();
        let Some(run) = store::next_settling(&mut tx, app.instance, now).await? else { return Ok(0) };
        let chunk = store::leads_after(&mut tx, run.settled_to, CHUNK).await?;
        let Some(last) = chunk.last().copied() else {
            store::complete_settling(&mut tx, run.model_id, now).await?;
            tx.commit().await?;
            return Ok(1);
        };
        let mut locked = leads::lock(&mut tx, &chunk).await?;
        let scored = app.live.scored(&mut tx).await?;
        let frame = Frame { scored: &scored, now, ids: &app.ids };
        scores::apply(&mut tx, frame, &mut locked, &Additions::new()).await?;
        store::settled(&mut tx, &run, last, chunk.len() as i64).await?;
        store::hold(&mut tx, &run, app.instance, now, now + TERM).await?;
        tx.commit().await?;
        Ok(chunk.len())
    }

    async fn rest(app: &App, worked: Duration) -> Duration {
        app.pace.rest(&app.db, worked).await
    }
}

/// Removes the states of versions that leads are no longer scored by.
#[derive(Debug)]
pub struct Clear;

impl Sweep for Clear {
    const NAME: &'static str = "clear";
    const PERIOD: Duration = Duration::from_secs(10);

    async fn run_once(app: &App) -> Result<usize, sqlx::Error> {
        let now = app.clock.now();
        let over = store::kept_too_long(&mut *app.db.acquire().await?, now).await?;
        for id in over {
            let mut tx = models::begin_change(&app.db).await?;
            if store::kept_too_long(&mut tx, now).await?.contains(&id) {
                store::drop(&mut tx, id, now).await?;
            }
            tx.commit().await?;
        }
        let mut tx = app.db.begin().await?;
        let Some(id) = store::dropped(&mut tx).await? else { return Ok(0) };
        let removed = store::remove_states(&mut tx, id, REMOVED).await?;
        if removed == 0 {
            store::delete(&mut tx, id).await?;
        }
        tx.commit().await?;
        Ok(usize::try_from(removed).unwrap_or(usize::MAX).max(1))
    }

    async fn rest(app: &App, worked: Duration) -> Duration {
        app.pace.rest(&app.db, worked).await
    }
}
