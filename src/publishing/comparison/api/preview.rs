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

/// The options of a preview.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskPreview {
    /// How many MQLs sales can take on in a day, 0 or more. The answer says whether the expected number
    /// exceeds this.
    #[schema(minimum = 0)]
    capacity_per_day: Option<f64>,
    /// How many leads to score, 1 to 20000, drawn at random. If absent, all leads, but at most 20000.
    #[schema(minimum = 1, maximum = 20_000)]
    sample: Option<u32>,
    /// The seed of the sample. The same seed takes the same leads. 0 if absent.
    #[serde(default)]
    seed: i64,
}

/// Previews what publishing a version would change: bands, MQLs, the order of leads, and which scores change
/// most and why. Writes nothing.
///
/// Leads are scored under the live version and under this one, as of now and from the same log. The version
/// may be a draft. The call may take some seconds.
#[utoipa::path(post, path = "/v1/models/{id}/preview", tag = "Models", params(("id" = ModelId, Path)),
    request_body = AskPreview, responses((status = 200, body = Preview)))]
pub(super) async fn preview_model(
    State(publishing): State<Publishing>,
    _reader: Reader,
    Path(id): Path<ModelId>,
    Json(body): Json<AskPreview>,
) -> Result<Json<Preview>, Problem> {
    if body.capacity_per_day.is_some_and(|capacity| capacity < 0.0) {
        return Err(refuse("/capacity_per_day", "write 0 or more"));
    }
    if body.sample.is_some_and(|most| !(1..=MOST_REPLAYED).contains(&most)) {
        return Err(refuse("/sample", &format!("write a number from 1 to {MOST_REPLAYED}")));
    }
    let draw = Draw { most: body.sample, seed: body.seed };
    let previewed = preview(&publishing, id, draw).await?;
    Ok(Json(Preview::of(previewed, body.capacity_per_day)))
}
