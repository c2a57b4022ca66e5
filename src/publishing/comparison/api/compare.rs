//! `GET /v1/models/compare`: two versions side by side.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::{Draw, MOST_STORED, compare, sides::Comparison};
use crate::{
    http::{
        extract::{Json, Query},
        problem::Problem,
    },
    keys::auth::Reader,
    platform::ids::ModelId,
    publishing::Publishing,
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct CompareModels {
    /// The one version; the live one if absent.
    a: Option<ModelId>,
    /// The other.
    b: ModelId,
    /// How many leads to look at, 1 to 100000, taken at random. All if absent; but of more than 100000, or of more than
    /// 20000 where scores are not stored and must be replayed, that many.
    sample: Option<u32>,
    /// What the sample is drawn by: the same seed takes the same leads. 0 if absent.
    #[serde(default)]
    seed: i64,
}

/// Two versions side by side: how they spread the leads, where they agree, and which of them had the winners above.
///
/// Where leads are scored under both (one is live, the other runs in shadow), their scores are read as stored. Where not,
/// a sample of the leads is replayed from the log.
#[utoipa::path(get, path = "/v1/models/compare", tag = "Models", params(CompareModels),
    responses((status = 200, body = Comparison)))]
pub(super) async fn compare_models(
    State(publishing): State<Publishing>,
    _reader: Reader,
    Query(query): Query<CompareModels>,
) -> Result<Json<Comparison>, Problem> {
    if query.sample.is_some_and(|most| !(1..=MOST_STORED).contains(&most)) {
        return Err(Problem::parameter(format!("sample is a number from 1 to {MOST_STORED}")));
    }
    let draw = Draw { most: query.sample, seed: query.seed };
    Ok(Json(compare(&publishing, query.a, query.b, draw).await?))
}
