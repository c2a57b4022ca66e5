//! Upserts of one lead: `POST /v1/leads`, `PUT /v1/leads/by/…`, `PATCH /v1/leads/{id}`.

mod batch;

use axum::{
    extract::FromRef,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{
        etag::{IfMatch, require_match, stamped},
        extract::{Json, Path},
        problem::{Code, Problem},
        said::idempotency_key,
    },
    intake::{
        ingest::{Intake, event::NewEvent},
        upsert::{
            Effect,
            said::{Caller, LeadBody, TraitsBody},
            upsert,
        },
    },
    keys::auth::{Editor, RouterState},
    leads::{
        self,
        api::{By, current, find},
        identity::Identity,
        view::LeadView,
    },
    platform::ids::LeadId,
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Intake: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(upsert_lead))
        .routes(routes!(upsert_lead_by))
        .routes(routes!(change_lead))
        .merge(batch::routes())
}

/// A lead as of now, with what the call did.
#[derive(Debug, Serialize, ToSchema)]
struct UpsertedLead {
    /// What the call did.
    status: Effect,
    #[serde(flatten)]
    lead: LeadView,
}

/// Upserts a lead: creates it, or sets its attributes.
///
/// If the body names a user id and an e-mail address, the call joins them, as an `identify` does. An address
/// belongs to the user id that named it first: a call with another user id fails with 409 `conflict`. A call
/// that changes nothing adds no event to the log.
#[utoipa::path(post, path = "/v1/leads", tag = "Leads", request_body = LeadBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The id of the event. The same call with the same key is done once.")),
    security(("key" = ["read_write"])),
    responses((status = 201, body = UpsertedLead, description = "The lead was created"),
        (status = 200, body = UpsertedLead, description = "The lead existed; its attributes were set or are the same")))]
async fn upsert_lead(
    State(intake): State<Intake>,
    Editor(key): Editor,
    headers: HeaderMap,
    Json(body): Json<LeadBody>,
) -> Result<Response, Problem> {
    let caller = Caller { intake: &intake, key: &key, id: idempotency_key(&headers)? };
    answer(&intake, body.event(caller, None)?, None).await
}

/// Upserts the lead with this user id or e-mail address: creates it, or sets its attributes.
///
/// The body may also name the other of the two. That joins them, for example after the person's address has
/// changed. With `If-Match`, the call fails with 412 if the lead has changed since you read it, or does not
/// exist.
#[utoipa::path(put, path = "/v1/leads/by/{by}/{value}", tag = "Leads", request_body = LeadBody,
    params(("by" = inline(By), Path), ("value" = String, Path, description = "The user id or e-mail address, percent-encoded"),
        IfMatch,
        ("Idempotency-Key" = Option<String>, Header, description = "The id of the event. The same call with the same key is done once.")),
    security(("key" = ["read_write"])),
    responses((status = 201, body = UpsertedLead, description = "The lead was created"),
        (status = 200, body = UpsertedLead, description = "The lead existed; its attributes were set or are the same")))]
async fn upsert_lead_by(
    State(intake): State<Intake>,
    Editor(key): Editor,
    Path((by, value)): Path<(By, String)>,
    headers: HeaderMap,
    Json(body): Json<LeadBody>,
) -> Result<Response, Problem> {
    let identity = by.identity_of_somebody(&value)?;
    let seen = seen(&intake, &headers, &identity).await?;
    let caller = Caller { intake: &intake, key: &key, id: idempotency_key(&headers)? };
    answer(&intake, body.event(caller, Some(&(by, identity)))?, seen).await
}

/// Sets attributes of a lead. Null removes an attribute.
///
/// With `If-Match`, the call fails with 412 if the lead has changed since you read it.
#[utoipa::path(patch, path = "/v1/leads/{id}", tag = "Leads", request_body = TraitsBody,
    params(("id" = LeadId, Path), IfMatch,
        ("Idempotency-Key" = Option<String>, Header, description = "The id of the event. The same call with the same key is done once.")),
    security(("key" = ["read_write"])), responses((status = 200, body = UpsertedLead)))]
async fn change_lead(
    State(intake): State<Intake>,
    Editor(key): Editor,
    Path(id): Path<LeadId>,
    headers: HeaderMap,
    Json(body): Json<TraitsBody>,
) -> Result<Response, Problem> {
    let lead = current(&intake, id).await?;
    let seen = attributes_seen(&headers, Some(&lead))?;
    let named = leads::named(&mut *intake.db.acquire().await?, lead.id, lead.id).await?;
    let named = named.ok_or_else(|| Problem::not_found("lead"))?;
    let caller = Caller { intake: &intake, key: &key, id: idempotency_key(&headers)? };
    answer(&intake, body.event(caller, named)?, seen).await
}

/// Returns the attributes that the caller has read, if `If-Match` names the lead as it is. `None` without the
/// header. Fails with 412 otherwise.
async fn seen(
    intake: &Intake,
    headers: &HeaderMap,
    identity: &Identity,
) -> Result<Option<Map<String, Value>>, Problem> {
    if !headers.contains_key(header::IF_MATCH) {
        return Ok(None);
    }
    attributes_seen(headers, find(intake, identity).await?.as_ref())
}

fn attributes_seen(
    headers: &HeaderMap,
    lead: Option<&LeadView>,
) -> Result<Option<Map<String, Value>>, Problem> {
    match (headers.get(header::IF_MATCH), lead) {
        (None, _) => Ok(None),
        (Some(_), None) => Err(Problem::new(
            Code::PreconditionFailed,
            "There is no such lead. Leave out If-Match to create it.",
        )),
        (Some(any), Some(_)) if any == "*" => Ok(None),
        (Some(_), Some(lead)) => {
            require_match(headers, lead)?;
            Ok(Some(lead.profile.clone()))
        }
    }
}

/// Upserts a lead and answers with the lead as of now.
async fn answer(
    intake: &Intake,
    event: NewEvent,
    seen: Option<Map<String, Value>>,
) -> Result<Response, Problem> {
    let (effect, lead) = upsert(intake, event, seen).await?;
    let lead = current(intake, lead).await?;
    let code = if effect == Effect::Created { StatusCode::CREATED } else { StatusCode::OK };
    let place = HeaderValue::try_from(format!("/v1/leads/{}", lead.id));
    let mut answer = (code, Json(UpsertedLead { status: effect, lead: lead.clone() })).into_response();
    if let (Effect::Created, Ok(place)) = (effect, place) {
        answer.headers_mut().insert(header::LOCATION, place);
    }
    Ok(stamped(&lead, answer))
}
