//! SQL of lanes.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::platform::ids::{ChangeId, DeliveryId, EndpointId, LeadId};

/// A courier's lease of a lane.
#[derive(Debug, Clone, Copy)]
pub(in crate::feed::webhooks) struct Lease {
    pub(in crate::feed::webhooks) endpoint_id: EndpointId,
    pub(in crate::feed::webhooks) lead_id: LeadId,
    pub(in crate::feed::webhooks) token: Uuid,
}

/// The next delivery of a lane.
#[derive(Debug)]
pub(in crate::feed::webhooks) struct Head {
    pub(in crate::feed::webhooks) id: DeliveryId,
    pub(in crate::feed::webhooks) message_id: ChangeId,
    pub(in crate::feed::webhooks) body: String,
    pub(in crate::feed::webhooks) tries: i32,
    pub(in crate::feed::webhooks) url: String,
}

/// An endpoint with lanes that are due.
#[derive(Debug)]
pub(in crate::feed::webhooks) struct DueEndpoint {
    pub(in crate::feed::webhooks) id: EndpointId,
    pub(in crate::feed::webhooks) failing: bool,
    pub(in crate::feed::webhooks) lanes: i64,
}

/// Opens the lanes of these leads. Lanes that are open stay as they are; with `hurry`, those without a courier become
/// due at once.
///
/// The lanes are locked until the transaction ends. So no courier closes a lane without seeing what was put into it.
pub(in crate::feed::webhooks) async fn open(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    leads: &[LeadId],
    hurry: bool,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::lanes::open
        insert into webhook_lane as open (endpoint_id, lead_id, due_at)
        select distinct $1::uuid, lead_id, $4::timestamptz from unnest($2::uuid[]) as new (lead_id) order by lead_id
        on conflict (endpoint_id, lead_id) do update set
            due_at = case when $3 and open.lease_token is null then least(open.due_at, $4) else open.due_at end",
        endpoint as EndpointId,
        leads as &[LeadId],
        hurry,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes all waiting lanes of an endpoint due at once.
pub(in crate::feed::webhooks) async fn hurry(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::lanes::hurry
        update webhook_lane set due_at = $2 where endpoint_id = $1 and lease_token is null and due_at > $2",
        endpoint as EndpointId,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the enabled endpoints with lanes that are due, those that have waited longest first. Each has the number of
/// its due lanes, up to `most`.
pub(in crate::feed::webhooks) async fn due(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<Vec<DueEndpoint>> {
    sqlx::query_as!(
        DueEndpoint,
        r#"-- webhooks::lanes::due
        select e.id, e.failing_since is not null as "failing!", l.lanes as "lanes!"
        from webhook_endpoint e
        cross join lateral (
            select count(*) as lanes, min(due_at) as due_at
            from (
                select due_at from webhook_lane
                where endpoint_id = e.id and due_at <= $1 order by due_at limit $2
            ) first
        ) l
        where e.disabled_at is null and e.deleted_at is null and l.lanes > 0
        order by l.due_at, e.id"#,
        now,
        most
    )
    .fetch_all(conn)
    .await
}

/// Leases a lane that is due, until `until`. `None` if no lane is due, or the endpoint is disabled.
pub(in crate::feed::webhooks) async fn acquire(
    conn: &mut PgConnection,
    endpoint_id: EndpointId,
    token: Uuid,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> sqlx::Result<Option<Lease>> {
    let lead = sqlx::query_scalar!(
        "-- webhooks::lanes::acquire
        with taken as (
            select endpoint_id, lead_id from webhook_lane
            where endpoint_id = $1 and due_at <= $2
                and exists (
                    select from webhook_endpoint where id = $1 and disabled_at is null and deleted_at is null
                )
            order by due_at limit 1
            for update skip locked
        )
        update webhook_lane l set lease_token = $3, due_at = $4
        from taken where l.endpoint_id = taken.endpoint_id and l.lead_id = taken.lead_id
        returning l.lead_id",
        endpoint_id as EndpointId,
        now,
        token,
        until
    )
    .fetch_optional(conn)
    .await?;
    Ok(lead.map(|lead_id| Lease { endpoint_id, lead_id, token }))
}

/// Reads the first waiting delivery of a lane.
pub(in crate::feed::webhooks) async fn head(
    conn: &mut PgConnection,
    lease: &Lease,
) -> sqlx::Result<Option<Head>> {
    sqlx::query_as!(
        Head,
        "-- webhooks::lanes::head
        select d.id, d.message_id, d.body, d.tries, e.url
        from webhook_delivery d join webhook_endpoint e on e.id = d.endpoint_id
        where d.endpoint_id = $1 and d.lead_id = $2 and d.state = 'pending'
        order by d.position limit 1",
        lease.endpoint_id as EndpointId,
        lease.lead_id as LeadId
    )
    .fetch_optional(conn)
    .await
}

/// Whether the courier still has the lane. If so, the lane is locked until the transaction ends.
pub(in crate::feed::webhooks) async fn holds(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<bool> {
    let held = sqlx::query_scalar!(
        "-- webhooks::lanes::holds
        select lead_id from webhook_lane
        where endpoint_id = $1 and lead_id = $2 and lease_token = $3 for update",
        lease.endpoint_id as EndpointId,
        lease.lead_id as LeadId,
        lease.token
    )
    .fetch_optional(conn)
    .await?;
    Ok(held.is_some())
}

/// Gives a lane back and sets when it is due.
pub(in crate::feed::webhooks) async fn release(
    conn: &mut PgConnection,
    lease: &Lease,
    due_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::lanes::release
        update webhook_lane set lease_token = null, due_at = $4
        where endpoint_id = $1 and lead_id = $2 and lease_token = $3",
        lease.endpoint_id as EndpointId,
        lease.lead_id as LeadId,
        lease.token,
        due_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(in crate::feed::webhooks) async fn close(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::lanes::close
        delete from webhook_lane where endpoint_id = $1 and lead_id = $2 and lease_token = $3",
        lease.endpoint_id as EndpointId,
        lease.lead_id as LeadId,
        lease.token
    )
    .execute(conn)
    .await?;
    Ok(())
}
