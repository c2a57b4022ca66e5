//! SQL of corrections.

use sqlx::PgConnection;

use super::LoggedEvent;
use crate::platform::ids::{EventKey, LeadId};

/// The event of a lead under this key, whichever of its identities it hangs on.
pub(super) async fn event(
    conn: &mut PgConnection,
    lead: LeadId,
    key: EventKey,
) -> sqlx::Result<Option<LoggedEvent>> {
    sqlx::query_as!(
        LoggedEvent,
        "-- corrections::event
        select e.id, e.type as kind, e.occurred_at, e.received_at, e.properties, e.verdict, e.verdict_reason,
            e.held_until
        from identity_span s
        join event e on e.identity_id = s.identity_id and e.event_key = $2
            and e.occurred_at >= s.since and (s.until is null or e.occurred_at < s.until)
        where s.lead_id = $1
        order by e.type in ('score_adjusted', 'engagement_reset', 'verdict_changed') desc, e.occurred_at
        limit 1",
        lead as LeadId,
        key as EventKey
    )
    .fetch_optional(conn)
    .await
}
