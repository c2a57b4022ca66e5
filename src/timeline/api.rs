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
    /// Only events of one of these types. To give several, separate them by commas or repeat the parameter.
    #[serde(default)]
    #[param(value_type = Option<Vec<String>>)]
    r#type: Many<String>,
    /// Only events with one of these verdicts: `human`, `suspect` or `machine`. Several as for `type`.
    #[serde(default)]
    #[param(value_type = Option<Vec<String>>)]
    verdict: Many<Verdict>,
    /// How many events to return: 1 to 500, 50 if absent.
    limit: Option<u16>,
    /// The place to continue from: the `next_cursor` of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct GetTimeline {
    /// How many entries to return: 1 to 500, 50 if absent.
    limit: Option<u16>,
    /// The place to continue from: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Something that happened to a lead. `at` says when. For an outcome, `at` is when the outcome was recorded.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum TimelineEntry {
    /// An event of the log.
    Event { at: DateTime<Utc>, data: LoggedEvent },
    /// The lead passed from one stage to another.
    Transition { at: DateTime<Utc>, data: Transition },
    /// Sales was offered the lead.
    HandoffOffered { at: DateTime<Utc>, data: Offered },
    /// A handoff was answered, or ended by itself.
    HandoffAnswered { at: DateTime<Utc>, data: Answered },
    /// A person recorded an outcome of the lead.
    Outcome { at: DateTime<Utc>, data: OutcomeView },
}

/// A passage from one stage to another, with the score at that moment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Transition {
    /// The id of the transition.
    pub(super) id: Uuid,
    /// The lead that passed: this lead, or a lead that was joined into it later.
    pub(super) lead_id: LeadId,
    /// The stage before.
    pub(super) from: Stage,
    /// The stage after.
    pub(super) to: Stage,
    /// Why the lead passed.
    pub(super) cause: Cause,
    /// Who moved the lead. Null: the rules did.
    pub(super) actor: Option<String>,
    /// The reason that the actor gave.
    pub(super) reason: Option<String>,
    /// How often the lead had become an MQL, this passage included.
    pub(super) cycle: i32,
    /// The published score, in whole points.
    pub(super) score: i32,
    /// Fit, engagement and adjustments added up, in milli-points.
    pub(super) raw: i64,
    /// The points of the dimension `fit`, in milli-points.
    pub(super) fit: i64,
    /// The points of the dimension `engagement`, in milli-points.
    pub(super) engagement: i64,
    /// The grade, such as `A1`.
    pub(super) grade: String,
    /// The band, such as `hot`.
    pub(super) band: String,
    /// The version of the model that gave the score.
    pub(super) model_version: ModelId,
}

/// An offer of the lead to sales.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Offered {
    /// The handoff.
    pub(super) handoff_id: HandoffId,
    /// Who offered the lead. Null: the rules did.
    pub(super) by: Option<String>,
    /// The rep who must answer, or who has the lead.
    pub(super) rep: Option<String>,
    /// By when sales must answer. Null: at any time.
    pub(super) due_at: Option<DateTime<Utc>>,
    /// How often the lead had become an MQL.
    pub(super) cycle: i32,
    /// The published score at the moment of the offer, in whole points.
    pub(super) score: i32,
}

/// The answer to a handoff, or its end.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Answered {
    /// The handoff.
    pub(super) handoff_id: HandoffId,
    /// The state that the handoff entered.
    pub(super) state: HandoffState,
    /// Who answered. Null: the rules ended the handoff.
    pub(super) by: Option<String>,
    /// Why the handoff ended: a code, a text of the person, or the cause of the withdrawal.
    pub(super) reason: Option<String>,
    /// The note of the person who answered.
    pub(super) note: Option<String>,
    /// The instant before which a recycled lead cannot be an MQL again, if sales named one.
    pub(super) until: Option<DateTime<Utc>>,
}

/// Lists the events of a lead, newest first. These are all events in the spans of the lead's identities,
/// whatever their verdict.
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

/// Returns the types as the caller wrote them, and in their normal form. Older releases stored some types as
/// they came.
fn spellings(kinds: Vec<String>) -> Vec<String> {
    let forms: Vec<String> = kinds.iter().map(|kind| event_type::form(kind).into_owned()).collect();
    kinds.into_iter().chain(forms).collect()
}

/// Lists what happened to a lead, newest first: events, passages between stages, handoffs to sales, outcomes.
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
