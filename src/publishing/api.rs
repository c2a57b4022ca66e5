//! `/v1/models/{id}/publish` and what belongs to it.

use std::time::Duration;

use axum::{
    extract::FromRef,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use chrono::{DateTime, Utc};
use scoring::{Mistake, check};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{PublishError, Purpose, Run};
use crate::{
    http::{
        extract::{Json, Optional, Path},
        problem::{Code, Problem},
        said::idempotency_key,
    },
    keys::auth::{Admin, Reader, RouterState},
    models,
    platform::ids::ModelId,
    publishing::Publishing,
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Publishing: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(publish_model))
        .routes(routes!(roll_back_model))
        .routes(routes!(get_progress))
        .routes(routes!(begin_shadow, end_shadow))
}

/// Options for making a version live.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct GoLive {
    /// Whether sales is offered the leads that become MQLs only because of the new model. If false, these
    /// leads are in no queue until the person does something again.
    offer_to_sales: bool,
}

/// How far a version has come: on its way to being live, in shadow, or being removed.
#[derive(Debug, Serialize, ToSchema)]
struct Progress {
    /// The version of the model.
    model_id: ModelId,
    /// What is being done with the version.
    phase: Phase,
    /// How many leads this phase has to handle.
    leads_total: i64,
    /// How many of these leads are done.
    leads_done: i64,
    /// How much of the log has been read for the next leads, from 0 to 1. One reading of the log gives the
    /// states of many leads.
    log_read: f32,
    /// How many leads a second the working instance has handled since it took up the work. Null if no work is
    /// under way.
    leads_per_second: Option<f64>,
    /// How many seconds this phase still takes at that rate. While the log is being read, how many seconds
    /// the reading still takes. Null if that cannot be estimated.
    seconds_left: Option<i64>,
    /// When publishing or the shadow began.
    started_at: DateTime<Utc>,
    /// Since when the version has been live. Null if it is not live.
    live_since: Option<DateTime<Utc>>,
    /// Until when a rollback to this version is possible. Null if the version is not kept for a rollback.
    kept_until: Option<DateTime<Utc>>,
    /// Whether sales is offered the leads that become MQLs only because of this version.
    offer_to_sales: bool,
}

/// What is being done with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Phase {
    /// Leads get states under the version, from the log. Then the version goes live, or its shadow is
    /// complete.
    Rebuilding,
    /// The version is live, and the leads' stages are being decided again.
    Settling,
    /// The version is live, and all stages are decided.
    Live,
    /// The version runs in shadow: leads are scored by it, but it decides nothing.
    Shadow,
    /// The version was live before the current one. Leads are still scored by it, so that a rollback is one
    /// step.
    Kept,
    /// Leads are no longer scored by the version, and its states are being removed.
    Removing,
}

/// Publishes a version: gives every lead a state under it in the background, then makes it live in one step.
///
/// Until then the live version serves. Events that arrive in the meantime count under both versions. The
/// version's own tests must pass. If leads already have states under the version, it goes live at once.
#[utoipa::path(post, path = "/v1/models/{id}/publish", tag = "Models", params(("id" = ModelId, Path)),
    security(("key" = ["admin"])), request_body = Option<GoLive>,
    responses((status = 202, body = Progress, description = "Publishing has begun, or the version is live")))]
async fn publish_model(
    State(publishing): State<Publishing>,
    _admin: Admin,
    Path(id): Path<ModelId>,
    Optional(options): Optional<GoLive>,
) -> Result<(StatusCode, Json<Progress>), Problem> {
    let run = super::publish(&publishing, id, options.offer_to_sales).await?;
    Ok((StatusCode::ACCEPTED, Json(Progress::of(&run, publishing.clock.now()))))
}

/// Goes back to the version before, or cancels a publishing, in one step.
///
/// If `id` is the live version or the version before it, the version before becomes live again. A second
/// rollback makes the later version live again. If `id` is a version that is being published, the publishing
/// is cancelled.
///
/// The answer is the progress of the version that is live again, or of the cancelled version. A repeated call
/// with the same `Idempotency-Key` changes nothing and only answers.
#[utoipa::path(post, path = "/v1/models/{id}/rollback", tag = "Models",
    params(("id" = ModelId, Path), ("Idempotency-Key" = Option<String>, Header, description = "A key for this call. The same call with the same key is done once.")),
    security(("key" = ["admin"])), request_body = Option<GoLive>, responses((status = 200, body = Progress)))]
async fn roll_back_model(
    State(publishing): State<Publishing>,
    _admin: Admin,
    Path(id): Path<ModelId>,
    headers: HeaderMap,
    Optional(options): Optional<GoLive>,
) -> Result<Json<Progress>, Problem> {
    let request_key = idempotency_key(&headers)?;
    let run = super::roll_back(&publishing, id, options.offer_to_sales, request_key.as_deref()).await?;
    Ok(Json(Progress::of(&run, publishing.clock.now())))
}

/// Reads how far a version has come: leads done, rate, time left. Fails with 404 if leads are not scored by
/// the version.
#[utoipa::path(get, path = "/v1/models/{id}/progress", tag = "Models", params(("id" = ModelId, Path)),
    responses((status = 200, body = Progress)))]
async fn get_progress(
    State(publishing): State<Publishing>,
    _reader: Reader,
    Path(id): Path<ModelId>,
) -> Result<Json<Progress>, Problem> {
    let run = super::run(&publishing, id).await?.ok_or_else(|| {
        Problem::new(
            Code::NotFound,
            "Leads are not scored by this version, or there is no such version. Publish it, or run it in shadow.",
        )
    })?;
    Ok(Json(Progress::of(&run, publishing.clock.now())))
}

/// Starts a shadow: leads are scored by the version too, but it decides nothing.
#[utoipa::path(put, path = "/v1/models/{id}/shadow", tag = "Models", params(("id" = ModelId, Path)),
    security(("key" = ["admin"])),
    responses((status = 202, body = Progress, description = "The shadow has begun, or runs already")))]
async fn begin_shadow(
    State(publishing): State<Publishing>,
    _admin: Admin,
    Path(id): Path<ModelId>,
) -> Result<(StatusCode, Json<Progress>), Problem> {
    let run = super::begin_shadow(&publishing, id).await?;
    Ok((StatusCode::ACCEPTED, Json(Progress::of(&run, publishing.clock.now()))))
}

/// Ends a shadow. The states under the version are removed in the background.
#[utoipa::path(delete, path = "/v1/models/{id}/shadow", tag = "Models", params(("id" = ModelId, Path)),
    security(("key" = ["admin"])), responses((status = 204)))]
async fn end_shadow(
    State(publishing): State<Publishing>,
    _admin: Admin,
    Path(id): Path<ModelId>,
) -> Result<StatusCode, Problem> {
    super::end_shadow(&publishing, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Progress {
    fn of(run: &Run, now: DateTime<Utc>) -> Progress {
        let phase = Phase::of(run);
        let (done, at_work) = match phase {
            Phase::Rebuilding => (run.rebuilt, true),
            Phase::Settling => (run.settled, true),
            _ => (run.leads, false),
        };
        let total = run.leads.max(done);
        let seconds = run.runner_since.map_or(0.0, |since| (now - since).as_seconds_f64());
        let since = run.rebuilt + run.settled - run.runner_from.unwrap_or(0);
        let rate = (at_work && seconds > 0.0 && since > 0).then(|| since as f64 / seconds);
        let reading = (phase == Phase::Rebuilding && run.log_read < 1.0).then_some(f64::from(run.log_read));
        let left = match reading {
            Some(share) => (share > 0.0).then(|| seconds * (1.0 - share) / share),
            None => rate.map(|rate| (total - done) as f64 / rate),
        };
        let left = left.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Progress {
            model_id: run.model_id,
            phase,
            leads_total: total,
            leads_done: done,
            log_read: if reading.is_some() { run.log_read } else { 1.0 },
            leads_per_second: rate.map(|rate| (rate * 10.0).round() / 10.0),
            seconds_left: left.and_then(|left| i64::try_from(left.as_secs()).ok()),
            started_at: run.started_at,
            live_since: run.live_since,
            kept_until: run.kept_until.filter(|_| phase == Phase::Kept),
            offer_to_sales: run.offers,
        }
    }
}

impl Phase {
    fn of(run: &Run) -> Phase {
        if run.dropped_at.is_some() {
            Phase::Removing
        } else if run.rebuilt_at.is_none() {
            Phase::Rebuilding
        } else if run.live_since.is_some() {
            if run.settled_at.is_some() { Phase::Live } else { Phase::Settling }
        } else if run.purpose == Purpose::Shadow {
            Phase::Shadow
        } else {
            Phase::Kept
        }
    }
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Problem {
        let conflict = |message: &str| Problem::new(Code::Conflict, message);
        match error {
            PublishError::NotFound => Problem::not_found("version of a model"),
            PublishError::Live => conflict("This version is live already."),
            PublishError::Busy(other) => Problem::new(
                Code::Conflict,
                format!(
                    "Version {other} is being published. Wait until it is live (GET /v1/models/{other}/progress), or \
                     cancel it with POST /v1/models/{other}/rollback."
                ),
            ),
            PublishError::Removing => conflict(
                "The states that leads had under this version are still being removed; try again in a moment.",
            ),
            PublishError::NotKept => conflict(
                "There is nothing to go back to: no version is being published, and none is kept for a rollback. Any version \
                 can be published again with POST /v1/models/{id}/publish.",
            ),
            PublishError::NotInShadow => Problem::not_found("version in shadow"),
            PublishError::NoModel(mistakes) => models::api::refuse(&mistakes, ""),
            PublishError::TestsFail(tests) => {
                let mistake = |test: check::TestResult| {
                    Mistake::new("", "test_failed", format!("{}: {}", test.name, test.failures.join("; ")))
                };
                Problem::invalid(
                    "The version's own tests fail; mend the draft first.",
                    tests.into_iter().map(mistake).collect(),
                )
            }
            PublishError::Database(error) => error.into(),
        }
    }
}
