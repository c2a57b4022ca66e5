//! Scoring models: documents in versions, of which one is live.
//!
//! A version is `draft`, then `published`, then `retired`. Exactly one version is `published`: the live model. A
//! published version never changes. The first start publishes the default model. [`crate::publishing`] makes versions
//! live. This module keeps which versions leads are scored under, and the one lock under which that changes.

pub mod api;
pub mod document;
mod drafts;
mod store;

use std::{
    collections::BTreeSet,
    ops::Deref,
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use scoring::{Mistake, Model, Score, Tally};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use utoipa::ToSchema;

use crate::platform::{
    clock::to_instant,
    core::Core,
    db::damaged,
    ids::{LeadId, ModelId},
};

/// The model with which a new installation begins, as YAML.
pub const DEFAULT_DOCUMENT: &str = include_str!("../../models/b2b-saas.yaml");

/// How many types of events are noted at most. Of a log with more types, nobody can say which types it has never held.
pub const MOST_TYPES: usize = 2_000;

/// Returns the types of events that the log has ever held. `None` if there are too many to note them all.
pub async fn seen_types(conn: &mut PgConnection) -> sqlx::Result<Option<BTreeSet<String>>> {
    let types = store::seen_types(conn).await?;
    Ok((types.len() < MOST_TYPES).then(|| types.into_iter().collect()))
}

/// The core, and the models under which leads are scored. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Models {
    /// What every feature stands on.
    pub core: Core,
    /// The models under which leads are scored.
    pub live: Live,
}

impl Deref for Models {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

/// A model under which leads are scored.
#[derive(Debug)]
pub struct Version {
    /// The version's id.
    pub id: ModelId,
    /// The rules, ready to be applied.
    pub model: Model,
}

/// Converts a published score, in points, to the type in which it is stored and shown.
pub fn published(score: i64) -> i32 {
    i32::try_from(score).expect("a model's bounds lie within a million points")
}

impl Version {
    /// Decodes a lead's stored tally. `None` if it cannot be read: this is logged, and the next change of the lead
    /// replays it.
    pub fn tally(&self, lead: LeadId, stored: &[u8]) -> Option<Tally> {
        Tally::decode(&self.model, stored)
            .inspect_err(|why| {
                let (lead, model) = (lead.0, self.id.0);
                tracing::warn!(%lead, %model, column = "score.tally", %why, "a lead's stored tally cannot be read; the next change of the lead replays it");
            })
            .ok()
    }

    /// Computes the score of a lead's stored tally at an instant. `None` if the tally cannot be read.
    pub fn evaluate(&self, lead: LeadId, tally: &[u8], as_of: DateTime<Utc>) -> Option<Score> {
        Some(self.tally(lead, tally)?.evaluate(&self.model, to_instant(as_of)))
    }
}

impl Version {
    /// Returns the rules that give a lead the most points at an instant, at most `most`, the largest first: `pricing
    /// page +22.5`. Empty if the stored tally cannot be read.
    pub fn reasons(&self, lead: LeadId, tally: &[u8], as_of: DateTime<Utc>, most: usize) -> Vec<String> {
        let Some(tally) = self.tally(lead, tally) else { return Vec::new() };
        let mut given = tally.contributions(&self.model, to_instant(as_of));
        given.retain(|one| one.points > scoring::Milli::ZERO);
        given.sort_by_key(|one| std::cmp::Reverse(one.points));
        given.iter().take(most).map(|one| format!("{} +{}", one.rule, one.points)).collect()
    }
}

/// The versions under which leads are scored, as one transaction sees them.
#[derive(Debug, Clone)]
pub struct Scored {
    /// The live version, which decides.
    pub live: Arc<Version>,
    /// How far the leads' stages have been decided again since the live version went live. `None` if all have been.
    pub settling: Option<Settling>,
    /// Since when the live version has been live.
    pub live_since: DateTime<Utc>,
    /// How many versions had been published when this one went live. A rollback is not a publishing.
    pub era: i32,
    /// The version that a rollback makes live, if there is one.
    pub kept: Option<ModelId>,
    /// The other versions under which leads are scored: being prepared, in shadow, or kept for a rollback.
    pub others: Vec<Other>,
}

impl Scored {
    /// Returns the ids of all versions, the live one first.
    pub fn ids(&self) -> Vec<ModelId> {
        std::iter::once(self.live.id).chain(self.others.iter().map(|other| other.version.id)).collect()
    }
}

/// The state of the work after a version went live. The service decides the stages of all leads again, in the order of
/// their ids.
#[derive(Debug, Clone, Copy)]
pub struct Settling {
    /// The last lead whose stage was decided again.
    pub to: Option<LeadId>,
    /// Whether the MQLs that this makes are offered to sales.
    pub offers: bool,
}

/// A version under which leads are scored although it is not live.
#[derive(Debug, Clone)]
pub struct Other {
    /// The version with its rules.
    pub version: Arc<Version>,
    /// Which of the leads that existed before have a state under the version. Leads that were created since always have
    /// one.
    pub covers: Covers,
}

/// Which of the leads that existed before have a state under a version that is being prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covers {
    /// All leads.
    All,
    /// The leads up to this id. `None`: no lead yet.
    UpTo(Option<LeadId>),
}

impl Covers {
    /// Whether a lead has a state.
    pub fn includes(self, lead: LeadId) -> bool {
        match self {
            Covers::All => true,
            Covers::UpTo(last) => last.is_some_and(|last| lead <= last),
        }
    }
}

impl Settling {
    /// Whether the stage of a lead must still be decided again.
    pub fn awaits(&self, lead: LeadId) -> bool {
        self.to.is_none_or(|last| last < lead)
    }
}

/// Remembers the rules of the versions in use. Each transaction asks the database which versions those are.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<RwLock<Vec<Arc<Version>>>>);

impl Live {
    /// Returns the live version, as this transaction sees it.
    ///
    /// # Errors
    /// If a statement fails, or the stored model cannot be read.
    pub async fn current(&self, conn: &mut PgConnection) -> sqlx::Result<Arc<Version>> {
        let id = store::live(conn).await?;
        self.version(conn, id).await
    }

    /// Returns all versions under which leads are scored.
    ///
    /// The transaction must come from [`begin`], and must hold the locks of its leads. A lead that has no state under a
    /// version now gets none before its lock is released.
    ///
    /// # Errors
    /// If a statement fails, or a stored model cannot be read.
    pub async fn scored(&self, conn: &mut PgConnection) -> sqlx::Result<Scored> {
        let rows = store::scored(conn).await?;
        let (mut live, mut others) = (None, Vec::with_capacity(rows.len()));
        for row in &rows {
            let version = self.version(conn, row.model_id).await?;
            match row.live_since {
                Some(since) => live = Some((version, row.settling(), since, row.era)),
                None => others.push(Other { version, covers: row.covers() }),
            }
        }
        self.forget_others(&rows.iter().map(|row| row.model_id).collect::<Vec<_>>());
        let (live, settling, live_since, era) =
            live.ok_or_else(|| damaged("no version in scored_model is live"))?;
        let kept = rows.iter().find(|row| row.is_kept()).map(|row| row.model_id);
        Ok(Scored { live, settling, live_since, era, kept, others })
    }

    async fn version(&self, conn: &mut PgConnection, id: ModelId) -> sqlx::Result<Arc<Version>> {
        if let Some(known) = self.remembered(id) {
            return Ok(known);
        }
        let missing = || damaged(format!("version {id} is scored and has no document"));
        let version = load(conn, id).await?.ok_or_else(missing)?;
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&version));
        Ok(version)
    }

    fn remembered(&self, id: ModelId) -> Option<Arc<Version>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|version| version.id == id).cloned()
    }

    fn forget_others(&self, in_use: &[ModelId]) {
        if self.0.read().unwrap_or_else(PoisonError::into_inner).len() > in_use.len() {
            self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|one| in_use.contains(&one.id));
        }
    }
}

/// Begins a transaction that changes scores. While it runs, the set of versions under which leads are scored does not
/// change. A change of the set waits for all such transactions, and later ones wait for the change.
pub async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    pool.begin_with(store::BEGIN).await
}

/// Begins a transaction that changes the set of versions under which leads are scored. It waits for all transactions
/// that change scores, and makes later ones wait until it ends. Keep it short.
pub async fn begin_change(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    pool.begin_with(store::BEGIN_CHANGE).await
}

/// The state of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum VersionState {
    /// A draft, which may still change.
    Draft,
    /// The live version.
    Published,
    /// It was live before.
    Retired,
}

/// Reads a version's state and document, and locks the version until the transaction ends. `None` if there is no such
/// version.
pub async fn lock(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<Option<(VersionState, Value)>> {
    let found = store::find_for_update(conn, id).await?;
    Ok(found.map(|version| (version.state, version.document)))
}

/// Reads a version with its rules. `None` if there is no such version.
pub async fn load(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<Option<Arc<Version>>> {
    let Some(document) = store::document(conn, id).await? else { return Ok(None) };
    let said = |mistakes: Vec<Mistake>| {
        let said = mistakes.iter().map(|mistake| format!("{}: {}", mistake.pointer, mistake.message));
        said.collect::<Vec<_>>().join("; ")
    };
    let model = Model::parse_stored(&document).map_err(|mistakes| {
        sqlx::Error::Decode(anyhow!("model {id} cannot be read: {}", said(mistakes)).into())
    })?;
    if let Err(mistakes) = Model::parse(&document) {
        let refused = said(mistakes);
        tracing::warn!(model = %id, "this version has mistakes that a new version must not have; leads are scored by it all the same: {refused}");
    }
    Ok(Some(Arc::new(Version { id, model })))
}

/// Adds a draft.
///
/// # Errors
/// If the document has mistakes, or a statement fails.
pub async fn add_draft(models: &Models, document: &Value) -> anyhow::Result<ModelId> {
    let model = Model::parse(document).map_err(|mistakes| anyhow!("{mistakes:?}"))?;
    Ok(drafts::create(models, model.name(), document, None).await?.0.id)
}

/// Publishes the default model if no model is live yet.
pub async fn ensure_default(models: &Models) -> anyhow::Result<()> {
    let document: Value = document::from_yaml(DEFAULT_DOCUMENT).context("the default model")?;
    let model = Model::parse(&document).map_err(|mistakes| anyhow!("the default model: {mistakes:?}"))?;
    let id = ModelId(models.ids.next());
    let mut tx = models.db.begin().await?;
    if store::insert_first(&mut tx, id, model.name(), &document, models.clock.now()).await? {
        store::insert_first_scored(&mut tx, id, models.clock.now()).await?;
    }
    tx.commit().await?;
    Ok(())
}
