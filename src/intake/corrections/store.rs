//! SQL of corrections.

use sqlx::PgConnection;

use super::LoggedEvent;
use crate::platform::ids::{EventKey, LeadId};

/// Reads the event of a lead with this key, under any of the lead's identities.
pub(super) async fn event(
    conn: &mut PgConnection,
    lead: LeadId,
    key: EventKey,
) -> sqlx::Result<Option<LoggedEvent>> {
    sqlx::query_as!(
        LoggedEvent,
        r#"-- corrections::event
        select id as "id!", type as "kind!", occurred_at as "occurred_at!", received_at as "received_at!",
            properties as "properties!", verdict as "verdict!", verdict_reason, held_until
        from lead_event
        where lead_id = $1 and event_key = $2
        order by type in ('score_adjusted', 'engagement_reset', 'verdict_changed') desc, occurred_at
        limit 1"#,
        lead as LeadId,
        key as EventKey
    )
    .fetch_optional(conn)
    .await
}
