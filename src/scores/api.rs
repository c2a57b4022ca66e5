//! `GET /v1/leads/{id}/score`: the receipt.

use axum::extract::State;
use chrono::{DateTime, Utc};
use scoring::{Receipt, Score};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::log;
use crate::{
    app::App,
    clock::to_instant,
    http::{
        auth::Reader,
        extract::{Json, Path, Query},
        problem::Problem,
    },
    ids::{LeadId, ModelId},
    leads, models,
};

/// The calls of this room.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_receipt))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct GetReceipt {
    /// Any instant, past or to come (RFC 3339); now if absent.
    as_of: Option<DateTime<Utc>>,
    /// Any version of a model; the live one if absent.
    model: Option<ModelId>,
}

/// A score with the lines that add up to it.
#[derive(Debug, Serialize, ToSchema)]
struct ReceiptView {
    /// Whose.
    lead_id: LeadId,
    /// By which version of a model.
    model_version: ModelId,
    /// The score and its pieces.
    #[serde(flatten)]
    score: Score,
    /// The lines: every rule with its occurrences, and whatever each bound and weight took or gave.
    receipt: Receipt,
}

/// The receipt: from which events and attributes a lead's score comes, line by line.
///
/// It is computed from the log, for any instant and any version of a model; its lines add up to the score exactly.
#[utoipa::path(get, path = "/v1/leads/{id}/score", tag = "Leads", params(("id" = LeadId, Path), GetReceipt),
    responses((status = 200, body = ReceiptView)))]
async fn get_receipt(
    State(app): State<App>,
    _reader: Reader,
    Path(id): Path<LeadId>,
    Query(query): Query<GetReceipt>,
) -> Result<Json<ReceiptView>, Problem> {
    let mut conn = app.db.acquire().await?;
    let live = app.live.current(&mut conn).await?;
    let lead = leads::view::find(&mut conn, live.id, id).await?.ok_or_else(|| Problem::not_found("lead"))?;
    let model = match query.model {
        Some(version) if version != live.id => {
            models::load(&mut conn, version).await?.ok_or_else(|| Problem::not_found("version of a model"))?
        }
        _ => live,
    };
    let history = log::read(&mut conn, &[lead.id]).await?.remove(&lead.id).unwrap_or_default();
    let as_of = query.as_of.unwrap_or_else(|| app.clock.now());
    let evaluation =
        scoring::evaluate(&model.model, &serde_json::Map::new(), &history.events, to_instant(as_of));
    Ok(Json(ReceiptView {
        lead_id: lead.id,
        model_version: model.id,
        score: evaluation.score,
        receipt: evaluation.receipt,
    }))
}
