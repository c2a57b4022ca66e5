//! Scoring models: documents in versions, of which one is live.
//!
//! A version is `draft`, then `published` (there is one: the live model), then `retired`. A published version
//! never changes. At the first start the default model is published.

pub mod api;
pub mod document;
mod drafts;
mod store;

use std::sync::{Arc, RwLock};

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use scoring::{Model, Score, Tally};
use serde_json::Value;
use sqlx::PgConnection;

use crate::{app::App, clock::to_instant, ids::ModelId};

/// The model that a new installation begins with, as a person writes it.
pub const DEFAULT_DOCUMENT: &str = include_str!("../../models/b2b-saas.yaml");

/// A model under which leads are scored.
#[derive(Debug)]
pub struct Version {
    /// The version's id.
    pub id: ModelId,
    /// The rules, ready to be applied.
    pub model: Model,
}

impl Version {
    /// The score of a stored tally at an instant; none if the tally is not this model's.
    pub fn evaluate(&self, tally: &[u8], as_of: DateTime<Utc>) -> Option<Score> {
        let tally = Tally::decode(&self.model, tally).ok()?;
        Some(tally.evaluate(&self.model, to_instant(as_of)))
    }
}

impl Version {
    /// The rules that give a stored tally the most points at an instant, the largest first: `pricing page +22.5`.
    pub fn reasons(&self, tally: &[u8], as_of: DateTime<Utc>, most: usize) -> Vec<String> {
        let Ok(tally) = Tally::decode(&self.model, tally) else { return Vec::new() };
        let mut given = tally.contributions(&self.model, to_instant(as_of));
        given.retain(|one| one.points > scoring::Milli::ZERO);
        given.sort_by_key(|one| std::cmp::Reverse(one.points));
        given.iter().take(most).map(|one| format!("{} +{}", one.rule, one.points)).collect()
    }
}

/// Remembers the live model's rules; which version is live is asked of the database in every transaction.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<RwLock<Option<Arc<Version>>>>);

impl Live {
    /// The live model, as this transaction sees it.
    pub async fn current(&self, conn: &mut PgConnection) -> sqlx::Result<Arc<Version>> {
        let id = store::live(conn).await?;
        if let Some(known) = self.remembered().filter(|known| known.id == id) {
            return Ok(known);
        }
        let model = load(conn, id).await?.ok_or(sqlx::Error::RowNotFound)?;
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::clone(&model));
        Ok(model)
    }

    fn remembered(&self) -> Option<Arc<Version>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// A version's rules; none if there is no such version.
pub async fn load(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<Option<Arc<Version>>> {
    let Some(document) = store::document(conn, id).await? else { return Ok(None) };
    let model = Model::parse(&document).map_err(|mistakes| {
        let said = mistakes.iter().map(|mistake| format!("{}: {}", mistake.pointer, mistake.message));
        sqlx::Error::Decode(
            anyhow!("model {id} cannot be read: {}", said.collect::<Vec<_>>().join("; ")).into(),
        )
    })?;
    Ok(Some(Arc::new(Version { id, model })))
}

/// Publishes the default model where no model is live yet.
pub async fn ensure_default(app: &App) -> anyhow::Result<()> {
    let document: Value = document::from_yaml(DEFAULT_DOCUMENT).context("the default model")?;
    let model = Model::parse(&document).map_err(|mistakes| anyhow!("the default model: {mistakes:?}"))?;
    let id = ModelId(app.ids.next());
    let mut conn = app.db.acquire().await?;
    store::insert_first(&mut conn, id, model.name(), &document, app.clock.now()).await?;
    Ok(())
}
