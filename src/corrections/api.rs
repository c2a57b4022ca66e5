//! `POST /v1/leads/{id}/adjustments` and `/reset`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use scoring::{
    Adjustment, Instant,
    event::{ENGAGEMENT_RESET, SCORE_ADJUSTED},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Correction, LoggedEvent, record, recorded};
use crate::{
    app::App,
    clock::to_instant,
    http::{
        auth::Editor,
        extract::{Json, Path},
        problem::{Problem, Violation},
    },
    ids::LeadId,
    ingest::event::check_id,
    keys::Key,
    leads::{api::current, view::LeadView},
};

/// How long a reason may be, in characters.
const LONGEST_REASON: usize = 2_000;
/// How long an author's name may be, in characters.
const LONGEST_AUTHOR: usize = 200;

/// The calls of this room.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(adjust_score)).routes(routes!(reset_engagement))
}

/// Points that a person adds to a lead's score.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Adjust {
    /// How many, or taken if negative; at most three decimals, not 0.
    #[schema(value_type = f64, example = 10)]
    points: Value,
    /// Why.
    reason: String,
    /// Who says so; the key's name if absent.
    author: Option<String>,
    /// From when on they no longer count; never if absent.
    #[schema(value_type = Option<DateTime<Utc>>)]
    #[serde(default)]
    expires_at: Value,
}

/// A new beginning for what a lead has done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    /// Why.
    reason: String,
    /// Who says so; the key's name if absent.
    author: Option<String>,
}

/// The event that was recorded, and how the lead stands.
#[derive(Debug, Serialize, ToSchema)]
struct Corrected {
    #[serde(flatten)]
    event: LoggedEvent,
    /// The lead as of now.
    lead: LeadView,
}

/// Adds points to a lead's score, or takes some, until they expire.
///
/// An event with author and reason, which the receipt shows. With an `Idempotency-Key`, the same call again is the same
/// event and adds nothing; another call under the same key is a conflict.
#[utoipa::path(post, path = "/v1/leads/{id}/adjustments", tag = "Leads", request_body = Adjust,
    params(("id" = LeadId, Path), ("Idempotency-Key" = Option<String>, Header, description = "The event's id")),
    security(("key" = ["read_write"])),
    responses((status = 201, body = Corrected), (status = 200, body = Corrected, description = "Recorded before")))]
async fn adjust_score(
    State(app): State<App>,
    Editor(key): Editor,
    Path(id): Path<LeadId>,
    headers: HeaderMap,
    Json(body): Json<Adjust>,
) -> Result<Response, Problem> {
    let mut properties = Map::new();
    properties.insert("points".to_owned(), body.points);
    properties.insert("expires_at".to_owned(), body.expires_at);
    let mut errors = Vec::new();
    let adjustment = match Adjustment::parse(&properties) {
        Ok(adjustment) => {
            errors.extend(misfits(&adjustment));
            Some(adjustment)
        }
        Err(mistakes) => {
            errors.extend(mistakes.iter().map(|one| violation(&one.pointer, one.code, &one.message)));
            None
        }
    };
    let said = said(&key, &body.reason, body.author.as_deref(), &mut errors);
    let Some(adjustment) = adjustment.filter(|_| errors.is_empty()) else { return Err(refuse(errors)) };
    let correction = Correction {
        kind: SCORE_ADJUSTED,
        properties: said.into_iter().chain(canonical(&adjustment)).collect(),
        id: idempotency_key(&headers)?,
        api_key: key.id,
    };
    let ended = adjustment.expires_at.filter(|end| *end <= to_instant(app.clock.now()));
    let late = ended.map(|_| {
        let message = "write an instant that is still to come, or leave it out";
        refuse(vec![violation("/expires_at", "already_past", message)])
    });
    correct(&app, id, correction, late).await
}

/// Lets what a lead did so far no longer count.
///
/// An event with author and reason: what is older counts in no rule on events, counts and silences any more. Attributes
/// and adjustments stay. `Idempotency-Key` works as for adjustments.
#[utoipa::path(post, path = "/v1/leads/{id}/reset", tag = "Leads", request_body = Reset,
    params(("id" = LeadId, Path), ("Idempotency-Key" = Option<String>, Header, description = "The event's id")),
    security(("key" = ["read_write"])),
    responses((status = 201, body = Corrected), (status = 200, body = Corrected, description = "Recorded before")))]
async fn reset_engagement(
    State(app): State<App>,
    Editor(key): Editor,
    Path(id): Path<LeadId>,
    headers: HeaderMap,
    Json(body): Json<Reset>,
) -> Result<Response, Problem> {
    let mut errors = Vec::new();
    let properties = said(&key, &body.reason, body.author.as_deref(), &mut errors);
    if !errors.is_empty() {
        return Err(refuse(errors));
    }
    let id_of_event = idempotency_key(&headers)?;
    let correction = Correction { kind: ENGAGEMENT_RESET, properties, id: id_of_event, api_key: key.id };
    correct(&app, id, correction, None).await
}

/// Records a correction, unless it was recorded before. `late` is why a call that is new would be refused: a
/// repetition may come when its end has passed.
async fn correct(
    app: &App,
    id: LeadId,
    correction: Correction,
    late: Option<Problem>,
) -> Result<Response, Problem> {
    let lead = current(app, id).await?.id;
    let recorded = match (recorded(app, lead, &correction).await?, late) {
        (Some(before), _) => before,
        (None, Some(late)) => return Err(late),
        (None, None) => record(app, lead, correction).await?,
    };
    let status = if recorded.new { StatusCode::CREATED } else { StatusCode::OK };
    let lead = current(app, lead).await?;
    Ok((status, Json(Corrected { event: recorded.event, lead })).into_response())
}

/// Reason and author, trimmed.
fn said(key: &Key, reason: &str, author: Option<&str>, errors: &mut Vec<Violation>) -> Map<String, Value> {
    for (pointer, text, longest) in
        [("/reason", Some(reason), LONGEST_REASON), ("/author", author, LONGEST_AUTHOR)]
    {
        let plain = |c: char| !c.is_control() || c == '\n';
        let fits = |text: &str| {
            let characters = text.trim().chars();
            (1..=longest).contains(&characters.clone().count()) && characters.clone().all(plain)
        };
        if !text.is_none_or(fits) {
            let message = format!("write 1 to {longest} characters of text");
            errors.push(violation(pointer, "invalid_text", &message));
        }
    }
    let mut said = Map::new();
    said.insert("reason".to_owned(), json!(reason.trim()));
    said.insert("author".to_owned(), json!(author.unwrap_or(&key.name).trim()));
    said
}

/// What the core reads without complaint, but is no adjustment that anybody means.
fn misfits(adjustment: &Adjustment) -> Vec<Violation> {
    let mut errors = Vec::new();
    if adjustment.points == scoring::Milli::ZERO {
        errors.push(violation("/points", "zero", "write points other than 0"));
    }
    if adjustment.expires_at.is_some_and(|end| end > Instant::LAST) {
        errors.push(violation("/expires_at", "too_late", "write an instant before the year 10000"));
    }
    errors
}

/// An adjustment in the one form in which it is stored, however it was written.
fn canonical(adjustment: &Adjustment) -> Map<String, Value> {
    let Adjustment { points, expires_at } = adjustment;
    let whole = points.0 % 1000 == 0;
    let number = if whole { json!(points.0 / 1000) } else { json!(points.0 as f64 / 1000.0) };
    let mut canonical = Map::new();
    canonical.insert("points".to_owned(), number);
    if let Some(expires_at) = expires_at {
        canonical.insert("expires_at".to_owned(), json!(expires_at));
    }
    canonical
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().ok().map(str::trim).filter(|text| check_id(text).is_ok());
    let text = text.ok_or_else(|| {
        Problem::parameter("Idempotency-Key is 1 to 512 printable ASCII characters, such as a UUID")
    })?;
    Ok(Some(text.to_owned()))
}

fn violation(pointer: &str, code: &str, message: &str) -> Violation {
    Violation { pointer: pointer.to_owned(), code: code.to_owned(), message: message.to_owned() }
}

fn refuse(errors: Vec<Violation>) -> Problem {
    let summary = errors.iter().map(|one| format!("{}: {}", one.pointer, one.message)).collect::<Vec<_>>();
    Problem::invalid(format!("{}.", summary.join("; ")), errors)
}
