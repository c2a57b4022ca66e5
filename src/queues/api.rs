//! `/v1/queues`.

use axum::{
    extract::{OriginalUri, State},
    response::Response,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    SALES,
    store::{self, Rank},
};
use crate::{
    app::App,
    http::{
        auth::Reader,
        extract::{Path, Query},
        page::{self, Page},
        problem::Problem,
    },
    leads::view::{LeadRow, LeadView},
};

/// The calls of this room.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_queue))
}

/// How many rules are named as reasons.
const REASONS: usize = 3;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQueue {
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A lead in its place in a queue.
#[derive(Debug, Serialize, ToSchema)]
struct RankedLead {
    #[serde(flatten)]
    lead: LeadView,
    /// What its place goes by, the first that differs from a neighbour's deciding; then the rules that give it the
    /// most points.
    why: Vec<String>,
}

/// The ranking of a queue: who is to be called next, best first, with the reasons for each place.
#[utoipa::path(get, path = "/v1/queues/{name}/leads", tag = "Queues",
    params(("name" = String, Path, description = "`sales`"), ListQueue),
    responses((status = 200, body = Page<RankedLead>)))]
async fn list_queue(
    State(app): State<App>,
    _reader: Reader,
    Path(name): Path<String>,
    Query(query): Query<ListQueue>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    if name != SALES {
        return Err(Problem::not_found("queue"));
    }
    let limit = page::limit(query.limit)?;
    let after: Option<Rank> = query.cursor.as_deref().map(page::decode).transpose()?;
    let mut conn = app.db.acquire().await?;
    let live = app.live.current(&mut conn).await?;
    let rows = store::ranking(&mut conn, live.id, after, i64::from(limit) + 1).await?;
    let now = app.clock.now();
    let reasons = |row: LeadRow| {
        let reasons = live.reasons(row.tally(), now, REASONS);
        ranked(row.into(), reasons)
    };
    Ok(Page::of(rows, limit, Rank::of).map(reasons).respond(&uri))
}

fn ranked(lead: LeadView, reasons: Vec<String>) -> RankedLead {
    let mut why = vec![
        format!("score {} ({})", lead.score, lead.band),
        format!("raw {} points", scoring::Milli(lead.raw)),
        format!("first seen {}", lead.created_at.format("%Y-%m-%d %H:%M:%S UTC")),
    ];
    why.extend(reasons);
    RankedLead { lead, why }
}
