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

/// How a version is to go live.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct GoLive {
    /// Whether sales is offered the leads that become MQL by nothing but the new model. Without it they wait, out of the
    /// queues, until the person does something again.
    offer_to_sales: bool,
}

/// How far a version is on its way.
#[derive(Debug, Serialize, ToSchema)]
struct Progress {
    model_id: ModelId,
    phase: Phase,
    /// How many leads there are to be seen to in this phase.
    leads_total: i64,
    /// How many of them have been.
    leads_done: i64,
    /// How much of the log has been read for the next ones, 0 to 1: many leads' states come from one reading.
    log_read: f32,
    /// How many leads a second, by the instance that is at work on it, since it took the work up.
    leads_per_second: Option<f64>,
    /// At that rate; while the log is being read, until that is done.
    seconds_left: Option<i64>,
    started_at: DateTime<Utc>,
    /// Since when it has been live.
    live_since: Option<DateTime<Utc>>,
    /// Until when a rollback to it is possible.
    kept_until: Option<DateTime<Utc>>,
    /// Whether sales is offered the leads that become MQL by nothing but this version.
    offer_to_sales: bool,
}

/// What is being done with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Phase {
    /// Leads get a state under it, from the log; then it goes live, or is complete as a shadow.
    Rebuilding,
    /// It is live; leads' stages are looked at again.
    Settling,
    /// It is live.
    Live,
    /// Leads are scored by it, and it decides nothing.
    Shadow,
    /// It was live last; leads are still scored by it, so that a rollback is one step.
    Kept,
    /// Leads are no longer scored by it, and their states are being removed.
    Removing,
}

/// Publishes a version: leads are scored by it from the log in the background, then it goes live in one step.
///
/// The version that is live serves until then; events that arrive meanwhile count in both. Its own tests must pass. A
/// version under which leads are scored already goes live at once.
#[utoipa::path(post, path = "/v1/models/{id}/publish", tag = "Models", params(("id" = ModelId, Path)),
    security(("key" = ["admin"])), request_body = Option<GoLive>, responses((status = 202, body = Progress)))]
async fn publish_model(
    State(publishing): State<Publishing>,
    _admin: Admin,
    Path(id): Path<ModelId>,
    Optional(options): Optional<GoLive>,
) -> Result<(StatusCode, Json<Progress>), Problem> {
    let run = super::publish(&publishing, id, options.offer_to_sales).await?;
    Ok((StatusCode::ACCEPTED, Json(Progress::of(&run, publishing.clock.now()))))
}

/// Goes back, in one step.
///
/// Named by the live version or by the one before it: the one before is live again. Named by a version that is being
/// published: that is given up. The answer is the progress of the version that is named or, after a step back, live. A second
/// step goes forth again; with an `Idempotency-Key`, the same call again only answers.
#[utoipa::path(post, path = "/v1/models/{id}/rollback", tag = "Models",
    params(("id" = ModelId, Path), ("Idempotency-Key" = Option<String>, Header, description = "Of the step")),
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

/// How far a version is: leads done, rate, time left.
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

/// Runs a version in shadow: leads are scored by it on the same traffic, and it decides nothing.
#[utoipa::path(put, path = "/v1/models/{id}/shadow", tag = "Models", params(("id" = ModelId, Path)),
    security(("key" = ["admin"])), responses((status = 202, body = Progress)))]
async fn begin_shadow(
    State(publishing): State<Publishing>,
    _admin: Admin,
    Path(id): Path<ModelId>,
) -> Result<(StatusCode, Json<Progress>), Problem> {
    let run = super::begin_shadow(&publishing, id).await?;
    Ok((StatusCode::ACCEPTED, Json(Progress::of(&run, publishing.clock.now()))))
}

/// Ends a version's shadow.
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

/// The body may be left out.
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
                    "Version {other} is being published; wait until it is live (GET /v1/models/{other}/progress), or \
                     give it up with POST /v1/models/{other}/rollback."
                ),
            ),
            PublishError::Removing => conflict(
                "The states that leads had under this version are still being removed; try again in a moment.",
            ),
            PublishError::NotKept => conflict(
                "There is nothing to go back to: no version is being published, and none is kept from before. Any version \
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
