//! `POST /v1/leads/{id}/adjustments`, `/reset`, `/consent` and `/events/{event_id}/verdict`.

mod verdict;

use axum::{
    extract::FromRef,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use scoring::{
    Adjustment, Instant,
    event::{DO_NOT_CONTACT_REQUESTED, ENGAGEMENT_RESET, SCORE_ADJUSTED},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{
        extract::{Json, Path},
        problem::Problem,
        said::{LONGEST_TEXT, Mistakes, Texts, idempotency_key, mistake},
    },
    intake::{
        corrections::{Correction, LoggedEvent, record, recorded},
        ingest::Intake,
    },
    keys::{
        Key,
        auth::{Editor, RouterState},
    },
    leads::{api::current, consent, view::LeadView},
    platform::{clock::to_instant, ids::LeadId},
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Intake: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(adjust_score))
        .routes(routes!(reset_engagement))
        .routes(routes!(verdict::decide_on_event))
        .routes(routes!(change_consent))
}

/// An adjustment: points that a person adds to a lead's score or takes away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Adjust {
    /// The points to add, or to take away if negative. At most three decimals, not 0.
    #[schema(value_type = f64, example = 10)]
    points: Value,
    /// Why the score is adjusted, 1 to 2000 characters.
    reason: String,
    /// Who adjusts the score, 1 to 200 characters. If absent, the key's name.
    author: Option<String>,
    /// When the points stop counting. If absent, never.
    #[schema(value_type = Option<DateTime<Utc>>)]
    #[serde(default)]
    expires_at: Value,
}

/// A reset: older events of the lead no longer count.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    /// Why the lead is reset, 1 to 2000 characters.
    reason: String,
    /// Who resets the lead, 1 to 200 characters. If absent, the key's name.
    author: Option<String>,
}

/// A word of consent, recorded by a person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Agree {
    /// The channel. If absent, any contact at all.
    channel: Option<consent::Channel>,
    /// Whether the person agrees or refuses. Without `channel`, only `withdrawn` is allowed.
    state: Agreed,
    /// Why the consent changes, or how that is known, 1 to 2000 characters.
    reason: String,
    /// Who records this, 1 to 200 characters. If absent, the key's name.
    author: Option<String>,
}

/// Whether the person agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Agreed {
    /// The person agrees.
    Granted,
    /// The person refuses.
    Withdrawn,
}

/// The recorded event, with the lead.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Corrected {
    #[serde(flatten)]
    event: LoggedEvent,
    /// The lead as of now.
    lead: LeadView,
}

/// Adjusts a lead's score: adds or takes points until they expire.
///
/// The adjustment is an event with author and reason. The timeline shows the event, and the receipt has a
/// line for its points. A repeated call with the same `Idempotency-Key` adds nothing. Another call under the
/// same key fails with 409 `conflict`.
#[utoipa::path(post, path = "/v1/leads/{id}/adjustments", tag = "Leads", request_body = Adjust,
    params(("id" = LeadId, Path), ("Idempotency-Key" = Option<String>, Header, description = "The id of the event. The same call with the same key is done once.")),
    security(("key" = ["read_write"])),
    responses((status = 201, body = Corrected, description = "The event was recorded"),
        (status = 200, body = Corrected, description = "The call is a repetition; the event was recorded before")))]
async fn adjust_score(
    State(intake): State<Intake>,
    Editor(key): Editor,
    Path(id): Path<LeadId>,
    headers: HeaderMap,
    Json(body): Json<Adjust>,
) -> Result<Response, Problem> {
    let mut properties = Map::new();
    properties.insert("points".to_owned(), body.points);
    properties.insert("expires_at".to_owned(), body.expires_at);
    let mut mistakes = Mistakes::default();
    let adjustment = Adjustment::parse(&properties);
    match &adjustment {
        Ok(adjustment) => misfits(adjustment, &mut mistakes),
        Err(unread) => mistakes.add_below("", unread.clone()),
    }
    let said = said(&key, &body.reason, body.author.as_deref(), &mut mistakes);
    mistakes.refuse()?;
    let Ok(adjustment) = adjustment else {
        return Err(Problem::invalid("The adjustment cannot be read.", vec![]));
    };
    let correction = Correction {
        kind: SCORE_ADJUSTED,
        properties: said.into_iter().chain(canonical(&adjustment)).collect(),
        id: idempotency_key(&headers)?,
        api_key: key.id,
    };
    let ended = adjustment.expires_at.filter(|end| *end <= to_instant(intake.clock.now()));
    let late = ended.map(|_| {
        let message = "write an instant in the future, or leave it out";
        mistake("/expires_at", "already_past", message)
    });
    correct(&intake, id, correction, late).await
}

/// Resets a lead: what the lead did so far no longer counts.
///
/// The reset is an event with author and reason. Older events no longer count in rules on events, counts and
/// silences. Attributes and adjustments stay. `Idempotency-Key` works as for adjustments.
#[utoipa::path(post, path = "/v1/leads/{id}/reset", tag = "Leads", request_body = Reset,
    params(("id" = LeadId, Path), ("Idempotency-Key" = Option<String>, Header, description = "The id of the event. The same call with the same key is done once.")),
    security(("key" = ["read_write"])),
    responses((status = 201, body = Corrected, description = "The event was recorded"),
        (status = 200, body = Corrected, description = "The call is a repetition; the event was recorded before")))]
async fn reset_engagement(
    State(intake): State<Intake>,
    Editor(key): Editor,
    Path(id): Path<LeadId>,
    headers: HeaderMap,
    Json(body): Json<Reset>,
) -> Result<Response, Problem> {
    let mut mistakes = Mistakes::default();
    let properties = said(&key, &body.reason, body.author.as_deref(), &mut mistakes);
    mistakes.refuse()?;
    let id_of_event = idempotency_key(&headers)?;
    let correction = Correction { kind: ENGAGEMENT_RESET, properties, id: id_of_event, api_key: key.id };
    correct(&intake, id, correction, None).await
}

/// Records a lead's consent: whether the person agrees to contact on a channel, or refuses all contact.
///
/// Without `channel`, the person must not be contacted at all: the lead leaves every queue at once, and its
/// open handoff is withdrawn. Only the person can take that back, for example by asking for a demo.
///
/// With `channel`, the word is compared with the words of the lead's other identities, and the most
/// restrictive word holds. To subscribe an unsubscribed address again, the person must send an
/// `email_subscribed` of that address. `Idempotency-Key` works as for adjustments.
#[utoipa::path(post, path = "/v1/leads/{id}/consent", tag = "Leads", request_body = Agree,
    params(("id" = LeadId, Path), ("Idempotency-Key" = Option<String>, Header, description = "The id of the event. The same call with the same key is done once.")),
    security(("key" = ["read_write"])),
    responses((status = 201, body = Corrected, description = "The event was recorded"),
        (status = 200, body = Corrected, description = "The call is a repetition; the event was recorded before")))]
async fn change_consent(
    State(intake): State<Intake>,
    Editor(key): Editor,
    Path(id): Path<LeadId>,
    headers: HeaderMap,
    Json(body): Json<Agree>,
) -> Result<Response, Problem> {
    let mut mistakes = Mistakes::default();
    let mut properties = said(&key, &body.reason, body.author.as_deref(), &mut mistakes);
    let kind = if let Some(channel) = body.channel {
        properties.insert("channel".to_owned(), json!(channel));
        properties.insert("state".to_owned(), json!(body.state));
        consent::CONSENT_CHANGED
    } else {
        if body.state == Agreed::Granted {
            let message = "name a `channel`; only the person can take back the request not to be contacted";
            mistakes.add("/state", "not_ours_to_grant", message);
        }
        DO_NOT_CONTACT_REQUESTED
    };
    mistakes.refuse()?;
    let id_of_event = idempotency_key(&headers)?;
    let correction = Correction { kind, properties, id: id_of_event, api_key: key.id };
    correct(&intake, id, correction, None).await
}

/// Records a correction, unless it was recorded before. `late` is the problem of a new call that comes too
/// late. A repetition is answered in any case, because its end may have passed since.
pub(super) async fn correct(
    intake: &Intake,
    id: LeadId,
    correction: Correction,
    late: Option<Problem>,
) -> Result<Response, Problem> {
    let lead = current(intake, id).await?.id;
    let recorded = match (recorded(intake, lead, &correction).await?, late) {
        (Some(before), _) => before,
        (None, Some(late)) => return Err(late),
        (None, None) => record(intake, (lead, id), correction).await?,
    };
    let status = if recorded.new { StatusCode::CREATED } else { StatusCode::OK };
    let lead = current(intake, lead).await?;
    Ok((status, Json(Corrected { event: recorded.event, lead })).into_response())
}

/// The properties `reason` and `author`, trimmed.
fn said(key: &Key, reason: &str, author: Option<&str>, mistakes: &mut Mistakes) -> Map<String, Value> {
    let mut said = Map::new();
    said.insert("reason".to_owned(), json!(mistakes.text("/reason", reason, LONGEST_TEXT)));
    said.insert("author".to_owned(), json!(mistakes.name("/author", author, &key.name)));
    said
}

/// Notes mistakes that the scoring core accepts, but that make no sense in an adjustment.
fn misfits(adjustment: &Adjustment, mistakes: &mut Mistakes) {
    if adjustment.points == scoring::Milli::ZERO {
        mistakes.add("/points", "zero", "write points other than 0");
    }
    if adjustment.expires_at.is_some_and(|end| end > Instant::LAST) {
        mistakes.add("/expires_at", "too_late", "write an instant before the year 10000");
    }
}

/// The properties of an adjustment in their normal form, however the adjustment was written.
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
