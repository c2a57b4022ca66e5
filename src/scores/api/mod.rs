//! `/v1/leads/{id}/score`: the receipt, what it would be if, and how it goes on.

mod receipt;
mod series;
mod what_if;

use std::sync::Arc;

use axum::extract::FromRef;
use scoring::Event;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::log;
use crate::{
    http::{aside::aside, problem::Problem},
    keys::auth::RouterState,
    leads,
    models::{self, Models, Version},
    platform::ids::{LeadId, ModelId},
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Models: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(receipt::get_receipt))
        .routes(routes!(what_if::ask_what_if))
        .routes(routes!(series::get_series))
}

/// Up to how many events a score is computed on the spot: that takes less than a millisecond.
const FEW: usize = 100;

/// What a score is computed from: a lead's log, and the rules.
struct Case {
    lead_id: LeadId,
    model: Arc<Version>,
    /// Whether leads are kept by this version.
    live: bool,
    /// Oldest first.
    events: Vec<Event>,
}

impl Case {
    /// Computes a score, aside if there is much to compute it from.
    async fn score<T: Send + 'static>(
        self,
        work: impl FnOnce(Case) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        if self.events.len() <= FEW { Ok(work(self)) } else { aside(move || work(self)).await }
    }
}

/// Reads a lead's log, and the version of a model that is asked for; the live one if none is.
async fn open(models: &Models, id: LeadId, version: Option<ModelId>) -> Result<Case, Problem> {
    let mut conn = models.db.acquire().await?;
    let live = models.live.current(&mut conn).await?;
    let lead = leads::view::find(&mut conn, live.id, id).await?.ok_or_else(|| Problem::not_found("lead"))?;
    let live_id = live.id;
    let model = match version {
        Some(version) if version != live_id => {
            models::load(&mut conn, version).await?.ok_or_else(|| Problem::not_found("version of a model"))?
        }
        _ => live,
    };
    let history = log::read_one(&mut conn, lead.id).await?;
    Ok(Case { lead_id: lead.id, live: model.id == live_id, model, events: history.events })
}
