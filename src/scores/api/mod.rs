//! `/v1/leads/{id}/score`: the receipt, the what-if and the series.

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

/// The most events for which a score is computed on the request's own thread. This takes less than a
/// millisecond.
const FEW: usize = 100;

/// The input of a computation: a lead's log and a version of a model.
struct Case {
    lead_id: LeadId,
    model: Arc<Version>,
    /// Whether `model` is the live version.
    live: bool,
    /// The events that count for the lead, oldest first.
    events: Vec<Event>,
}

impl Case {
    /// Runs a computation, on another thread if the lead has more than [`FEW`] events.
    async fn score<T: Send + 'static>(
        self,
        work: impl FnOnce(Case) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        if self.events.len() <= FEW { Ok(work(self)) } else { aside(move || work(self)).await }
    }
}

/// Reads a lead's log and the given version of a model, or the live version if `version` is `None`.
///
/// # Errors
/// 404 if the lead or the version does not exist.
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
