//! SQL of corrections.

use sqlx::PgConnection;

use super::LoggedEvent;
use crate::{
    ids::{EventKey, LeadId},
    leads::identity::{Identity, Kind, Named},
};

/// An identity as it is stored.
pub(super) struct IdentityRow {
    kind: String,
    value: String,
}

impl IdentityRow {
    /// What an event says that names this identity alone.
    pub(super) fn named(self) -> Option<Named> {
        let kind = [Kind::UserId, Kind::Email, Kind::AnonymousId]
            .into_iter()
            .find(|kind| kind.as_str() == self.kind)?;
        let identity = Identity::parse(kind, &self.value).ok()?;
        let mut by_kind = [None, None, None];
        let place = match kind {
            Kind::UserId => 0,
            Kind::Email => 1,
            Kind::AnonymousId => 2,
        };
        by_kind[place] = Some(identity);
        let [user_id, email, anonymous_id] = by_kind;
        Named::new(user_id, email, anonymous_id, false)
    }
}

/// The strongest identity whose events count for a lead from now on: user id, then e-mail, then anonymous id; of
/// several of a kind one that follows no other.
pub(super) async fn strongest_identity(
    conn: &mut PgConnection,
    lead: LeadId,
) -> sqlx::Result<Option<IdentityRow>> {
    sqlx::query_as!(
        IdentityRow,
        "-- corrections::strongest_identity
        select i.kind, i.value
        from identity_span s join identity i on i.id = s.identity_id
        where s.lead_id = $1 and s.until is null
        order by array_position(array['user_id', 'email', 'anonymous_id'], i.kind), s.parent_id is not null, i.value
        limit 1",
        lead as LeadId
    )
    .fetch_optional(conn)
    .await
}

/// The event of a lead under this key, whichever of its identities it hangs on.
pub(super) async fn event(
    conn: &mut PgConnection,
    lead: LeadId,
    key: EventKey,
) -> sqlx::Result<Option<LoggedEvent>> {
    sqlx::query_as!(
        LoggedEvent,
        "-- corrections::event
        select e.id, e.type as kind, e.occurred_at, e.received_at, e.properties, e.verdict
        from identity_span s
        join event e on e.identity_id = s.identity_id and e.event_key = $2
            and e.occurred_at >= s.since and (s.until is null or e.occurred_at < s.until)
        where s.lead_id = $1
        order by e.type in ('score_adjusted', 'engagement_reset') desc, e.occurred_at
        limit 1",
        lead as LeadId,
        key as EventKey
    )
    .fetch_optional(conn)
    .await
}
