//! `/v1/queues`.

use std::collections::HashMap;

use axum::{
    extract::FromRef,
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use scoring::Mistake;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    candidate::Obstacle,
    claims,
    document::{Document, Queue},
    reasons,
    store::{self, QueueRow},
    walk::{Asked, Position, Ranked},
};
use crate::{
    http::{
        etag::{IfMatch, require_match, tagged},
        extract::{Json, Path, Query},
        page::{self, Page},
        problem::Problem,
    },
    keys::auth::{Admin, Reader, RouterState},
    leads::{self, view::LeadView},
    models::Version,
    platform::ids::LeadId,
    queues::Queues,
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Queues: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list_queues))
        .routes(routes!(get_queue, replace_queue, delete_queue))
        .routes(routes!(list_ranking))
        .merge(claims::api::routes())
}

/// A queue: a document that says which leads are called, and in which order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Queue)]
struct QueueView {
    /// The name of the queue.
    name: String,
    /// The document. Parts that were left out are filled in with their defaults.
    #[schema(value_type = Document)]
    document: Shown,
    /// Why the document cannot be read. Then `document` is as it is stored, and the queue hands out no leads
    /// until you replace the document. Absent if the document can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    unreadable: Option<String>,
    /// When the queue was made.
    created_at: DateTime<Utc>,
    /// When the document was last replaced.
    updated_at: DateTime<Utc>,
}

/// A queue's document, as the service reads it or, if it cannot be read, as it is stored.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Shown {
    Read(Box<Document>),
    Stored(Value),
}

impl QueueView {
    fn of(row: QueueRow) -> QueueView {
        let read = row.ready();
        let QueueRow { name, document, created_at, updated_at } = row;
        let (document, unreadable) = match read {
            Ok((document, _)) => (Shown::Read(Box::new(document)), None),
            Err(why) => {
                tracing::warn!(queue = name, %why, "cannot read the document of a queue");
                (Shown::Stored(document), Some(why.to_string()))
            }
        };
        QueueView { name, document, unreadable, created_at, updated_at }
    }
}

/// All queues.
#[derive(Debug, Serialize, ToSchema)]
struct QueueList {
    /// The queues, ordered by name.
    data: Vec<QueueView>,
    /// Always false: queues are few.
    has_more: bool,
    /// Always null.
    next_cursor: Option<String>,
}

/// Lists all queues, ordered by name.
#[utoipa::path(get, path = "/v1/queues", tag = "Queues", responses((status = 200, body = QueueList)))]
async fn list_queues(State(queues): State<Queues>, _reader: Reader) -> Result<Json<QueueList>, Problem> {
    let rows = store::list(&mut *queues.db.acquire().await?).await?;
    let data = rows.into_iter().map(QueueView::of).collect();
    Ok(Json(QueueList { data, has_more: false, next_cursor: None }))
}

/// Reads a queue.
#[utoipa::path(get, path = "/v1/queues/{name}", tag = "Queues", params(("name" = String, Path)),
    responses((status = 200, body = QueueView), (status = 304, description = "`If-None-Match` names the current `ETag`")))]
async fn get_queue(
    State(queues): State<Queues>,
    _reader: Reader,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let row = super::find(&mut *queues.db.acquire().await?, &name).await?;
    let view = QueueView::of(row.ok_or_else(|| Problem::not_found("queue"))?);
    Ok(tagged(&headers, &view))
}

/// Makes a queue, or replaces a queue's document.
///
/// The document `{}` makes a queue with all defaults, as the queue `sales` is at first. The next call for a
/// lead uses the new document. Existing claims do not change.
#[utoipa::path(put, path = "/v1/queues/{name}", tag = "Queues", security(("key" = ["admin"])),
    params(("name" = String, Path, description = "1 to 63 of `a-z`, `0-9`, `_` and `-`. The first is a letter or digit"), IfMatch),
    request_body = Document,
    responses((status = 200, body = QueueView, description = "The document was replaced"),
        (status = 201, body = QueueView, description = "The queue was made")))]
async fn replace_queue(
    State(queues): State<Queues>,
    _admin: Admin,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(document): Json<Document>,
) -> Result<Response, Problem> {
    if !super::is_name(&name) {
        let message = "a queue's name is 1 to 63 of a-z, 0-9, _ and -, and begins with a letter or digit";
        return Err(Problem::parameter(message));
    }
    let (document, _) = document.ready(&name, queues.clock.now()).map_err(refuse)?;
    let document = serde_json::to_value(document).map_err(|error| refuse(vec![unwritable(&error)]))?;
    let unchanged = |before: Option<&QueueRow>| match before {
        Some(row) => unchanged(&headers, row),
        None => require_match(&headers, ()),
    };
    let (row, new) = super::replace(&queues, &name, &document, unchanged).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, tagged(&HeaderMap::new(), QueueView::of(row))).into_response())
}

/// Deletes a queue. Its claims stay until they end or expire, but cannot be renewed.
#[utoipa::path(delete, path = "/v1/queues/{name}", tag = "Queues", security(("key" = ["admin"])),
    params(("name" = String, Path), IfMatch), responses((status = 204)))]
async fn delete_queue(
    State(queues): State<Queues>,
    _admin: Admin,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    super::remove(&queues, &name, |row| unchanged(&headers, row)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Fails with 412 if `If-Match` does not name the queue as it is stored.
fn unchanged(headers: &HeaderMap, row: &QueueRow) -> Result<(), Problem> {
    let QueueRow { name, document, created_at, updated_at } = row;
    let row = QueueRow {
        name: name.clone(),
        document: document.clone(),
        created_at: *created_at,
        updated_at: *updated_at,
    };
    require_match(headers, QueueView::of(row))
}

fn refuse(mistakes: Vec<Mistake>) -> Problem {
    Problem::invalid("The queue has mistakes.", mistakes)
}

fn unwritable(error: &serde_json::Error) -> Mistake {
    Mistake::new("", "invalid", error.to_string())
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListRanking {
    /// Only leads that can be handed out now.
    #[serde(default)]
    free: bool,
    /// The ranking for this rep. If the queue uses `owned_by_rep`, it then contains only leads that the rep
    /// owns or nobody owns.
    rep: Option<String>,
    /// How many leads to return: 1 to 500, 50 if absent.
    limit: Option<u16>,
    /// The place to continue from: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The place where a page of a ranking ended. `of` is when the queue was last changed: after a change, the
/// place means nothing.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    of: DateTime<Utc>,
    #[serde(flatten)]
    position: Position,
}

/// A lead at its place in a ranking.
#[derive(Debug, Serialize, ToSchema)]
struct RankedLead {
    #[serde(flatten)]
    lead: LeadView,
    /// The name of the tier that the lead belongs to.
    tier: String,
    /// Whether the lead can be handed out now.
    free: bool,
    /// Why the lead cannot be handed out now. Null if it can.
    obstacle: Option<Obstacle>,
    /// The reasons for the lead's place, as sentences: the tier, if the queue has several; then the values
    /// that the tier orders by; then the three rules that give the lead the most points. The first value that
    /// differs between two neighbours decides which comes first.
    why: Vec<String>,
}

/// Lists the leads of a queue in their order, the next to be called first, with the reasons for each place.
///
/// Leads are handed out in this order: `POST …/next` takes the first lead that is free. A page may have fewer
/// leads than `limit` although more follow, if many leads had to be passed over. `has_more` says whether more
/// follow.
#[utoipa::path(get, path = "/v1/queues/{name}/leads", tag = "Queues",
    params(("name" = String, Path), ListRanking), responses((status = 200, body = Page<RankedLead>)))]
async fn list_ranking(
    State(queues): State<Queues>,
    _reader: Reader,
    Path(name): Path<String>,
    Query(query): Query<ListRanking>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let mut conn = queues.db.acquire().await?;
    let row = super::find(&mut conn, &name).await?.ok_or_else(|| Problem::not_found("queue"))?;
    let (_, queue) = row.ready().map_err(sqlx::Error::from)?;
    let from = query.cursor.as_deref().map(|cursor| place(cursor, &queue)).transpose()?;
    let live = queues.live.current(&mut conn).await?;
    let now = super::now(&queues, &mut conn).await?;
    let asked = Asked { queue: &queue, model: live.id, rep: query.rep.as_deref(), now, free: query.free };
    let (ranked, next) = super::page(&mut conn, asked, from, limit).await?;
    let ids: Vec<LeadId> = ranked.iter().map(|one| one.lead.lead_id).collect();
    let leads = store::leads(&mut conn, live.id, &ids).await?;
    let next_cursor = next.map(|position| page::encode(&Cursor { of: queue.updated_at, position }));
    let tallies = leads.iter().map(|lead| (lead.id, lead.tally().to_vec())).collect();
    let leads = leads::view::shown(&mut conn, leads).await?;
    let data = shown(ranked, (leads, tallies), asked, &live);
    Ok(Page { data, has_more: next_cursor.is_some(), next_cursor }.respond(&uri))
}

/// Reads the place in a cursor. Fails if the queue has changed since the cursor was made.
fn place(cursor: &str, queue: &Queue) -> Result<Position, Problem> {
    let cursor: Cursor = page::decode(cursor)?;
    if cursor.of == queue.updated_at {
        return Ok(cursor.position);
    }
    Err(Problem::parameter("the queue has changed since this cursor was made; start without a cursor"))
}

fn shown(
    ranked: Vec<Ranked>,
    (leads, tallies): (Vec<LeadView>, HashMap<LeadId, Vec<u8>>),
    asked: Asked<'_>,
    live: &Version,
) -> Vec<RankedLead> {
    let mut leads: HashMap<LeadId, LeadView> = leads.into_iter().map(|lead| (lead.id, lead)).collect();
    let ranked = ranked.into_iter().filter(|one| !asked.free || one.obstacle.is_none());
    ranked
        .filter_map(|one| {
            // A lead that was deleted or merged in this moment is left out.
            let lead = leads.remove(&one.lead.lead_id)?;
            let (tier, tally) = (one.position.tier, tallies.get(&lead.id)?);
            Some(RankedLead {
                tier: asked.queue.tiers.get(tier)?.name.clone(),
                why: reasons::of(asked.queue, tier, &one.lead, live, tally, asked.now),
                free: one.obstacle.is_none(),
                obstacle: one.obstacle,
                lead,
            })
        })
        .collect()
}
