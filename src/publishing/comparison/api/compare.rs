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
    /// The first version. If absent, the live version.
    a: Option<ModelId>,
    /// The second version.
    b: ModelId,
    /// How many leads to compare, 1 to 100000, drawn at random. If absent, all leads, but at most 100000. If
    /// the logs must be replayed, at most 20000 leads are compared in any case.
    sample: Option<u32>,
    /// The seed of the sample. The same seed takes the same leads. 0 if absent.
    #[serde(default)]
    seed: i64,
}

/// Compares two versions: how they distribute the leads, where they agree, and which placed the won leads
/// higher.
///
/// If leads have stored scores under both versions, because one is live and the other runs in shadow, these
/// scores are read. Otherwise leads, or a sample of them, are replayed from the log.
#[utoipa::path(get, path = "/v1/models/compare", tag = "Models", params(CompareModels),
    responses((status = 200, body = Comparison)))]
pub(super) async fn compare_models(
    State(publishing): State<Publishing>,
    _reader: Reader,
    Query(query): Query<CompareModels>,
) -> Result<Json<Comparison>, Problem> {
    if query.sample.is_some_and(|most| !(1..=MOST_STORED).contains(&most)) {
        return Err(Problem::parameter(format!("sample must be a number from 1 to {MOST_STORED}")));
    }
    let draw = Draw { most: query.sample, seed: query.seed };
    Ok(Json(compare(&publishing, query.a, query.b, draw).await?))
}
