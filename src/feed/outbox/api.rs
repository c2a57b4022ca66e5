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

/// The cursor of those who want only what is still to come.
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
    /// Its own id; a webhook carries it as `webhook-id`.
    id: ChangeId,
    #[schema(value_type = Kind)]
    r#type: String,
    /// To whom it happened; after `lead.merged` and `lead.erased` there is no such lead, until `lead.unmerged`.
    lead_id: LeadId,
    /// When it happened.
    at: DateTime<Utc>,
    /// What is particular to the type, as it was at that moment.
    #[schema(value_type = Object)]
    data: Value,
}

/// A stretch of the feed.
#[derive(Debug, Serialize, ToSchema)]
struct Changes {
    /// The changes, in the order in which they became visible.
    data: Vec<LeadChange>,
    /// Whether more are there already.
    has_more: bool,
    /// What to send as `cursor` for what is there already; null if nothing more is.
    next_cursor: Option<String>,
    /// What to send as `cursor` next time, now or later; keep it.
    resume_cursor: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListChanges {
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `resume_cursor` of the last answer. Absent: from the oldest change that is kept. `now`: only
    /// what is still to come.
    cursor: Option<String>,
}

/// What happened to leads, in the order in which it became visible: for those who keep a copy.
///
/// Ask, apply, keep `resume_cursor`, ask again with it: at once while `has_more`, else after a while. `next_cursor` is null
/// at the end, so that a program that knows nothing of this feed pages through it and stops. No change is left
/// out, one lead's changes come in their order, and each comes once for a cursor. The answer holds everything that was
/// committed when the call came. Changes are kept for 30 days, unless the operator chose another time; a cursor that is
/// older is answered by 410 `cursor_expired`.
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
        "Changes after this cursor are no longer kept. Take a cursor from `?cursor=now`, read the leads again, then go \
         on from that cursor.",
    )
}
