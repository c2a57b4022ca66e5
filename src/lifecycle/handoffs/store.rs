//! SQL of handoffs.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::HandoffView;
use crate::{
    lifecycle::stages::{Handoff, HandoffState},
    platform::ids::{HandoffId, LeadId},
};

macro_rules! handoffs {
    ($rest:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            HandoffView,
            r#"-- handoffs::handoffs
            select id, lead_id, state as "state: HandoffState", cycle, rep,
                offered_at, offered_by, due_at, false as "overdue!", breached_at, expires_at, score,
                model_id as model_version, evidence, accepted_at, accepted_by, answered_at, answered_by, reason, note, recycle_until,
                merged_into
            from handoff "# + $rest,
            $($argument),*
        )
    };
}

pub(super) async fn find(conn: &mut PgConnection, id: HandoffId) -> sqlx::Result<Option<HandoffView>> {
    handoffs!("where id = $1", id as HandoffId).fetch_optional(conn).await
}

/// Reads the handoff that a call with the same idempotency key made, or else the open handoff of a lead.
pub(super) async fn earlier(
    conn: &mut PgConnection,
    lead: LeadId,
    request_key: Option<&str>,
) -> sqlx::Result<Option<HandoffView>> {
    handoffs!(
        "where lead_id = $1 and (request_key = $2 or state = 'open') order by request_key = $2 desc nulls last limit 1",
        lead as LeadId,
        request_key
    )
    .fetch_optional(conn)
    .await
}

/// Which handoffs a list contains.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// Only handoffs in one of these states. If empty, handoffs in any state.
    pub(super) states: Vec<&'static str>,
    pub(super) rep: Option<String>,
    pub(super) lead: Option<LeadId>,
    /// Only open handoffs that were due by this instant.
    pub(super) due_by: Option<DateTime<Utc>>,
}

/// Lists handoffs that are older than `before`, newest first.
pub(super) async fn list(
    conn: &mut PgConnection,
    filter: &Filter,
    before: Option<HandoffId>,
    limit: i64,
) -> sqlx::Result<Vec<HandoffView>> {
    handoffs!(
        "where (cardinality($1::text[]) = 0 or state = any($1))
            and ($2::text is null or rep = $2)
            and ($3::uuid is null or lead_id = $3)
            and ($4::timestamptz is null or (state = 'open' and due_at <= $4))
            and ($5::uuid is null or id < $5)
        order by id desc limit $6",
        &filter.states as &[&str],
        filter.rep.as_deref(),
        filter.lead as Option<LeadId>,
        filter.due_by,
        before as Option<HandoffId>,
        limit
    )
    .fetch_all(conn)
    .await
}

pub(super) async fn reassign(conn: &mut PgConnection, id: HandoffId, rep: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "-- handoffs::reassign
        update handoff set rep = $2 where id = $1",
        id as HandoffId,
        rep
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads the leads of open handoffs that are overdue and not yet marked, longest overdue first.
pub(super) async fn due(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        r#"-- handoffs::due
        select lead_id from handoff
        where state = 'open' and breached_at is null and due_at <= $1
        order by due_at limit $2"#,
        now,
        limit
    )
    .fetch_all(conn)
    .await
}

/// Marks the overdue handoffs of these leads, and returns them. The leads must be locked.
pub(super) async fn breach(
    conn: &mut PgConnection,
    leads: &[LeadId],
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Handoff>> {
    sqlx::query_as!(
        Handoff,
        r#"-- handoffs::breach
        update handoff set breached_at = $2
        where lead_id = any($1) and state = 'open' and breached_at is null and due_at <= $2
        returning id, lead_id, state as "state: HandoffState", cycle, score, rep,
            due_at"#,
        leads as &[LeadId],
        now
    )
    .fetch_all(conn)
    .await
}

/// Reads the open handoffs whose time to expire has come, longest expired first.
pub(super) async fn expiring(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<HandoffId>> {
    sqlx::query_scalar!(
        r#"-- handoffs::expiring
        select id from handoff
        where state = 'open' and expires_at <= $1 order by expires_at limit $2"#,
        now,
        limit
    )
    .fetch_all(conn)
    .await
}
