//! `GET /v1/leads/{id}/score/series`: the score over time, in the past and in the future.

use axum::extract::State;
use scoring::{
    Event, Instant, Milli, Model, Score, Span,
    forecast::{self, Changes, Leaving, Walk},
};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use utoipa::{IntoParams, ToSchema};

use super::{
    super::store::{self, PassageRow},
    open,
};
use crate::{
    http::{
        aside::aside,
        extract::{Json, Path, Query},
        problem::Problem,
    },
    keys::auth::Reader,
    models::Models,
    platform::{
        clock::to_instant,
        ids::{LeadId, ModelId},
    },
};

/// The most points, and the most changes, in one answer.
const MOST_POINTS: i64 = 1_000;
/// About how many points an answer has if the query has no `step`.
const USUAL_POINTS: i64 = 90;
/// How far the series reaches before and after now if the query has no `from` or `to`.
const USUAL_REACH: Span = Span(30 * Span::DAY.0);
/// A second in microseconds. A step that the service chooses is in whole seconds.
const SECOND: i64 = 1_000_000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct GetSeries {
    /// The first instant of the series (RFC 3339); 30 days ago if absent.
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    from: Option<Instant>,
    /// The end of the series (RFC 3339), inclusive; 30 days from now if absent.
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    to: Option<Instant>,
    /// The time from one point to the next, such as `6h` or `1d`. If absent, the answer has about 90 points.
    /// A step that would give more than 1000 points is refused.
    step: Option<String>,
    /// The version of a model by which the scores are computed; the live version if absent.
    model: Option<ModelId>,
}

/// A lead's score over time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Series {
    /// The lead.
    lead_id: LeadId,
    /// The version of the model by which the scores were computed.
    model_version: ModelId,
    /// The score from `from` on, at every `step`, oldest first.
    points: Vec<Point>,
    /// The changes of the published score, the band or the grade after `from` and up to `to`, oldest first.
    /// At most 1000.
    changes: Vec<ChangeView>,
    /// Whether `changes` has all changes of this stretch of time.
    changes_complete: bool,
    /// How the score goes on if nothing happens.
    outlook: Outlook,
}

/// The score at an instant. Points other than `score` are milli-points.
#[derive(Debug, Serialize, ToSchema)]
struct Point {
    at: Instant,
    score: i64,
    raw: Milli,
    fit: Milli,
    engagement: Milli,
    band: String,
    grade: String,
    /// Whether the instant lies in the future. A future score assumes that nothing happens until then.
    forecast: bool,
}

/// A change of the published score, the band or the grade.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeView {
    at: Instant,
    /// The score before the change.
    from: i64,
    /// The score after the change.
    to: i64,
    /// The band after the change.
    band: String,
    /// The grade after the change.
    grade: String,
    /// Whether the change lies in the future. A future change assumes that nothing happens until then.
    forecast: bool,
}

/// How the score goes on if nothing happens.
#[derive(Debug, Serialize, ToSchema)]
struct Outlook {
    /// The next instant at which the score may change; null if never.
    next_change_at: Option<Instant>,
    /// When the score of an MQL first falls, or fell, below `leave`. Null in the same cases as `mql_until`,
    /// and if the score stays at `leave` or above.
    falls_below_leave_at: Option<Instant>,
    /// When the dwell ends and the lead stops being an MQL. Null if this does not happen within two years.
    /// Also null for an MQL by hand-raise, for a lead that is no MQL, and for a version that is not live.
    mql_until: Option<Instant>,
}

/// The instants of a series: from `from` to `to` in steps, and the instant of the request.
#[derive(Debug, Clone, Copy)]
struct Plan {
    from: Instant,
    to: Instant,
    step: Span,
    now: Instant,
}

/// Returns a lead's score over time. The past is computed from the log as it is now. The future assumes that
/// nothing happens.
///
/// `changes` has the exact instants at which the published score, band or grade changes. `outlook` says how
/// long an MQL stays an MQL. Each point equals the score of the receipt for its instant.
#[utoipa::path(get, path = "/v1/leads/{id}/score/series", tag = "Leads", params(("id" = LeadId, Path), GetSeries),
    responses((status = 200, body = Series)))]
pub(super) async fn get_series(
    State(models): State<Models>,
    _reader: Reader,
    Path(id): Path<LeadId>,
    Query(query): Query<GetSeries>,
) -> Result<Json<Series>, Problem> {
    let plan = plan(&query, to_instant(models.clock.now()))?;
    let case = open(&models, id, query.model).await?;
    let passage = if case.live {
        store::passage_by_threshold(&mut *models.db.acquire().await?, case.lead_id).await?
    } else {
        None
    };
    // A thousand evaluations would make other requests on this thread wait.
    let computed = aside(move || {
        let (points, changes, outlook) = compute(&case.model.model, &case.events, plan, passage.as_ref());
        Series {
            lead_id: case.lead_id,
            model_version: case.model.id,
            points,
            changes_complete: changes.complete,
            changes: changes.found.iter().map(|change| ChangeView::of(change, plan.now)).collect(),
            outlook,
        }
    });
    Ok(Json(computed.await?))
}

fn plan(query: &GetSeries, now: Instant) -> Result<Plan, Problem> {
    let from = query.from.unwrap_or(Instant::from_micros(now.as_micros() - USUAL_REACH.0));
    let to = query.to.or_else(|| now.plus(USUAL_REACH)).unwrap_or(Instant::LAST);
    let length = to.since(from).0;
    if length < 0 {
        return Err(Problem::parameter(format!("to: the series ends ({to}) before it begins ({from})")));
    }
    let step = match &query.step {
        Some(text) => text.parse().map_err(|error| Problem::parameter(format!("step: {error}")))?,
        None => Span((length / USUAL_POINTS + SECOND - 1).max(SECOND) / SECOND * SECOND),
    };
    let points = length / step.0 + 1;
    if points > MOST_POINTS {
        let message = format!(
            "step: a step of {step} gives {points} points, and an answer has at most {MOST_POINTS}; ask for a longer \
             step or a shorter time"
        );
        return Err(Problem::parameter(message));
    }
    Ok(Plan { from, to, step, now })
}

fn compute(
    model: &Model,
    events: &[Event],
    plan: Plan,
    passage: Option<&PassageRow>,
) -> (Vec<Point>, Changes, Outlook) {
    let profile = Map::new();
    let walk = Walk::new(model, &profile, events);
    let mut steps = walk.clone();
    let instants =
        std::iter::successors(Some(plan.from), |at| at.plus(plan.step).filter(|next| *next <= plan.to));
    let points = instants.map(|at| Point::of(steps.at(at), plan.now)).collect();
    let most = usize::try_from(MOST_POINTS).unwrap_or(usize::MAX);
    let changes = forecast::changes(&mut walk.clone(), plan.from, plan.to, most);
    let leaving = |passage: &PassageRow| {
        forecast::leaving(&mut walk.clone(), plan.now, passage.below_since.map(to_instant))
    };
    let Leaving { falls_below_at, leaves_at } = passage.map(leaving).unwrap_or_default();
    let mut ahead = walk;
    let outlook = Outlook {
        next_change_at: ahead.at(plan.now).next_change_at,
        falls_below_leave_at: falls_below_at,
        mql_until: leaves_at,
    };
    (points, changes, outlook)
}

impl Point {
    fn of(score: Score, now: Instant) -> Point {
        Point {
            at: score.as_of,
            score: score.score,
            raw: score.raw,
            fit: score.fit,
            engagement: score.engagement,
            band: score.band,
            grade: score.grade,
            forecast: score.as_of > now,
        }
    }
}

impl ChangeView {
    fn of(change: &forecast::Change, now: Instant) -> ChangeView {
        let forecast::Change { before, after } = change;
        ChangeView {
            at: after.as_of,
            from: before.score,
            to: after.score,
            band: after.band.clone(),
            grade: after.grade.clone(),
            forecast: after.as_of > now,
        }
    }
}
