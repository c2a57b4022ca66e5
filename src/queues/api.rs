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

/// A queue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Queue)]
struct QueueView {
    name: String,
    /// Who is in it, in what order, and how its leads are handed out; what was left out is written down.
    #[schema(value_type = Document)]
    document: Shown,
    /// Why the document cannot be read. The document is then shown as it is stored, and no lead of the queue is handed out:
    /// put another document in its place. Absent as long as all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    unreadable: Option<String>,
    created_at: DateTime<Utc>,
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
                tracing::warn!(queue = name, %why, "a queue's document cannot be read");
                (Shown::Stored(document), Some(why.to_string()))
            }
        };
        QueueView { name, document, unreadable, created_at, updated_at }
    }
}

/// The queues there are.
#[derive(Debug, Serialize, ToSchema)]
struct QueueList {
    /// By name.
    data: Vec<QueueView>,
    /// Always false: queues are few.
    has_more: bool,
    /// Always null.
    next_cursor: Option<String>,
}

/// All queues, by name.
#[utoipa::path(get, path = "/v1/queues", tag = "Queues", responses((status = 200, body = QueueList)))]
async fn list_queues(State(queues): State<Queues>, _reader: Reader) -> Result<Json<QueueList>, Problem> {
    let rows = store::list(&mut *queues.db.acquire().await?).await?;
    let data = rows.into_iter().map(QueueView::of).collect();
    Ok(Json(QueueList { data, has_more: false, next_cursor: None }))
}

/// One queue.
#[utoipa::path(get, path = "/v1/queues/{name}", tag = "Queues", params(("name" = String, Path)),
    responses((status = 200, body = QueueView), (status = 304, description = "Unchanged since the given ETag")))]
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

/// Makes a queue, or puts another document in the place of its own; `{}` is a queue as `sales` is at first.
///
/// From the next call on leads are handed out by it; claims stay as they are.
#[utoipa::path(put, path = "/v1/queues/{name}", tag = "Queues", security(("key" = ["admin"])),
    params(("name" = String, Path, description = "Up to 63 of `a-z`, `0-9`, `_` and `-`"), IfMatch),
    request_body = Document,
    responses((status = 200, body = QueueView), (status = 201, body = QueueView)))]
async fn replace_queue(
    State(queues): State<Queues>,
    _admin: Admin,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(document): Json<Document>,
) -> Result<Response, Problem> {
    if !super::is_name(&name) {
        let message = "a queue's name has up to 63 of a-z, 0-9, _ and -, and begins with a letter or digit";
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

/// Does away with a queue. Claims on its leads run out, and cannot be renewed.
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
    /// Only leads that could be handed out now.
    #[serde(default)]
    free: bool,
    /// As this rep would be handed them: where the queue asks for it, only leads that are the rep's own or nobody's.
    rep: Option<String>,
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Where a page of a ranking ended, of the queue as it then was.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    of: DateTime<Utc>,
    #[serde(flatten)]
    position: Position,
}

/// A lead in its place in a queue.
#[derive(Debug, Serialize, ToSchema)]
struct RankedLead {
    #[serde(flatten)]
    lead: LeadView,
    /// The tier that it belongs to.
    tier: String,
    /// Whether it could be handed out now.
    free: bool,
    /// Why it could not.
    obstacle: Option<Obstacle>,
    /// The tier, where there are several; what its place goes by, the first that differs from a neighbour's deciding;
    /// then the rules that give it the most points.
    why: Vec<String>,
}

/// The ranking of a queue: who is to be called next, best first, with the reasons for each place.
///
/// It is the order in which leads are handed out: `POST …/next` takes the first that is free. A page may be shorter than
/// `limit` with more to follow, where many leads had to be passed over; `has_more` says so.
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
            // One that has gone in this moment is left out.
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
