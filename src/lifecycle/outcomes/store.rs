//! SQL of outcomes.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{Outcome, Said};
use crate::platform::ids::{HandoffId, LeadId, OutcomeId};

/// A recorded outcome.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RecordedOutcome)]
pub struct OutcomeView {
    /// The id of the outcome.
    pub id: OutcomeId,
    /// The lead whose outcome this is.
    pub lead_id: LeadId,
    /// What became of the lead.
    pub outcome: Outcome,
    /// When the outcome happened.
    pub occurred_at: DateTime<Utc>,
    /// When the outcome was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Who recorded the outcome.
    pub recorded_by: String,
    /// The value of the deal, in the currency's smallest unit (cents).
    pub amount: Option<i64>,
    /// The currency of `amount`, as a code of ISO 4217.
    pub currency: Option<String>,
    /// Why the deal was lost: the code of one of the policy's `loss_reasons`.
    pub reason: Option<String>,
    /// A note of the person who recorded the outcome.
    pub note: Option<String>,
    /// The handoff that sales last accepted for the lead.
    pub handoff_id: Option<HandoffId>,
    /// The outcome that replaced this one, if this one was wrong.
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

/// Reads all outcomes of a lead, in the order in which they were recorded.
pub(super) async fn list(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Vec<OutcomeView>> {
    outcomes!("where lead_id = $1 order by seq", lead as LeadId).fetch_all(conn).await
}

/// Reads the outcome that a call with this idempotency key recorded.
pub(super) async fn by_key(
    conn: &mut PgConnection,
    lead: LeadId,
    key: &str,
) -> sqlx::Result<Option<OutcomeView>> {
    outcomes!("where lead_id = $1 and request_key = $2", lead as LeadId, key).fetch_optional(conn).await
}

/// Notes which outcome replaces a wrong one.
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

/// Stores an outcome, with the handoff that sales last accepted for the lead.
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
