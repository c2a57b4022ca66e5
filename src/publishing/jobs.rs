//! The background work of publishing: states from the log, stages by the new version, states no longer needed.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Mutex;

use super::{Purpose, Run, store, store::Switch};
use crate::{
    leads,
    lifecycle::change::LeadChange,
    models,
    platform::{
        ids::{LeadId, ModelId},
        sweep::Sweep,
    },
    publishing::Publishing,
    scores::{self, Pass, Prepared},
};

/// How many leads one transaction sees to: so few that an event of one of them waits but a moment.
const CHUNK: usize = 500;
/// How many such transactions run side by side.
const LANES: usize = 4;
/// How many chunks a step takes while no events come in.
const CHUNKS: usize = 4 * LANES;
/// How many states are removed at once.
const REMOVED: i64 = 2_000;
/// For how long the other instances leave a run to the one that is at work on it.
const TERM: TimeDelta = TimeDelta::seconds(5);

/// Gives leads a state under the versions that are being prepared; the last step puts the version to its use.
#[derive(Debug)]
pub struct Rebuild;

impl Sweep for Rebuild {
    type State = Publishing;

    const NAME: &'static str = "rebuild";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(publishing: &Publishing) -> Result<usize, sqlx::Error> {
        let chunks = if publishing.pace.is_busy(&publishing.db).await { 1 } else { CHUNKS };
        Ok(match rebuild_step(publishing, CHUNK * chunks).await? {
            Step::Nothing => 0,
            Step::Read | Step::InUse => 1,
            Step::Rebuilt(leads) => leads,
        })
    }

    async fn rest(publishing: &Publishing, worked: Duration) -> Duration {
        publishing.pace.rest(&publishing.db, worked).await
    }
}

/// What a step of a rebuild has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is nothing to do, or another instance is at it.
    Nothing,
    /// More of the log has been read.
    Read,
    /// So many leads have been given a state.
    Rebuilt(usize),
    /// Every lead has one: the version has been put to its use.
    InUse,
}

/// The reading of the log that this instance has under way.
#[derive(Debug, Default)]
pub struct Reading(Mutex<Option<Pass>>);

/// One step of the oldest rebuild that is not done: reads on in the log, or gives the next leads, at most so many, a state.
///
/// A lead's state is kept up from the moment at which it is there, and a lead that has one is passed over: so what was
/// done before a crash, and not yet noted, is not lost, and not done twice. What had been read of the log is.
pub async fn rebuild_step(publishing: &Publishing, at_most: usize) -> sqlx::Result<Step> {
    let lanes = at_most.div_ceil(CHUNK).min(LANES);
    // An error on the way leaves no pass behind: one that has read half a stretch is of no use.
    let mut reading = publishing.reading.0.lock().await;
    let mut tx = publishing.db.begin().await?;
    let now = publishing.clock.now();
    let Some(run) = store::next_rebuild(&mut tx, publishing.instance, now).await? else {
        return Ok(Step::Nothing);
    };
    // A rebuild takes attributes as they are stored, so those of older semantics are replayed before.
    if scores::any_outdated(&mut tx).await? {
        return Ok(Step::Nothing);
    }
    let pass = reading.take().filter(|pass| pass.serves(run.model_id, run.rebuilt_to));
    let share = pass.as_ref().map_or(0.0, Pass::share);
    store::hold(&mut tx, &run, share, publishing.instance, now, now + TERM).await?;
    tx.commit().await?;
    let mut pass = match pass {
        Some(pass) => pass,
        None => match begin(publishing, &run).await? {
            Some(pass) => pass,
            None => return Ok(Step::Nothing),
        },
    };
    if pass.is_done() {
        let done = rebuild_next(publishing, &run, &mut pass, at_most).await;
        // After an error too: the leads whose tallies it has handed out are then replayed singly.
        *reading = (!matches!(done, Ok(Step::InUse))).then_some(pass);
        return done;
    }
    match pass.go_on(&publishing.db, lanes).await? {
        Some(pass) if pass.is_empty() => put_to_use(publishing, run.model_id).await,
        pass => {
            *reading = pass;
            Ok(Step::Read)
        }
    }
}

/// Begins to read the log for the leads that have no state yet; none if the version has gone meanwhile.
async fn begin(publishing: &Publishing, run: &Run) -> sqlx::Result<Option<Pass>> {
    let mut conn = publishing.db.acquire().await?;
    let live = publishing.live.current(&mut conn).await?;
    let version = models::load(&mut conn, run.model_id).await?;
    Ok(version.map(|version| Pass::after(version, live.id, run.rebuilt_to)))
}

async fn rebuild_next(
    publishing: &Publishing,
    run: &Run,
    pass: &mut Pass,
    at_most: usize,
) -> sqlx::Result<Step> {
    let leads = leads::after(&mut *publishing.db.acquire().await?, run.rebuilt_to, at_most as i64).await?;
    let Some(last) = leads.last().copied() else { return put_to_use(publishing, run.model_id).await };
    let chunks: Vec<(Vec<LeadId>, Prepared)> =
        leads.chunks(CHUNK).map(|chunk| (chunk.to_vec(), pass.take(chunk))).collect();
    let chunks =
        chunks.into_iter().map(|(chunk, prepared)| rebuild_chunk(publishing, run.model_id, chunk, prepared));
    stream::iter(chunks).buffer_unordered(LANES).try_collect::<()>().await?;
    store::rebuilt(&mut *publishing.db.acquire().await?, run, last, leads.len() as i64).await?;
    Ok(Step::Rebuilt(leads.len()))
}

async fn rebuild_chunk(
    publishing: &Publishing,
    id: ModelId,
    chunk: Vec<LeadId>,
    prepared: Prepared,
) -> sqlx::Result<()> {
    let mut tx = models::begin(&publishing.db).await?;
    // Once it is dropped nobody may leave a state behind.
    let scored = publishing.live.scored(&mut tx).await?;
    if let Some(other) = scored.others.iter().find(|other| other.version.id == id) {
        let locked = leads::lock(&mut tx, &chunk).await?;
        scores::rebuild(&mut tx, &scored, &other.version, publishing.clock.now(), &locked, prepared).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Every lead has a state: the version goes live, or is complete as a shadow.
async fn put_to_use(publishing: &Publishing, id: ModelId) -> sqlx::Result<Step> {
    let mut tx = models::begin_change(&publishing.db).await?;
    let Some(run) = store::find(&mut tx, id).await? else { return Ok(Step::Nothing) };
    if run.dropped_at.is_some() || run.rebuilt_at.is_some() {
        return Ok(Step::Nothing);
    }
    let now = publishing.clock.now();
    match run.purpose {
        Purpose::Publish => store::switch(&mut tx, id, Switch::Publish, run.offers, now).await?,
        Purpose::Shadow => store::complete_shadow(&mut tx, id, now).await?,
    }
    tx.commit().await?;
    tracing::info!(model = %id, leads = run.rebuilt, "every lead has a state under this version");
    Ok(Step::InUse)
}

/// Looks at leads' stages again after a version went live.
#[derive(Debug)]
pub struct Settle;

impl Sweep for Settle {
    type State = Publishing;

    const NAME: &'static str = "settle";
    const PERIOD: Duration = Duration::from_secs(1);

    async fn run_once(publishing: &Publishing) -> Result<usize, sqlx::Error> {
        let mut begun = LeadChange::begin(publishing).await?;
        let now = begun.now();
        let Some(run) = store::next_settling(begun.conn(), publishing.instance, now).await? else {
            return Ok(0);
        };
        let chunk = leads::after(begun.conn(), run.settled_to, CHUNK as i64).await?;
        let Some(last) = chunk.last().copied() else {
            store::complete_settling(begun.conn(), run.model_id, now).await?;
            begun.commit().await?;
            return Ok(1);
        };
        // From here on the leads are locked, and still wait for the live version.
        let mut change = begun.lock(&chunk).await?;
        store::settled(change.conn(), &run, last, chunk.len() as i64).await?;
        store::hold(change.conn(), &run, run.log_read, publishing.instance, now, now + TERM).await?;
        change.commit().await?;
        Ok(chunk.len())
    }

    async fn rest(publishing: &Publishing, worked: Duration) -> Duration {
        publishing.pace.rest(&publishing.db, worked).await
    }
}

/// Removes the states of versions that leads are no longer scored by.
#[derive(Debug)]
pub struct Clear;

impl Sweep for Clear {
    type State = Publishing;

    const NAME: &'static str = "clear";
    const PERIOD: Duration = Duration::from_secs(10);

    async fn run_once(publishing: &Publishing) -> Result<usize, sqlx::Error> {
        let now = publishing.clock.now();
        let over = store::kept_too_long(&mut *publishing.db.acquire().await?, now).await?;
        for id in over {
            let mut tx = models::begin_change(&publishing.db).await?;
            if store::kept_too_long(&mut tx, now).await?.contains(&id) {
                store::drop(&mut tx, id, now).await?;
            }
            tx.commit().await?;
        }
        let mut tx = publishing.db.begin().await?;
        let Some(id) = store::dropped(&mut tx).await? else { return Ok(0) };
        let removed = store::remove_states(&mut tx, id, REMOVED).await?
            + store::remove_rollback_states(&mut tx, id, REMOVED).await?;
        if removed == 0 {
            store::delete(&mut tx, id).await?;
        }
        tx.commit().await?;
        Ok(usize::try_from(removed).unwrap_or(usize::MAX).max(1))
    }

    async fn rest(publishing: &Publishing, worked: Duration) -> Duration {
        publishing.pace.rest(&publishing.db, worked).await
    }
}
