//! `/v1/handoffs` and `POST /v1/leads/{id}/handoff`.

use axum::{
    extract::FromRef,
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use scoring::{Instant, Mistake};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, HandoffError, HandoffView, store};
use crate::{
    http::{
        etag::tagged,
        extract::{Json, Many, Optional, Path, Query},
        page::{self, Page},
        problem::{Code, Problem},
        said::{LONGEST_NAME, LONGEST_TEXT, Mistakes, Texts, idempotency_key, mistake},
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
    /// Only handoffs in one of these states. To give several, separate them by commas or repeat the
    /// parameter.
    #[serde(default)]
    #[param(value_type = Option<Vec<HandoffState>>)]
    state: Many<HandoffState>,
    /// Only handoffs that this rep must answer or has accepted.
    rep: Option<String>,
    /// Only handoffs of this lead.
    lead_id: Option<LeadId>,
    /// Only open handoffs whose due time has passed.
    #[serde(default)]
    overdue: bool,
    /// How many handoffs to return: 1 to 500, 50 if absent.
    limit: Option<u16>,
    /// The place to continue from: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// An offer of a lead by hand.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct OfferLead {
    /// The rep who must answer, 1 to 200 characters. If absent, the lead's attribute `owner`.
    rep: Option<String>,
    /// Who offers the lead, 1 to 200 characters. If absent, the key's name.
    author: Option<String>,
}

/// An answer by which sales takes a lead.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct AcceptHandoff {
    /// The rep who takes the lead, 1 to 200 characters. If absent, the key's name.
    rep: Option<String>,
    /// A note, 1 to 2000 characters.
    note: Option<String>,
}

/// An answer by which sales does not take a lead.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RejectHandoff {
    /// The code of one of the policy's `reject_reasons`.
    #[schema(example = "bad_timing")]
    reason: String,
    /// The rep who rejects the lead, 1 to 200 characters. If absent, the key's name.
    rep: Option<String>,
    /// A note, 1 to 2000 characters.
    note: Option<String>,
}

/// An answer by which sales sends a lead back to ripen.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct RecycleHandoff {
    /// The instant before which the lead cannot be an MQL again. It must be in the future. The model's
    /// cooldown applies too.
    #[schema(value_type = Option<DateTime<Utc>>)]
    until: Option<Instant>,
    /// Why the lead is sent back, 1 to 2000 characters.
    reason: Option<String>,
    /// The rep who sends the lead back, 1 to 200 characters. If absent, the key's name.
    rep: Option<String>,
    /// A note, 1 to 2000 characters.
    note: Option<String>,
}

/// A change of the rep who must answer a handoff.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReassignHandoff {
    /// The rep who must answer from now on, 1 to 200 characters.
    rep: String,
    /// Who makes the change, 1 to 200 characters. If absent, the key's name.
    author: Option<String>,
}

/// Lists handoffs to sales, newest first.
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

/// Reads a handoff, with its evidence.
#[utoipa::path(get, path = "/v1/handoffs/{id}", tag = "Handoffs", params(("id" = HandoffId, Path)),
    responses((status = 200, body = HandoffView), (status = 304, description = "`If-None-Match` names the current `ETag`")))]
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
/// The lead becomes an MQL, and its score cannot end that. Only leads at the stages `lead`, `recycled` and
/// `mql` can be offered. A lead cannot be offered if the person asked not to be contacted, or if the policy
/// excludes the lead.
///
/// If the lead has an open handoff, the answer is that handoff, with 200. A repeated call with the same
/// `Idempotency-Key` gets the handoff that the first call made, even if it has been answered since.
#[utoipa::path(post, path = "/v1/leads/{id}/handoff", tag = "Handoffs", request_body = Option<OfferLead>,
    params(("id" = LeadId, Path), ("Idempotency-Key" = Option<String>, Header, description = "A key for this call. The same call with the same key is done once.")),
    security(("key" = ["read_write"])),
    responses(
        (status = 201, body = HandoffView, headers(("Location" = String)), description = "A new handoff was made"),
        (status = 200, body = HandoffView, description = "The lead has an open handoff, or the call is a repetition")))]
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

/// Accepts a handoff: sales takes the lead, and the lead becomes an SQL.
///
/// The policy may require answers to some criteria of a checklist. If too few are answered, the call fails
/// with 409 `criteria_missing` and lists the criteria that are not answered.
///
/// If the same rep has accepted the handoff before, the call changes nothing and gets the same answer.
/// Otherwise the handoff must be open, or the call fails with 409 `conflict`.
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

/// Rejects a handoff: sales does not take the lead, for one of the policy's `reject_reasons`. The policy says
/// for each reason where the lead goes.
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

/// Recycles a lead: sales sends the lead back to ripen. The handoff must be open or accepted.
///
/// The lead may be an MQL again after three things: the model's cooldown is over, `until` has passed, and the
/// person has done something since.
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

/// Gives an open handoff to another rep. The due time stays the same.
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

/// Checks the parts that all answers have in common.
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
                let unanswered = |criterion: &Criterion| {
                    let question = criterion.questions.first().expect("a criterion has a question");
                    Mistake::new(format!("/answers/{}", criterion.criterion), "unanswered", *question)
                };
                let message = format!(
                    "Accepting needs {needed} answered criteria of {}; {answered} are answered. Answer more with PUT \
                     /v1/leads/{{id}}/qualification.",
                    framework.as_str()
                );
                Problem::new(Code::CriteriaMissing, message)
                    .listing(missing.into_iter().map(unanswered).collect())
            }
            HandoffError::UnknownReason(codes) => mistake(
                "/reason",
                "unknown_reason",
                format!("write one of the policy's reject_reasons: {}", codes.join(", ")),
            ),
            HandoffError::Past => mistake("/until", "already_past", "write an instant in the future"),
            HandoffError::NotAllowed(not) => conflict(format!("{not}; read the lead again.")),
            HandoffError::Database(error) => error.into(),
        }
    }
}
