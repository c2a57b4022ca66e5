//! `GET /v1/leads/{id}/score/series`: the score over time, past and to come.

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

/// How many points and how many changes one answer holds.
const MOST_POINTS: i64 = 1_000;
/// How many points come if no step is asked for.
const USUAL_POINTS: i64 = 90;
/// How far the series reaches to either side if nothing is asked for.
const USUAL_REACH: Span = Span(30 * Span::DAY.0);
/// Steps that are not asked for are whole seconds.
const SECOND: i64 = 1_000_000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct GetSeries {
    /// From when on (RFC 3339); 30 days ago if absent.
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    from: Option<Instant>,
    /// Until when (RFC 3339); 30 days ahead if absent.
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    to: Option<Instant>,
    /// How far the points lie apart, such as `6h` or `1d`; about 90 points if absent. At most 1000 points.
    step: Option<String>,
    /// Any version of a model; the live one if absent.
    model: Option<ModelId>,
}

/// A lead's score over time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Series {
    /// Whose.
    lead_id: LeadId,
    /// By which version of a model.
    model_version: ModelId,
    /// The score at equal distances, oldest first.
    points: Vec<Point>,
    /// Where between the first instant and the last the published score, the band or the grade changes, oldest first.
    changes: Vec<ChangeView>,
    /// Whether these are all the changes; no more than 1000 are given.
    changes_complete: bool,
    /// What comes if nothing happens.
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
    /// Whether it is still to come: so it will be if nothing happens until then.
    forecast: bool,
}

/// A change of what is published.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeView {
    at: Instant,
    /// The score until then.
    from: i64,
    /// The score from then on.
    to: i64,
    /// The band from then on.
    band: String,
    /// The grade from then on.
    grade: String,
    /// Whether it is still to come.
    forecast: bool,
}

/// What comes if nothing happens.
#[derive(Debug, Serialize, ToSchema)]
struct Outlook {
    /// When the score may change.
    next_change_at: Option<Instant>,
    /// When the score of an MQL is, or was, first below `leave`.
    falls_below_leave_at: Option<Instant>,
    /// When an MQL stops being one: the dwell is over. Null for one that raised a hand, for a lead that is no MQL, by
    /// a model that is not live, and if it does not come within two years.
    mql_until: Option<Instant>,
}

/// Which instants, seen from now.
#[derive(Debug, Clone, Copy)]
struct Plan {
    from: Instant,
    to: Instant,
    step: Span,
    now: Instant,
}

/// The score over time: the past from the log as it is now, the time to come if nothing happens.
///
/// `changes` has the exact instants at which the published score, band or grade changes, `outlook` how long an MQL stays
/// one. Each point is what the receipt says for its instant.
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
    // A thousand evaluations are no work for a thread that others wait for.
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
        return Err(Problem::parameter(format!("to: it ends ({to}) before it begins ({from})")));
    }
    let step = match &query.step {
        Some(text) => text.parse().map_err(|error| Problem::parameter(format!("step: {error}")))?,
        None => Span((length / USUAL_POINTS + SECOND - 1).max(SECOND) / SECOND * SECOND),
    };
    let points = length / step.0 + 1;
    if points > MOST_POINTS {
        let message = format!(
            "step: {step} makes {points} points of this stretch, and at most {MOST_POINTS} are given; ask for a longer \
             step or a shorter stretch"
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
