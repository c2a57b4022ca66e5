//! `POST /v1/models/{id}/preview`: what publishing a version would change.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    super::{Draw, MOST_REPLAYED, preview},
    changes::Preview,
    refuse,
};
use crate::{
    http::{
        extract::{Json, Path},
        problem::Problem,
    },
    keys::auth::Reader,
    platform::ids::ModelId,
    publishing::Publishing,
};

/// What the preview is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskPreview {
    /// How many MQLs sales can take on in a day.
    #[schema(minimum = 0)]
    capacity_per_day: Option<f64>,
    /// How many leads to look at, 1 to 20000, taken at random. All if absent; of more than 20000, that many.
    #[schema(minimum = 1, maximum = 20_000)]
    sample: Option<u32>,
    /// What the sample is drawn by: the same seed takes the same leads.
    #[serde(default)]
    seed: i64,
}

/// What publishing this version would change: bands, MQLs, the order, and who moves most and why. Writes nothing.
///
/// Leads are scored by the live version and by this one, both for now and from the same log. Any version may be asked
/// for, a draft too. It may take some seconds.
#[utoipa::path(post, path = "/v1/models/{id}/preview", tag = "Models", params(("id" = ModelId, Path)),
    request_body = AskPreview, responses((status = 200, body = Preview)))]
pub(super) async fn preview_model(
    State(publishing): State<Publishing>,
    _reader: Reader,
    Path(id): Path<ModelId>,
    Json(body): Json<AskPreview>,
) -> Result<Json<Preview>, Problem> {
    if body.capacity_per_day.is_some_and(|capacity| capacity < 0.0) {
        return Err(refuse("/capacity_per_day", "nobody takes on fewer than none"));
    }
    if body.sample.is_some_and(|most| !(1..=MOST_REPLAYED).contains(&most)) {
        return Err(refuse("/sample", &format!("ask for 1 to {MOST_REPLAYED} leads")));
    }
    let draw = Draw { most: body.sample, seed: body.seed };
    let previewed = preview(&publishing, id, draw).await?;
    Ok(Json(Preview::of(previewed, body.capacity_per_day)))
}
