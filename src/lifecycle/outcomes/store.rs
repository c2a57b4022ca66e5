//! SQL of outcomes.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{Outcome, Said};
use crate::platform::ids::{HandoffId, LeadId, OutcomeId};

/// What became of a lead, as somebody recorded it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RecordedOutcome)]
pub struct OutcomeView {
    /// The outcome.
    pub id: OutcomeId,
    /// Of whom.
    pub lead_id: LeadId,
    /// What.
    pub outcome: Outcome,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When it was said.
    pub recorded_at: DateTime<Utc>,
    /// By whom.
    pub recorded_by: String,
    /// What the deal is worth, in the currency's smallest unit.
    pub amount: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Why it was lost: the code of one of the policy's `loss_reasons`.
    pub reason: Option<String>,
    /// What was said besides.
    pub note: Option<String>,
    /// The handoff by which sales had taken the lead.
    pub handoff_id: Option<HandoffId>,
    /// The outcome that stands in its stead, if it was wrong.
    pub replaced_by: Option<OutcomeId>,
}

macro_rules! outcomes {
    ($rest:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            OutcomeView,
            r#"-- outcomes::outcomes
            select id, lead_id, outcome as "outcome: Outcome", occurred_at,
                recorded_at, recorded_by, amount, currency, reason, note, handoff_id,
                replaced_by
            from outcome "# + $rest,
            $($argument),*
        )
    };
}

/// All outcomes of a lead, in the order in which they were recorded.
pub(super) async fn list(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Vec<OutcomeView>> {
    outcomes!("where lead_id = $1 order by seq", lead as LeadId).fetch_all(conn).await
}

/// What the same call has recorded before.
pub(super) async fn by_key(
    conn: &mut PgConnection,
    lead: LeadId,
    key: &str,
) -> sqlx::Result<Option<OutcomeView>> {
    outcomes!("where lead_id = $1 and request_key = $2", lead as LeadId, key).fetch_optional(conn).await
}

/// Says of an outcome which one stands in its stead.
pub(super) async fn replace(conn: &mut PgConnection, wrong: OutcomeId, by: OutcomeId) -> sqlx::Result<()> {
    sqlx::query!(
        "-- outcomes::replace
        update outcome set replaced_by = $2 where id = $1",
        wrong as OutcomeId,
        by as OutcomeId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps what was said, with the handoff that sales accepted last.
pub(super) async fn insert(
    conn: &mut PgConnection,
    lead: LeadId,
    id: OutcomeId,
    said: &Said,
    now: DateTime<Utc>,
) -> sqlx::Result<OutcomeView> {
    sqlx::query_as!(
        OutcomeView,
        r#"-- outcomes::insert
        insert into outcome (id, lead_id, outcome, occurred_at, recorded_at, recorded_by, amount, currency, reason,
            note, request_key, handoff_id)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, (
            select id from handoff where lead_id = $2 and accepted_at is not null order by accepted_at desc limit 1
        ))
        returning id, lead_id, outcome as "outcome: Outcome", occurred_at,
            recorded_at, recorded_by, amount, currency, reason, note, handoff_id,
            replaced_by"#,
        id as OutcomeId,
        lead as LeadId,
        said.outcome.as_str(),
        said.occurred_at.unwrap_or(now),
        now,
        said.by,
        said.amount,
        said.currency,
        said.reason,
        said.note,
        said.request_key
    )
    .fetch_one(conn)
    .await
}
