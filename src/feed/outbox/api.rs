//! `/v1/changes`.

use axum::{
    extract::FromRef,
    extract::{OriginalUri, State},
    http::header,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Kind, Position, Recorded, Stretch, end, read};
use crate::{
    http::{
        extract::{Json, Query},
        page,
        problem::{Code, Problem},
    },
    keys::auth::{Reader, RouterState},
    platform::{
        core::Core,
        ids::{ChangeId, LeadId},
    },
};

/// The cursor of a reader that wants only changes that are still to come.
const NOW: &str = "now";

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Core: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(list_changes))
}

/// What happened to a lead.
#[derive(Debug, Serialize, ToSchema)]
struct LeadChange {
    /// The change's id. A webhook carries it as `webhook-id`.
    id: ChangeId,
    #[schema(value_type = Kind)]
    /// What happened.
    r#type: String,
    /// The lead to which it happened. After `lead.merged` and `lead.erased` this lead no longer exists; `lead.unmerged`
    /// brings a merged lead back.
    lead_id: LeadId,
    /// When it happened.
    at: DateTime<Utc>,
    /// Fields that depend on the type, as they were at that moment.
    #[schema(value_type = Object)]
    data: Value,
}

/// A part of the feed.
#[derive(Debug, Serialize, ToSchema)]
struct Changes {
    /// The changes, in the order in which they became visible.
    data: Vec<LeadChange>,
    /// Whether more changes are there already.
    has_more: bool,
    /// What to send as `cursor` for the next changes that are there already. Null if there are none.
    next_cursor: Option<String>,
    /// What to send as `cursor` in your next call, now or later. Store it.
    resume_cursor: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListChanges {
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `resume_cursor` of the last answer. If absent, the answer begins with the oldest change that
    /// is kept. `now`: only changes that are still to come.
    cursor: Option<String>,
}

/// Lists what happened to leads, in the order in which it became visible. For programs that keep a copy of the leads.
///
/// Call, apply the changes, store `resume_cursor`, and call again with it: at once if `has_more`, else after a while.
/// `next_cursor` is null at the end, so a program that does not know this feed reads its pages and stops. The feed
/// leaves out no change. The changes of one lead come in their order. With each cursor a change comes once. The answer
/// contains everything that was committed when the call arrived. Changes are kept for 30 days, unless the operator
/// chose another time. An older cursor is answered by 410 `cursor_expired`.
#[utoipa::path(get, path = "/v1/changes", tag = "Changes", params(ListChanges),
    responses((status = 200, body = Changes)))]
async fn list_changes(
    State(core): State<Core>,
    _reader: Reader,
    Query(query): Query<ListChanges>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let now = core.clock.now();
    let mut conn = core.db.acquire().await?;
    let place = match query.cursor.as_deref() {
        None => None,
        Some(NOW) => Some(end(&mut conn, now).await?),
        Some(cursor) => Some(page::decode(cursor)?),
    };
    let (found, has_more) = match read(&mut conn, place, limit, now).await? {
        Stretch::Next(found, more) => (found, more),
        Stretch::Gone => return Err(expired()),
    };
    let reached = found.last().map_or(place.unwrap_or(Position(0)), |last| last.position);
    let resume_cursor = page::encode(&reached);
    let next_cursor = has_more.then(|| resume_cursor.clone());
    let link = next_cursor.as_deref().and_then(|cursor| page::link(&uri, cursor));
    let data = found.into_iter().map(view).collect();
    let changes = Changes { data, has_more, next_cursor, resume_cursor };
    let mut response = Json(changes).into_response();
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

fn view(change: Recorded) -> LeadChange {
    let Recorded { id, kind, lead_id, at, data, .. } = change;
    LeadChange { id, r#type: kind, lead_id, at, data }
}

fn expired() -> Problem {
    Problem::new(
        Code::CursorExpired,
        "Changes after this cursor are no longer kept. Get a cursor by `?cursor=now`, read all leads again, then go \
         on from that cursor.",
    )
}
