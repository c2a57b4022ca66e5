//! How a version of a model goes live, and how a rollback works.
//!
//! - *Publishing*: leads get a state under the new version from the log, in the background and in the order of their
//!   ids, while the old version serves. Then the new version decides, in one step. Then each lead's stage is looked
//!   at again.
//! - *Rollback*: the version before decides again, in one step, as long as its states are kept. Then each
//!   lead that the version has moved is moved back, if nothing has happened to the lead since.
//! - *Shadow*: leads are scored by a version that decides nothing.
//!
//! The guarantees. From the moment at which publishing begins ([`models::begin_change`]), every transaction
//! that changes scores knows the version. A lead with a state gets each event added under both versions. A
//! new lead gets its state when it is created. A lead without a state gets one, with all its events, when its
//! turn comes. Every later change of the lead updates the state. How far the rebuild has come is noted
//! afterwards, so a process that dies loses nothing. The next process continues from the note, and reads the
//! log again for the leads that are left. No call reads from a version until every lead has a state under it.

pub mod api;
pub mod comparison;
pub mod jobs;
mod store;

use std::{ops::Deref, sync::Arc};

use chrono::TimeDelta;
use scoring::{Mistake, check};
use serde_json::Value;
use sqlx::PgConnection;
use tokio::sync::Semaphore;

pub use jobs::Reading;
use store::Switch;
pub use store::{Purpose, Run};

use crate::{
    http::aside::apart,
    lifecycle::Lifecycle,
    models::{self, VersionState},
    platform::ids::ModelId,
};

/// How long the states of the version before are kept and updated, so that a rollback is one step.
pub const KEPT: TimeDelta = TimeDelta::days(7);

/// What the calls and sweeps of publishing work with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Publishing {
    /// What every change of a lead works with.
    pub lifecycle: Lifecycle,
    /// This instance's reading of the log for a version that is being prepared.
    pub reading: Arc<Reading>,
    /// Limits how many comparisons of models run at once. The others wait without a connection.
    pub comparing: Arc<Semaphore>,
}

/// How many comparisons of models run at once. Each keeps a connection and a processor busy for seconds.
const COMPARING: usize = 2;

impl Publishing {
    /// Makes the state of publishing for a process in which nothing is under way yet.
    pub fn new(lifecycle: Lifecycle) -> Publishing {
        Publishing { lifecycle, reading: Arc::default(), comparing: Arc::new(Semaphore::new(COMPARING)) }
    }
}

impl Deref for Publishing {
    type Target = Lifecycle;

    fn deref(&self) -> &Lifecycle {
        &self.lifecycle
    }
}

/// Why a version cannot be published, rolled back or put in shadow.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// There is no such version.
    #[error("no such version")]
    NotFound,
    /// The version is live already.
    #[error("the version is live")]
    Live,
    /// Another version is being published.
    #[error("version {0} is being published")]
    Busy(ModelId),
    /// The version's former states are still being removed.
    #[error("the states that the version had are still being removed")]
    Removing,
    /// The stored document no longer passes the check of models.
    #[error("the document is no longer accepted")]
    NoModel(Vec<Mistake>),
    /// The version's own tests fail.
    #[error("the version's own tests fail")]
    TestsFail(Vec<check::TestResult>),
    /// No version is kept for a rollback.
    #[error("no states to go back to")]
    NotKept,
    /// The version does not run in shadow.
    #[error("the version is not in shadow")]
    NotInShadow,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Begins to publish a version. If leads have states under the version already, it goes live at once.
pub async fn publish(publishing: &Publishing, id: ModelId, offers: bool) -> Result<Run, PublishError> {
    let leads = store::count_leads(&mut *publishing.db.acquire().await?).await?;
    let mut tx = models::begin_change(&publishing.db).await?;
    let (state, document) = version(&mut tx, id).await?;
    if state == VersionState::Published {
        return Err(PublishError::Live);
    }
    let report = apart(|| check::check(&document, None));
    if !report.errors.is_empty() {
        return Err(PublishError::NoModel(report.errors));
    }
    if !report.passed() {
        return Err(PublishError::TestsFail(report.tests.into_iter().filter(|test| !test.passed).collect()));
    }
    if let Some(other) = store::preparing(&mut tx).await? {
        return Err(PublishError::Busy(other));
    }
    let now = publishing.clock.now();
    match store::find(&mut tx, id).await? {
        Some(run) if run.dropped_at.is_some() => return Err(PublishError::Removing),
        Some(run) if run.rebuilt_at.is_some() => {
            store::switch(&mut tx, id, Switch::Publish, offers, now).await?;
        }
        Some(_) => store::purpose_to_publish(&mut tx, id, offers).await?,
        None => store::insert(&mut tx, id, Purpose::Publish, offers, leads, now).await?,
    }
    finish(tx, id).await
}

/// Makes the version before live again, or cancels the publishing of a version.
///
/// A repeated call with the same `request_key` changes nothing. Without the key, a repeated call would make
/// the version live again that was just left.
pub async fn roll_back(
    publishing: &Publishing,
    id: ModelId,
    offers: bool,
    request_key: Option<&str>,
) -> Result<Run, PublishError> {
    let mut tx = models::begin_change(&publishing.db).await?;
    let now = publishing.clock.now();
    if let Some(request_key) = request_key
        && let Some(live) = store::rolled_back_by(&mut tx, request_key).await?
    {
        return finish(tx, live).await;
    }
    let (state, _) = version(&mut tx, id).await?;
    if store::preparing(&mut tx).await? == Some(id) {
        store::drop(&mut tx, id, now).await?;
        return finish(tx, id).await;
    }
    let kept = store::kept(&mut tx).await?.ok_or(PublishError::NotKept)?;
    if state != VersionState::Published && kept != id {
        return Err(PublishError::NotKept);
    }
    store::switch(&mut tx, kept, Switch::Rollback, offers, now).await?;
    store::note_rollback(&mut tx, kept, request_key).await?;
    finish(tx, kept).await
}

/// Begins a shadow: leads are scored by the version, but it decides nothing.
pub async fn begin_shadow(publishing: &Publishing, id: ModelId) -> Result<Run, PublishError> {
    let leads = store::count_leads(&mut *publishing.db.acquire().await?).await?;
    let mut tx = models::begin_change(&publishing.db).await?;
    let (state, _) = version(&mut tx, id).await?;
    if state == VersionState::Published {
        return Err(PublishError::Live);
    }
    match store::find(&mut tx, id).await? {
        Some(run) if run.dropped_at.is_some() => return Err(PublishError::Removing),
        Some(run) if run.purpose == Purpose::Shadow => {}
        Some(run) if run.rebuilt_at.is_none() => return Err(PublishError::Busy(id)),
        Some(_) => store::purpose_to_shadow(&mut tx, id).await?,
        None => store::insert(&mut tx, id, Purpose::Shadow, false, leads, publishing.clock.now()).await?,
    }
    finish(tx, id).await
}

/// Ends a shadow. The states under the version are removed in the background.
pub async fn end_shadow(publishing: &Publishing, id: ModelId) -> Result<(), PublishError> {
    let mut tx = models::begin_change(&publishing.db).await?;
    version(&mut tx, id).await?;
    let run = store::find(&mut tx, id).await?;
    if run.is_none_or(|run| run.purpose != Purpose::Shadow || run.dropped_at.is_some()) {
        return Err(PublishError::NotInShadow);
    }
    store::drop(&mut tx, id, publishing.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// Reads how far a version has come. `None` if leads are not scored by it.
pub async fn run(publishing: &Publishing, id: ModelId) -> sqlx::Result<Option<Run>> {
    store::find(&mut *publishing.db.acquire().await?, id).await
}

/// Reads and locks a version. Fails with [`PublishError::NotFound`] if there is none.
async fn version(conn: &mut PgConnection, id: ModelId) -> Result<(VersionState, Value), PublishError> {
    models::lock(conn, id).await?.ok_or(PublishError::NotFound)
}

/// Commits, and returns how far the version has come.
async fn finish(mut tx: sqlx::Transaction<'_, sqlx::Postgres>, id: ModelId) -> Result<Run, PublishError> {
    let run = store::find(&mut tx, id).await?.ok_or(PublishError::NotFound)?;
    tx.commit().await?;
    Ok(run)
}
