//! `/v1/leads/{id}/events` and `/timeline`.

use axum::{
    extract::FromRef,
    extract::{OriginalUri, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use scoring::{Verdict, event_type};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    Kind, Place, place,
    store::{self, Only},
};
use crate::{
    http::{
        extract::{Many, Path, Query},
        page::{self, Page},
        problem::Problem,
    },
    intake::corrections::LoggedEvent,
    keys::auth::{Reader, RouterState},
    leads::{Cause, Stage, api::current},
    lifecycle::{outcomes::OutcomeView, stages::HandoffState},
    models::Models,
    platform::ids::{HandoffId, LeadId, ModelId},
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Models: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(list_events)).routes(routes!(get_timeline))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListEvents {
    /// Only events of one of these types: several with commas, or the parameter several times.
    #[serde(default)]
    #[param(value_type = Option<Vec<String>>)]
    r#type: Many<String>,
    /// Only events of which one of these is thought: `human`, `suspect` or `machine`.
    #[serde(default)]
    #[param(value_type = Option<Vec<String>>)]
    verdict: Many<Verdict>,
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct GetTimeline {
    /// How many rows, 1 to 500; 50 if absent.
    limit: Option<u16>,
    /// Where to go on: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Something that happened to a lead. `at` is when it happened; of an outcome, when it was recorded.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum TimelineEntry {
    /// An event of the log.
    Event { at: DateTime<Utc>, data: LoggedEvent },
    /// The lead passed from one stage to another.
    Transition { at: DateTime<Utc>, data: Transition },
    /// Sales was offered the lead.
    HandoffOffered { at: DateTime<Utc>, data: Offered },
    /// What became of the handoff.
    HandoffAnswered { at: DateTime<Utc>, data: Answered },
    /// What became of the lead was recorded.
    Outcome { at: DateTime<Utc>, data: OutcomeView },
}

/// A passage from one stage to another, with the score of its moment. Points in milli-points but `score`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Transition {
    pub(super) id: Uuid,
    /// Whose it was: the lead's, or that of one which was joined with it.
    pub(super) lead_id: LeadId,
    pub(super) from: Stage,
    pub(super) to: Stage,
    pub(super) cause: Cause,
    /// Who said so; null: the rules.
    pub(super) actor: Option<String>,
    /// The reason that they gave.
    pub(super) reason: Option<String>,
    /// How many passages into `mql` it had begun.
    pub(super) cycle: i32,
    pub(super) score: i32,
    pub(super) raw: i64,
    pub(super) fit: i64,
    pub(super) engagement: i64,
    pub(super) grade: String,
    pub(super) band: String,
    pub(super) model_version: ModelId,
}

/// A handoff to sales.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Offered {
    pub(super) handoff_id: HandoffId,
    /// Who offered; null: the rules.
    pub(super) by: Option<String>,
    /// Who is to answer, or has the lead.
    pub(super) rep: Option<String>,
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) cycle: i32,
    pub(super) score: i32,
}

/// What became of a handoff to sales.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Answered {
    pub(super) handoff_id: HandoffId,
    pub(super) state: HandoffState,
    /// Who answered; null: the rules.
    pub(super) by: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) note: Option<String>,
    /// Until when the lead is to be left alone.
    pub(super) until: Option<DateTime<Utc>>,
}

/// The log of a lead: every event that counts for it, newest first.
#[utoipa::path(get, path = "/v1/leads/{id}/events", tag = "Leads", params(("id" = LeadId, Path), ListEvents),
    responses((status = 200, body = Page<LoggedEvent>)))]
async fn list_events(
    State(models): State<Models>,
    _reader: Reader,
    Path(id): Path<LeadId>,
    Query(query): Query<ListEvents>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let cursor: Option<Place> = query.cursor.as_deref().map(page::decode).transpose()?;
    let lead = current(&models, id).await?.id;
    let mut conn = models.db.acquire().await?;
    let before = Place::bound(cursor, Kind::Event);
    let only = Only { kinds: spellings(query.r#type.0), verdicts: query.verdict.0 };
    let rows = store::events(&mut conn, lead, &only, before, i64::from(limit) + 1).await?;
    Ok(Page::of(rows, limit, |row| place(Kind::Event, row)).map(|row| row.what).respond(&uri))
}

/// Types as they are asked for, and in the form in which they are kept: an older release kept some as they came.
fn spellings(kinds: Vec<String>) -> Vec<String> {
    let forms: Vec<String> = kinds.iter().map(|kind| event_type::form(kind).into_owned()).collect();
    kinds.into_iter().chain(forms).collect()
}

/// What happened to a lead, newest first: events, passages between stages, handoffs to sales, outcomes.
#[utoipa::path(get, path = "/v1/leads/{id}/timeline", tag = "Leads", params(("id" = LeadId, Path), GetTimeline),
    responses((status = 200, body = Page<TimelineEntry>)))]
async fn get_timeline(
    State(models): State<Models>,
    _reader: Reader,
    Path(id): Path<LeadId>,
    Query(query): Query<GetTimeline>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let cursor: Option<Place> = query.cursor.as_deref().map(page::decode).transpose()?;
    let lead = current(&models, id).await?.id;
    let conn = &mut *models.db.acquire().await?;
    let (at_most, bound) = (i64::from(limit) + 1, |kind| Place::bound(cursor, kind));

    let mut found: Vec<(Place, TimelineEntry)> = Vec::new();
    for row in store::events(conn, lead, &Only::default(), bound(Kind::Event), at_most).await? {
        let place = place(Kind::Event, &row);
        found.push((place, TimelineEntry::Event { at: place.at, data: row.what }));
    }
    for row in store::transitions(conn, lead, bound(Kind::Transition), at_most).await? {
        let place = place(Kind::Transition, &row);
        found.push((place, TimelineEntry::Transition { at: place.at, data: row.what }));
    }
    for row in store::handoffs(conn, lead, bound(Kind::Handoff), at_most).await? {
        let place = place(Kind::Handoff, &row);
        found.push((place, TimelineEntry::HandoffOffered { at: place.at, data: row.what }));
    }
    for row in store::answers(conn, lead, bound(Kind::Answer), at_most).await? {
        let place = place(Kind::Answer, &row);
        found.push((place, TimelineEntry::HandoffAnswered { at: place.at, data: row.what }));
    }
    for row in store::outcomes(conn, lead, bound(Kind::Outcome), at_most).await? {
        let place = place(Kind::Outcome, &row);
        found.push((place, TimelineEntry::Outcome { at: place.at, data: row.what }));
    }
    found.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
    Ok(Page::of(found, limit, |(place, _)| *place).map(|(_, entry)| entry).respond(&uri))
}
