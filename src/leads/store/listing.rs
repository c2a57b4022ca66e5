//! SQL of lists of leads: filtered, in an order, after a place.

use chrono::{DateTime, Utc};
use scoring::Instant;
use sqlx::PgConnection;

use super::answering;
use crate::{
    leads::{
        MqlBy, Stage,
        view::{LeadRow, lead_rows},
    },
    platform::{
        clock::{to_instant, to_utc},
        ids::{IdentityId, LeadId, ModelId},
    },
};

/// Up to how many matching leads a search looks up the leads one by one.
const FEW: i64 = 5_000;

/// The conditions that the leads of a list meet.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// Leads at any of these stages, or at every stage if the list is empty. Bands and grades work the same
    /// way.
    pub(crate) stages: Vec<&'static str>,
    pub(crate) bands: Vec<String>,
    pub(crate) grades: Vec<String>,
    pub(crate) min_score: Option<i32>,
    pub(crate) owner: Option<String>,
    pub(crate) updated_since: Option<DateTime<Utc>>,
    pub(crate) identity: Option<IdentityId>,
    /// The search question that the leads' words must match, as [`question`](crate::leads::words::question)
    /// writes it.
    pub(crate) question: Option<String>,
}

/// The order of a list of leads. Ties are sorted by id, in the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(crate) enum Sort {
    /// Highest score first.
    #[default]
    ScoreDown,
    /// Lowest score first.
    ScoreUp,
    /// Last changed first.
    UpdatedDown,
    /// Longest unchanged first, for a sync.
    UpdatedUp,
    /// Newest first.
    CreatedDown,
    /// Oldest first.
    CreatedUp,
}

impl Sort {
    /// Reads `score`, `-score`, `updated_at`, …
    pub(crate) fn parse(text: &str) -> Option<Sort> {
        Some(match text {
            "-score" => Sort::ScoreDown,
            "score" => Sort::ScoreUp,
            "-updated_at" => Sort::UpdatedDown,
            "updated_at" => Sort::UpdatedUp,
            "-created_at" => Sort::CreatedDown,
            "created_at" => Sort::CreatedUp,
            _ => return None,
        })
    }
}

/// A place in a list: the order, and the values of the row by which the list may be sorted.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub(crate) struct Place {
    sort: Sort,
    score: i32,
    updated_at: Instant,
    id: LeadId,
}

impl Place {
    /// The place of a row in a list with this order.
    pub(crate) fn of(row: &LeadRow, sort: Sort) -> Place {
        Place { sort, score: row.score, updated_at: to_instant(row.updated_at), id: row.id }
    }

    /// The order of the list.
    pub(crate) fn sort(&self) -> Sort {
        self.sort
    }
}

macro_rules! list {
    ($conn:expr, $model:expr, ($filter:expr, $few:expr), $place:expr, $limit:expr, $order:tt) => {
        lead_rows!(
            ["where s.model_id = $1
                and (cardinality($2::text[]) = 0 or s.stage = any($2))
                and (cardinality($3::text[]) = 0 or s.band = any($3))
                and (cardinality($4::text[]) = 0 or s.grade = any($4))
                and ($5::integer is null or s.score >= $5)
                and ($6::timestamptz is null or s.updated_at >= $6)
                and ($7::text is null or p.attributes -> 'owner' ->> 'value' = $7)
                and ($8::uuid is null or s.lead_id in (select lead_id from identity_span where identity_id = $8))
                and ($9::uuid[] is null or s.lead_id = any($9))
                and ($14::text is null or exists (
                    select from lead_words w where w.lead_id = s.lead_id and w.words @@ $14::text::tsquery
                ))
                and ($10::uuid is null or " + $order + " limit $13"],
            $model as ModelId,
            &$filter.stages as &[&str],
            &$filter.bands,
            &$filter.grades,
            $filter.min_score,
            $filter.updated_since,
            $filter.owner.as_deref(),
            $filter.identity as Option<IdentityId>,
            $few as Option<&[LeadId]>,
            $place.map(|place| place.id) as Option<LeadId>,
            $place.map(|place| place.score),
            $place.map(|place| to_utc(place.updated_at)),
            $limit,
            $filter.question.as_deref().filter(|_| $few.is_none())
        )
        .fetch_all($conn)
        .await
    };
}

/// The leads that match a question, if there are at most [`FEW`]. They are then looked up one by one. If more
/// leads match, the list soon meets enough of them in its own order, so `None` is returned.
async fn few(conn: &mut PgConnection, question: Option<&str>) -> sqlx::Result<Option<Vec<LeadId>>> {
    let Some(question) = question else { return Ok(None) };
    if question.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let found = answering(conn, question, FEW + 1).await?;
    Ok((i64::try_from(found.len()).unwrap_or(i64::MAX) <= FEW).then_some(found))
}

/// Lists at most `limit` leads under a model, after a place in the order.
pub(crate) async fn list(
    conn: &mut PgConnection,
    model: ModelId,
    filter: &Filter,
    sort: Sort,
    after: Option<Place>,
    limit: i64,
) -> sqlx::Result<Vec<LeadRow>> {
    let place = after.as_ref();
    let few = few(conn, filter.question.as_deref()).await?;
    let few = few.as_deref();
    if few.is_some_and(<[LeadId]>::is_empty) {
        return Ok(Vec::new());
    }
    macro_rules! ordered {
        ($order:tt) => {
            list!(conn, model, (filter, few), place, limit, $order)
        };
    }
    match sort {
        Sort::ScoreDown => ordered!(
            "(s.score, s.lead_id) < ($11, $10) or $12::timestamptz is null) order by s.score desc, s.lead_id desc"
        ),
        Sort::ScoreUp => ordered!(
            "(s.score, s.lead_id) > ($11, $10) or $12::timestamptz is null) order by s.score, s.lead_id"
        ),
        Sort::UpdatedDown => ordered!(
            "(s.updated_at, s.lead_id) < ($12, $10) or $11::integer is null)
                order by s.updated_at desc, s.lead_id desc"
        ),
        Sort::UpdatedUp => ordered!(
            "(s.updated_at, s.lead_id) > ($12, $10) or $11::integer is null) order by s.updated_at, s.lead_id"
        ),
        Sort::CreatedDown => ordered!(
            "s.lead_id < $10 or $11::integer is null or $12::timestamptz is null) order by s.lead_id desc"
        ),
        Sort::CreatedUp => ordered!(
            "s.lead_id > $10 or $11::integer is null or $12::timestamptz is null) order by s.lead_id"
        ),
    }
}
