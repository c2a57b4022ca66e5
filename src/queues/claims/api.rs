//! `/v1/queues/{name}/next` and `/v1/claims`.

use std::collections::HashMap;

use axum::{
    extract::FromRef,
    extract::{OriginalUri, State as Shared},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use scoring::Instant;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{document::span, store as queues},
    Claim, State,
    acting::{self, Act},
    follow_lead,
    next::{self, Given},
    view::{self, Filter},
};
use crate::{
    http::{
        etag::tagged,
        extract::{Json, Optional, Path, Query},
        page::{self, Page},
        problem::Problem,
        said::{LONGEST_NAME, LONGEST_TEXT, Mistakes, Texts, idempotency_key},
    },
    keys::auth::{Editor, Reader, RouterState},
    leads::{self, view::LeadView},
    platform::{
        clock::to_utc,
        ids::{ClaimId, LeadId},
    },
    queues::Queues,
};

/// The calls of this room.
pub(in crate::queues) fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Queues: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(claim_next_lead))
        .routes(routes!(list_claims))
        .routes(routes!(get_claim))
        .routes(routes!(renew_claim))
        .routes(routes!(release_claim))
        .routes(routes!(skip_claim))
        .routes(routes!(complete_claim))
}

/// A claim: a rep has a lead, and nobody else gets the lead while the claim lasts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Claim)]
struct ClaimView {
    /// The id of the claim.
    id: ClaimId,
    /// The queue that handed out the lead.
    queue: String,
    /// The lead. If it was merged into another lead, the other lead.
    lead_id: LeadId,
    /// The lead as it is now. Null if it was erased.
    lead: Option<LeadView>,
    /// The rep who has the lead.
    rep: String,
    /// A number that is greater than the token of every earlier claim on the lead. A system that the rep
    /// writes to can keep the greatest token that it has seen, and refuse smaller ones.
    token: i64,
    /// Whether the claim is active, or how it ended.
    state: State,
    /// The reasons for the lead's place in the queue when it was handed out.
    why: Vec<String>,
    /// When the lead was handed out.
    claimed_at: DateTime<Utc>,
    /// When the claim expires, unless it is renewed or ends before.
    expires_at: DateTime<Utc>,
    /// When the claim ended. Null if it is active.
    ended_at: Option<DateTime<Utc>>,
    /// The reason or note that the rep gave when the claim ended.
    reason: Option<String>,
    /// Until when the lead is not handed out again, after it was skipped or its claim was completed.
    rests_until: Option<DateTime<Utc>>,
    /// When the rep promised to call the lead again.
    callback_at: Option<DateTime<Utc>>,
}

impl ClaimView {
    fn of(claim: Claim, lead: Option<LeadView>, now: DateTime<Utc>) -> ClaimView {
        ClaimView {
            state: claim.state(now),
            ended_at: claim.over_at(now),
            lead,
            id: claim.id,
            queue: claim.queue,
            lead_id: claim.lead_id,
            rep: claim.rep,
            token: claim.token,
            why: claim.why,
            claimed_at: claim.claimed_at,
            expires_at: claim.expires_at,
            reason: claim.reason,
            rests_until: claim.rests_until,
            callback_at: claim.callback_at,
        }
    }
}

/// A request for the next lead.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AskForNext)]
struct Ask {
    /// The rep's name in your own system, 1 to 200 characters.
    rep: String,
}

/// Claims the best free lead of a queue for a rep.
///
/// Two reps never have the same lead, even from different queues. A repeated call with the same
/// `Idempotency-Key` gets the claim that the first call made.
#[utoipa::path(post, path = "/v1/queues/{name}/next", tag = "Queues", security(("key" = ["read_write"])),
    params(("name" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "A key for this call. The same call with the same key is done once.")),
    request_body = Ask,
    responses((status = 200, body = ClaimView, description = "The rep has a lead"),
        (status = 204, description = "No lead of the queue is free now")))]
async fn claim_next_lead(
    Shared(queues): Shared<Queues>,
    _editor: Editor,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(ask): Json<Ask>,
) -> Result<Response, Problem> {
    let rep = text("/rep", &ask.rep, LONGEST_NAME)?;
    let request = idempotency_key(&headers)?;
    match next::next(&queues, &name, &rep, request.as_deref()).await? {
        Some(Given { claim, lead, now }) => Ok(Json(ClaimView::of(claim, Some(lead), now)).into_response()),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListClaims {
    /// Only claims of this rep.
    rep: Option<String>,
    /// Only claims of this queue.
    queue: Option<String>,
    /// Only claims on this lead.
    lead_id: Option<LeadId>,
    /// Only claims that are active now.
    #[serde(default)]
    active: bool,
    /// How many claims to return: 1 to 500, 50 if absent.
    limit: Option<u16>,
    /// The place to continue from: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists claims, newest first, including claims that have ended: which rep had which lead, and how the claim
/// ended.
#[utoipa::path(get, path = "/v1/claims", tag = "Queues", params(ListClaims),
    responses((status = 200, body = Page<ClaimView>)))]
async fn list_claims(
    Shared(queues): Shared<Queues>,
    _reader: Reader,
    Query(query): Query<ListClaims>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let before = query.cursor.as_deref().map(page::decode).transpose()?;
    let filter = Filter {
        rep: query.rep.as_deref(),
        queue: query.queue.as_deref(),
        lead: query.lead_id,
        open: query.active,
    };
    let mut conn = queues.db.acquire().await?;
    let live = queues.live.current(&mut conn).await?.id;
    let now = super::super::now(&queues, &mut conn).await?;
    let claims = view::list(&mut conn, live, &filter, before, now, i64::from(limit) + 1).await?;
    let page = Page::of(claims, limit, |claim| (claim.claimed_at, claim.token));
    let ids: Vec<LeadId> = page.data.iter().map(|claim| claim.lead_id).collect();
    let leads = queues::leads(&mut conn, live, &ids).await?;
    let leads = leads::view::shown(&mut conn, leads).await?;
    let leads: HashMap<LeadId, LeadView> = leads.into_iter().map(|lead| (lead.id, lead)).collect();
    let shown = |claim: Claim| {
        let lead = leads.get(&claim.lead_id).cloned();
        ClaimView { lead, ..ClaimView::of(claim, None, now) }
    };
    Ok(page.map(shown).respond(&uri))
}

/// Reads a claim.
#[utoipa::path(get, path = "/v1/claims/{id}", tag = "Queues", params(("id" = ClaimId, Path)),
    responses((status = 200, body = ClaimView), (status = 304, description = "`If-None-Match` names the current `ETag`")))]
async fn get_claim(
    Shared(queues): Shared<Queues>,
    _reader: Reader,
    Path(id): Path<ClaimId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let live = queues.live.current(&mut *queues.db.acquire().await?).await?.id;
    follow_lead(&queues, id, live).await?;
    let claim = view::find(&mut *queues.db.acquire().await?, id, live).await?;
    let view = shown(&queues, claim.ok_or_else(|| Problem::not_found("claim"))?).await?;
    Ok(tagged(&headers, view))
}

/// A claim as the API returns it, with its lead.
async fn shown(queues: &Queues, claim: Claim) -> sqlx::Result<ClaimView> {
    let mut conn = queues.db.acquire().await?;
    let live = queues.live.current(&mut conn).await?.id;
    let now = super::super::now(queues, &mut conn).await?;
    let rows = queues::leads(&mut conn, live, &[claim.lead_id]).await?;
    let lead = leads::view::shown(&mut conn, rows).await?.pop();
    Ok(ClaimView::of(claim, lead, now))
}

/// A renewal of a claim.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Renew {
    /// The claim's token. If it belongs to another claim, the call is refused.
    token: Option<i64>,
}

/// Renews a claim: it then lasts the queue's full length, counted from now. Fails with 409
/// `claim_not_renewable` if the lead has left the queue or the queue was deleted.
#[utoipa::path(post, path = "/v1/claims/{id}/renew", tag = "Queues", security(("key" = ["read_write"])),
    params(("id" = ClaimId, Path)), request_body = Option<Renew>, responses((status = 200, body = ClaimView)))]
async fn renew_claim(
    Shared(queues): Shared<Queues>,
    _editor: Editor,
    Path(id): Path<ClaimId>,
    Optional(Renew { token }): Optional<Renew>,
) -> Result<Json<ClaimView>, Problem> {
    act(&queues, id, token, Act::Renew).await
}

/// A release of a claim.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Release {
    /// The claim's token. If it belongs to another claim, the call is refused.
    token: Option<i64>,
    /// Why the rep gives the lead back, 1 to 2000 characters.
    reason: Option<String>,
}

/// Releases a claim: the rep gives the lead back, and the lead is free at once.
#[utoipa::path(post, path = "/v1/claims/{id}/release", tag = "Queues", security(("key" = ["read_write"])),
    params(("id" = ClaimId, Path)), request_body = Option<Release>, responses((status = 200, body = ClaimView)))]
async fn release_claim(
    Shared(queues): Shared<Queues>,
    _editor: Editor,
    Path(id): Path<ClaimId>,
    Optional(Release { token, reason }): Optional<Release>,
) -> Result<Json<ClaimView>, Problem> {
    let reason = reason.map(|reason| text("/reason", &reason, LONGEST_TEXT)).transpose()?;
    act(&queues, id, token, Act::Release { reason }).await
}

/// A skip of a lead.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Skip {
    /// The claim's token. If it belongs to another claim, the call is refused.
    token: Option<i64>,
    /// Why the rep skips the lead, 1 to 2000 characters.
    reason: String,
    /// How long the queue passes the lead over, such as `2h`, at most `366d`. If absent, `1d`.
    #[serde(default = "one_day")]
    delay: String,
}

fn one_day() -> String {
    "1d".to_owned()
}

/// Skips a lead: the rep gives the lead back, and this queue passes it over for a while. Other queues may
/// hand it out.
#[utoipa::path(post, path = "/v1/claims/{id}/skip", tag = "Queues", security(("key" = ["read_write"])),
    params(("id" = ClaimId, Path)), request_body = Skip, responses((status = 200, body = ClaimView)))]
async fn skip_claim(
    Shared(queues): Shared<Queues>,
    _editor: Editor,
    Path(id): Path<ClaimId>,
    Json(skip): Json<Skip>,
) -> Result<Json<ClaimView>, Problem> {
    let reason = text("/reason", &skip.reason, LONGEST_TEXT)?;
    let delay = duration("/delay", &skip.delay)?;
    act(&queues, id, skip.token, Act::Skip { reason, delay }).await
}

/// The completion of a claim.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Complete {
    /// The claim's token. If it belongs to another claim, the call is refused.
    token: Option<i64>,
    /// What came of the call, 1 to 2000 characters.
    note: Option<String>,
    /// When the rep promised to call again. It must be in the future. Until then the lead rests in every
    /// queue.
    #[schema(value_type = Option<DateTime<Utc>>)]
    callback_at: Option<Instant>,
}

/// Completes a claim: the rep has called the lead. Then the lead rests until the promised callback, or for as
/// long as the queue says.
#[utoipa::path(post, path = "/v1/claims/{id}/complete", tag = "Queues", security(("key" = ["read_write"])),
    params(("id" = ClaimId, Path)), request_body = Option<Complete>, responses((status = 200, body = ClaimView)))]
async fn complete_claim(
    Shared(queues): Shared<Queues>,
    _editor: Editor,
    Path(id): Path<ClaimId>,
    Optional(Complete { token, note, callback_at }): Optional<Complete>,
) -> Result<Json<ClaimView>, Problem> {
    let note = note.map(|note| text("/note", &note, LONGEST_TEXT)).transpose()?;
    act(&queues, id, token, Act::Complete { note, callback_at: callback_at.map(to_utc) }).await
}

async fn act(queues: &Queues, id: ClaimId, token: Option<i64>, act: Act) -> Result<Json<ClaimView>, Problem> {
    let claim = acting::act(queues, id, token, act).await?;
    Ok(Json(shown(queues, claim).await?))
}

/// Checks a required text: trims it, and fails if it is empty or longer than `longest` characters.
fn text(pointer: &str, text: &str, longest: usize) -> Result<String, Problem> {
    let mut mistakes = Mistakes::default();
    let text = mistakes.text(pointer, text, longest);
    mistakes.refuse().map(|()| text)
}

fn duration(pointer: &str, text: &str) -> Result<TimeDelta, Problem> {
    let mut mistakes = Mistakes::default();
    let read = span(text, pointer, &mut mistakes);
    mistakes.unless_any(read).map_err(|found| Problem::invalid("The body has mistakes.", found))
}
