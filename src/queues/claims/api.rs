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

/// A rep's claim on a lead.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Claim)]
struct ClaimView {
    id: ClaimId,
    queue: String,
    /// The lead; if it was merged, the one that it is now.
    lead_id: LeadId,
    /// The lead as it is now; null if it was erased.
    lead: Option<LeadView>,
    rep: String,
    /// Greater than that of every earlier claim on the lead: a system that the rep writes to can keep the greatest it has
    /// seen, and turn away whoever comes with a smaller one.
    token: i64,
    state: State,
    /// The reasons for the lead's place when it was handed out.
    why: Vec<String>,
    claimed_at: DateTime<Utc>,
    /// Until when the lead is the rep's.
    expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    /// What the rep said when it ended.
    reason: Option<String>,
    /// Until when the lead is not handed out again, after it was skipped or worked.
    rests_until: Option<DateTime<Utc>>,
    /// When the rep promised to call again.
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

/// Who asks for the next lead.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AskForNext)]
struct Ask {
    /// The rep, by whatever name your own system has.
    rep: String,
}

/// Claims the best free lead of a queue for a rep. 204: there is none just now.
///
/// Never are two reps given one lead, in whatever queues. With an `Idempotency-Key`, the same call again answers with the
/// claim that it made.
#[utoipa::path(post, path = "/v1/queues/{name}/next", tag = "Queues", security(("key" = ["read_write"])),
    params(("name" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "One of your own")),
    request_body = Ask,
    responses((status = 200, body = ClaimView), (status = 204, description = "No lead is free")))]
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
    /// Only this rep's.
    rep: Option<String>,
    /// Only of this queue.
    queue: Option<String>,
    /// Only on this lead.
    lead_id: Option<LeadId>,
    /// Only those that hold a lead now.
    #[serde(default)]
    active: bool,
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Claims, newest first, those that are over too: who had which lead, and what came of it.
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

/// One claim, as it stands now.
#[utoipa::path(get, path = "/v1/claims/{id}", tag = "Queues", params(("id" = ClaimId, Path)),
    responses((status = 200, body = ClaimView), (status = 304, description = "Unchanged since the given ETag")))]
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

async fn shown(queues: &Queues, claim: Claim) -> sqlx::Result<ClaimView> {
    let mut conn = queues.db.acquire().await?;
    let live = queues.live.current(&mut conn).await?.id;
    let now = super::super::now(queues, &mut conn).await?;
    let rows = queues::leads(&mut conn, live, &[claim.lead_id]).await?;
    let lead = leads::view::shown(&mut conn, rows).await?.pop();
    Ok(ClaimView::of(claim, lead, now))
}

/// Which claim the caller believes to hold.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Renew {
    /// The claim's token; refused if it is another's.
    token: Option<i64>,
}

/// Holds on to a lead for as long again, counted from now.
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

/// What a rep says who gives a lead back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Release {
    /// The claim's token; refused if it is another's.
    token: Option<i64>,
    /// Why, in the rep's words.
    reason: Option<String>,
}

/// Gives a lead back: it is free at once.
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

/// What a rep says who puts a lead off.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Skip {
    /// The claim's token; refused if it is another's.
    token: Option<i64>,
    /// Why, in the rep's words.
    reason: String,
    /// For how long the queue passes the lead over, such as `2h`; `1d` if absent.
    #[serde(default = "one_day")]
    delay: String,
}

fn one_day() -> String {
    "1d".to_owned()
}

/// Gives a lead back and has the queue pass it over for a while. Other queues may hand it out.
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

/// What came of a call.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Complete {
    /// The claim's token; refused if it is another's.
    token: Option<i64>,
    /// What came of it, in the rep's words.
    note: Option<String>,
    /// When the rep promised to call again: until then the lead rests in every queue.
    #[schema(value_type = Option<DateTime<Utc>>)]
    callback_at: Option<Instant>,
}

/// The lead was worked: it rests, until the callback that was promised or for as long as the queue says.
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

/// A text that says something, and not too much.
/// A text that the call has to have.
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
