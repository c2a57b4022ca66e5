//! `/v1/handoffs` and `POST /v1/leads/{id}/handoff`.

use axum::{
    extract::FromRef,
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use scoring::Instant;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, HandoffError, HandoffView, store};
use crate::{
    http::{
        etag::tagged,
        extract::{Json, Many, Optional, Path, Query},
        page::{self, Page},
        problem::{Code, Problem, Violation},
        said::{LONGEST_NAME, LONGEST_TEXT, Mistakes, idempotency_key, mistake},
    },
    keys::{
        Key,
        auth::{Editor, Reader, RouterState},
    },
    lifecycle::{Lifecycle, policy::Criterion, stages::HandoffState},
    platform::{
        clock::to_utc,
        ids::{HandoffId, LeadId},
    },
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Lifecycle: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list_handoffs))
        .routes(routes!(get_handoff))
        .routes(routes!(offer_lead))
        .routes(routes!(accept_handoff))
        .routes(routes!(reject_handoff))
        .routes(routes!(recycle_handoff))
        .routes(routes!(reassign_handoff))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListHandoffs {
    /// Only those in one of these states: several with commas, or the parameter several times.
    #[serde(default)]
    #[param(value_type = Option<Vec<HandoffState>>)]
    state: Many<HandoffState>,
    /// Only those that this person is to answer, or has accepted.
    rep: Option<String>,
    /// Only those of this lead.
    lead_id: Option<LeadId>,
    /// Only those that sales should have answered by now and has not.
    #[serde(default)]
    overdue: bool,
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A lead that somebody offers by hand.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct OfferLead {
    /// Who is to answer; the lead's attribute `owner` if absent.
    rep: Option<String>,
    /// Who offers; the key's name if absent.
    author: Option<String>,
}

/// Sales takes a lead.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct AcceptHandoff {
    /// Who takes it; the key's name if absent.
    rep: Option<String>,
    /// What is to be remembered.
    note: Option<String>,
}

/// Sales does not take a lead.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RejectHandoff {
    /// The code of one of the policy's `reject_reasons`.
    #[schema(example = "bad_timing")]
    reason: String,
    /// Who says so; the key's name if absent.
    rep: Option<String>,
    /// What is to be remembered.
    note: Option<String>,
}

/// Sales sends a lead back to ripen.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct RecycleHandoff {
    /// Until when at least the lead is to be left alone; the model's cooldown holds besides.
    #[schema(value_type = Option<DateTime<Utc>>)]
    until: Option<Instant>,
    /// Why.
    reason: Option<String>,
    /// Who says so; the key's name if absent.
    rep: Option<String>,
    /// What is to be remembered.
    note: Option<String>,
}

/// Somebody else is to answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReassignHandoff {
    /// Who is to answer from now on.
    rep: String,
    /// Who says so; the key's name if absent.
    author: Option<String>,
}

/// Handoffs to sales, newest first.
#[utoipa::path(get, path = "/v1/handoffs", tag = "Handoffs", params(ListHandoffs),
    responses((status = 200, body = Page<HandoffView>)))]
async fn list_handoffs(
    State(lifecycle): State<Lifecycle>,
    _reader: Reader,
    Query(query): Query<ListHandoffs>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let before: Option<HandoffId> = query.cursor.as_deref().map(page::decode).transpose()?;
    let now = lifecycle.clock.now();
    let due_by = query.overdue.then_some(now);
    let states = query.state.0.into_iter().map(HandoffState::as_str).collect();
    let filter = store::Filter { states, rep: query.rep, lead: query.lead_id, due_by };
    let mut conn = lifecycle.db.acquire().await?;
    let rows = store::list(&mut conn, &filter, before, i64::from(limit) + 1).await?;
    Ok(Page::of(rows, limit, |handoff| handoff.id).map(|handoff| handoff.seen_at(now)).respond(&uri))
}

/// One handoff, with the evidence of its moment.
#[utoipa::path(get, path = "/v1/handoffs/{id}", tag = "Handoffs", params(("id" = HandoffId, Path)),
    responses((status = 200, body = HandoffView), (status = 304, description = "Unchanged since the given ETag")))]
async fn get_handoff(
    State(lifecycle): State<Lifecycle>,
    _reader: Reader,
    Path(id): Path<HandoffId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = store::find(&mut *lifecycle.db.acquire().await?, id).await?;
    let handoff = found.ok_or_else(|| Problem::not_found("handoff"))?;
    Ok(tagged(&headers, handoff.seen_at(lifecycle.clock.now())))
}

/// Offers a lead to sales by hand, whatever its score.
///
/// It becomes an MQL by that, and does not stop being one by its score. Offered are leads at stage `lead`, `recycled` and
/// `mql`; not who asked not to be contacted, and not whom the policy leaves out. While a handoff is open, the call is
/// answered with that one, and 200. `Idempotency-Key` makes a repetition the same handoff, also when that was answered since.
#[utoipa::path(post, path = "/v1/leads/{id}/handoff", tag = "Handoffs", request_body = Option<OfferLead>,
    params(("id" = LeadId, Path), ("Idempotency-Key" = Option<String>, Header, description = "Of the handoff")),
    security(("key" = ["read_write"])),
    responses((status = 201, body = HandoffView, headers(("Location" = String))),
        (status = 200, body = HandoffView, description = "Offered before")))]
async fn offer_lead(
    State(lifecycle): State<Lifecycle>,
    Editor(key): Editor,
    Path(id): Path<LeadId>,
    headers: HeaderMap,
    Optional(body): Optional<OfferLead>,
) -> Result<Response, Problem> {
    let mut mistakes = Mistakes::default();
    let rep = mistakes.note("/rep", body.rep.as_deref(), LONGEST_NAME);
    let by = mistakes.name("/author", body.author.as_deref(), &key.name);
    mistakes.refuse()?;
    let request_key = idempotency_key(&headers)?;
    let (handoff, new) = super::offer_by_hand(&lifecycle, id, by, rep, request_key).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let location = [(header::LOCATION, format!("/v1/handoffs/{}", handoff.id))];
    Ok((status, location, Json(handoff.seen_at(lifecycle.clock.now()))).into_response())
}

/// Sales takes the lead: it is an SQL from now on.
///
/// If the policy says so, some criteria of a checklist must be answered before; 409 `criteria_missing` names those that are
/// not. The same person's call again is answered as the first; any other answer to a handoff that is not open is a conflict.
#[utoipa::path(post, path = "/v1/handoffs/{id}/accept", tag = "Handoffs", request_body = Option<AcceptHandoff>,
    params(("id" = HandoffId, Path)), security(("key" = ["read_write"])),
    responses((status = 200, body = HandoffView)))]
async fn accept_handoff(
    State(lifecycle): State<Lifecycle>,
    Editor(key): Editor,
    Path(id): Path<HandoffId>,
    Optional(body): Optional<AcceptHandoff>,
) -> Result<Json<HandoffView>, Problem> {
    let answer = answer(&key, body.rep.as_deref(), body.note.as_deref(), Mistakes::default())?;
    respond(&lifecycle, super::accept(&lifecycle, id, &answer).await)
}

/// Sales does not take the lead, for one of the policy's reasons; the reason says where the lead goes.
#[utoipa::path(post, path = "/v1/handoffs/{id}/reject", tag = "Handoffs", request_body = RejectHandoff,
    params(("id" = HandoffId, Path)), security(("key" = ["read_write"])),
    responses((status = 200, body = HandoffView)))]
async fn reject_handoff(
    State(lifecycle): State<Lifecycle>,
    Editor(key): Editor,
    Path(id): Path<HandoffId>,
    Json(body): Json<RejectHandoff>,
) -> Result<Json<HandoffView>, Problem> {
    let answer = answer(&key, body.rep.as_deref(), body.note.as_deref(), Mistakes::default())?;
    respond(&lifecycle, super::reject(&lifecycle, id, &body.reason, &answer).await)
}

/// Sales sends the lead back to ripen: an open handoff, or one that it accepted before.
///
/// The lead may be an MQL again when the model's cooldown is over and `until` has come, and the person has done something
/// since.
#[utoipa::path(post, path = "/v1/handoffs/{id}/recycle", tag = "Handoffs", request_body = Option<RecycleHandoff>,
    params(("id" = HandoffId, Path)), security(("key" = ["read_write"])),
    responses((status = 200, body = HandoffView)))]
async fn recycle_handoff(
    State(lifecycle): State<Lifecycle>,
    Editor(key): Editor,
    Path(id): Path<HandoffId>,
    Optional(body): Optional<RecycleHandoff>,
) -> Result<Json<HandoffView>, Problem> {
    let mut mistakes = Mistakes::default();
    let reason = mistakes.note("/reason", body.reason.as_deref(), LONGEST_TEXT);
    let answer = answer(&key, body.rep.as_deref(), body.note.as_deref(), mistakes)?;
    respond(
        &lifecycle,
        super::recycle(&lifecycle, id, body.until.map(to_utc), reason.as_deref(), &answer).await,
    )
}

/// Somebody else is to answer. When it is due stays.
#[utoipa::path(post, path = "/v1/handoffs/{id}/reassign", tag = "Handoffs", request_body = ReassignHandoff,
    params(("id" = HandoffId, Path)), security(("key" = ["read_write"])),
    responses((status = 200, body = HandoffView)))]
async fn reassign_handoff(
    State(lifecycle): State<Lifecycle>,
    Editor(key): Editor,
    Path(id): Path<HandoffId>,
    Json(body): Json<ReassignHandoff>,
) -> Result<Json<HandoffView>, Problem> {
    let mut mistakes = Mistakes::default();
    let rep = mistakes.text("/rep", &body.rep, LONGEST_NAME);
    let by = mistakes.name("/author", body.author.as_deref(), &key.name);
    mistakes.refuse()?;
    respond(&lifecycle, super::reassign(&lifecycle, id, &rep, &by).await)
}

fn answer(
    key: &Key,
    rep: Option<&str>,
    note: Option<&str>,
    mut mistakes: Mistakes,
) -> Result<Answer, Problem> {
    let by = mistakes.name("/rep", rep, &key.name);
    let note = mistakes.note("/note", note, LONGEST_TEXT);
    mistakes.refuse()?;
    Ok(Answer { by, note })
}

fn respond(
    lifecycle: &Lifecycle,
    answered: Result<HandoffView, HandoffError>,
) -> Result<Json<HandoffView>, Problem> {
    Ok(Json(answered?.seen_at(lifecycle.clock.now())))
}

impl From<HandoffError> for Problem {
    fn from(error: HandoffError) -> Problem {
        let conflict = |message: String| Problem::new(Code::Conflict, message);
        match error {
            HandoffError::NotFound(what) => Problem::not_found(what),
            HandoffError::Closed(state) => conflict(format!(
                "The handoff is {} already. Read it, and answer another handoff.",
                state.as_str()
            )),
            HandoffError::NotOffered(stage) => conflict(format!(
                "A lead at stage {} cannot be offered. Only leads at lead, recycled and mql can.",
                stage.as_str()
            )),
            HandoffError::DoNotContact => conflict(
                "The person asked not to be contacted, so the lead cannot be offered to sales.".to_owned(),
            ),
            HandoffError::Excluded(label) => conflict(format!(
                "The policy excludes this lead as {}. To offer the lead, change the policy's exclusions.",
                label.as_str()
            )),
            HandoffError::Unanswered { framework, needed, answered, missing } => {
                let violation = |criterion: &Criterion| Violation {
                    pointer: format!("/answers/{}", criterion.criterion),
                    code: "unanswered".to_owned(),
                    message: criterion.questions.first().copied().unwrap_or_default().to_owned(),
                };
                let message = format!(
                    "Accepting needs {needed} answered criteria of {}, and {answered} are; give them with PUT \
                     /v1/leads/{{id}}/qualification.",
                    framework.as_str()
                );
                let errors = missing.into_iter().map(violation).collect();
                Problem { errors, ..Problem::new(Code::CriteriaMissing, message) }
            }
            HandoffError::UnknownReason(codes) => mistake(
                "/reason",
                "unknown_reason",
                format!("write one of the policy's reject_reasons: {}", codes.join(", ")),
            ),
            HandoffError::Past => mistake("/until", "already_past", "write an instant that is still to come"),
            HandoffError::NotAllowed(not) => conflict(format!("{not}; read the lead again.")),
            HandoffError::Database(error) => error.into(),
        }
    }
}
