//! The sweeps of publishing: giving leads states from the log, deciding stages under a new version, removing
//! states that are no longer needed.

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

/// How many leads one transaction handles. The number is small, because an event of one of these leads waits
/// for the transaction.
const CHUNK: usize = 500;
/// How many of these transactions run at the same time.
const LANES: usize = 4;
/// How many chunks of leads one step handles while no events come in.
const CHUNKS: usize = 4 * LANES;
/// How many states one transaction removes.
const REMOVED: i64 = 2_000;
/// How long other instances leave a run to the instance that works on it. Each step extends this time.
const TERM: TimeDelta = TimeDelta::seconds(5);

/// Gives leads states under the versions that are being prepared. The last step makes the version live, or
/// completes its shadow.
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
    /// There is nothing to do, or another instance does it.
    Nothing,
    /// More of the log has been read.
    Read,
    /// This many leads were handled, so that each has a state.
    Rebuilt(usize),
    /// Every lead has a state. The version is live, or its shadow is complete.
    InUse,
}

/// This instance's reading of the log for a version that is being prepared, if there is one.
#[derive(Debug, Default)]
pub struct Reading(Mutex<Option<Pass>>);

/// Does one step of the oldest unfinished rebuild: reads more of the log, or gives at most `at_most` of the
/// next leads a state.
///
/// From the moment a lead has a state, every change of the lead updates the state, and rebuilds pass the lead
/// over. So after a crash no state is lost or made twice. Only the reading of the log begins again.
pub async fn rebuild_step(publishing: &Publishing, at_most: usize) -> sqlx::Result<Step> {
    let lanes = at_most.div_ceil(CHUNK).min(LANES);
    // The pass is taken out, so an error drops it. A pass that has read half of a stretch of the log is
    // useless.
    let mut reading = publishing.reading.0.lock().await;
    let mut tx = publishing.db.begin().await?;
    let now = publishing.clock.now();
    let Some(run) = store::next_rebuild(&mut tx, publishing.instance, now).await? else {
        return Ok(Step::Nothing);
    };
    // A rebuild uses stored attributes. So leads with attributes of older semantics must be replayed first.
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
        // The pass is kept after an error too. Leads whose tallies it has handed out already are then
        // replayed one by one.
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

/// Begins a reading of the log for the leads that have no state yet. Returns `None` if the version was
/// deleted in the meantime.
async fn begin(publishing: &Publishing, run: &Run) -> sqlx::Result<Option<Pass>> {
    let mut conn = publishing.db.acquire().await?;
    let live = publishing.live.current(&mut conn).await?;
    let version = models::load(&mut conn, run.model_id).await?;
    Ok(version.map(|version| Pass::after(version, live.id, run.rebuilt_to)))
}

/// Gives the next leads a state, in chunks that run at the same time, and notes how far the rebuild has come.
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

/// Gives a chunk of leads a state, in one transaction.
async fn rebuild_chunk(
    publishing: &Publishing,
    id: ModelId,
    chunk: Vec<LeadId>,
    prepared: Prepared,
) -> sqlx::Result<()> {
    let mut tx = models::begin(&publishing.db).await?;
    // Checked inside the transaction: no state may be made for a version that was dropped.
    let scored = publishing.live.scored(&mut tx).await?;
    if let Some(other) = scored.others.iter().find(|other| other.version.id == id) {
        let locked = leads::lock(&mut tx, &chunk).await?;
        scores::rebuild(&mut tx, &scored, &other.version, publishing.clock.now(), &locked, prepared).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Makes a version live, or completes its shadow, because every lead has a state under it.
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

/// Decides leads' stages again after a version went live.
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
        // The leads are locked while they still wait for the live version. Only then is the progress noted.
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
