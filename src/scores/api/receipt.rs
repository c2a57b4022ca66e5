//! `GET /v1/leads/{id}/score`: the receipt.

use axum::extract::State;
use scoring::{Evaluation, Instant, Receipt, Score};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use utoipa::{IntoParams, ToSchema};

use super::{Case, open};
use crate::{
    http::{
        extract::{Json, Path, Query},
        problem::Problem,
    },
    keys::auth::Reader,
    models::Models,
    platform::{
        clock::to_instant,
        ids::{LeadId, ModelId},
    },
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct GetReceipt {
    /// The instant of the score, in the past or in the future (RFC 3339); now if absent.
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    as_of: Option<Instant>,
    /// The version of a model by which the score is computed; the live version if absent.
    model: Option<ModelId>,
}

/// A lead's score with its receipt.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReceiptView {
    /// The lead.
    lead_id: LeadId,
    /// The version of the model by which the score was computed.
    model_version: ModelId,
    /// The score and its parts.
    #[serde(flatten)]
    score: Score,
    /// The receipt: a line for every rule with its events, and for every adjustment, bound, weight or
    /// rounding that changed the points.
    receipt: Receipt,
}

/// Returns a lead's score with its receipt: which events and attributes give which points.
///
/// The score is computed from the log, for any instant and any version of a model. The lines of the receipt
/// add up to the score exactly.
#[utoipa::path(get, path = "/v1/leads/{id}/score", tag = "Leads", params(("id" = LeadId, Path), GetReceipt),
    responses((status = 200, body = ReceiptView)))]
pub(super) async fn get_receipt(
    State(models): State<Models>,
    _reader: Reader,
    Path(id): Path<LeadId>,
    Query(query): Query<GetReceipt>,
) -> Result<Json<ReceiptView>, Problem> {
    let case = open(&models, id, query.model).await?;
    let as_of = query.as_of.unwrap_or_else(|| to_instant(models.clock.now()));
    let receipt = move |case: Case| {
        let evaluation = scoring::evaluate(&case.model.model, &Map::new(), &case.events, as_of);
        ReceiptView::of(&case, evaluation)
    };
    Ok(Json(case.score(receipt).await?))
}

impl ReceiptView {
    pub(super) fn of(case: &Case, evaluation: Evaluation) -> ReceiptView {
        let Evaluation { score, receipt } = evaluation;
        ReceiptView { lead_id: case.lead_id, model_version: case.model.id, score, receipt }
    }
}
