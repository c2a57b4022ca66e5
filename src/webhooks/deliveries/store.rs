//! SQL of deliveries, their attempts, and the lanes in which they wait.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{New, State};
use crate::{
    ids::{ChangeId, DeliveryId, EndpointId, LeadId},
    outbox::Position,
    webhooks::courier::Attempt,
};

/// A courier's right to a lane.
#[derive(Debug, Clone, Copy)]
pub(in crate::webhooks) struct Lease {
    pub(in crate::webhooks) endpoint_id: EndpointId,
    pub(in crate::webhooks) lead_id: LeadId,
    pub(in crate::webhooks) token: Uuid,
}

/// What is to be sent next in a lane.
#[derive(Debug)]
pub(in crate::webhooks) struct Head {
    pub(in crate::webhooks) id: DeliveryId,
    pub(in crate::webhooks) message_id: ChangeId,
    pub(in crate::webhooks) body: String,
    pub(in crate::webhooks) tries: i32,
    pub(in crate::webhooks) url: String,
}

/// An endpoint with lanes that are due.
#[derive(Debug)]
pub(in crate::webhooks) struct DueEndpoint {
    pub(in crate::webhooks) id: EndpointId,
    pub(in crate::webhooks) failing: bool,
    pub(in crate::webhooks) lanes: i64,
}

/// Puts deliveries into the log, to be sent.
pub(super) async fn insert(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    new: &[New],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let ids: Vec<DeliveryId> = new.iter().map(|one| one.id).collect();
    let messages: Vec<ChangeId> = new.iter().map(|one| one.message_id).collect();
    let leads: Vec<LeadId> = new.iter().map(|one| one.lead_id).collect();
    let positions: Vec<Position> = new.iter().map(|one| one.position).collect();
    let kinds: Vec<&str> = new.iter().map(|one| one.kind.as_str()).collect();
    let bodies: Vec<&str> = new.iter().map(|one| one.body.as_str()).collect();
    sqlx::query!(
        "-- webhooks::insert_deliveries
        insert into webhook_delivery (endpoint_id, id, message_id, lead_id, position, type, body, state, created_at)
        select $1, id, message_id, lead_id, position, type, body, 'pending', $8
        from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::text[])
            as new (id, message_id, lead_id, position, type, body)",
        endpoint as EndpointId,
        &ids as &[DeliveryId],
        &messages as &[ChangeId],
        &leads as &[LeadId],
        &positions as &[Position],
        &kinds as &[&str],
        &bodies as &[&str],
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Opens the lanes of these leads; those that are open stay as they are, but that with `hurry` none waits any longer. The
/// lanes are held until the transaction ends, so that nobody closes one who has not seen what was put into it.
pub(super) async fn open_lanes(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    leads: &[LeadId],
    hurry: bool,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::open_lanes
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

/// Lets no lane of an endpoint wait any longer.
pub(in crate::webhooks) async fn hurry(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::hurry
        update webhook_lane set due_at = $2 where endpoint_id = $1 and lease_token is null and due_at > $2",
        endpoint as EndpointId,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The endpoints that have lanes which are due, those that have waited longest first, with how many, up to `most`.
pub(in crate::webhooks) async fn due(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<Vec<DueEndpoint>> {
    sqlx::query_as!(
        DueEndpoint,
        r#"-- webhooks::due
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

/// Takes a lane that is due for a while; none if there is none, or the endpoint is disabled.
pub(super) async fn acquire(
    conn: &mut PgConnection,
    endpoint_id: EndpointId,
    token: Uuid,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> sqlx::Result<Option<Lease>> {
    let lead = sqlx::query_scalar!(
        "-- webhooks::acquire
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

/// The first in a lane's line.
pub(super) async fn head(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<Option<Head>> {
    sqlx::query_as!(
        Head,
        "-- webhooks::head
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

/// Whether the lane is still this courier's; if so, nobody else touches it until the transaction ends.
pub(super) async fn holds(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<bool> {
    let held = sqlx::query_scalar!(
        "-- webhooks::holds
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

/// Writes down an attempt and what it made of the delivery.
pub(super) async fn record(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    delivery: DeliveryId,
    attempt: &Attempt,
    state: State,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::record
        with counted as (
            update webhook_delivery set tries = tries + 1, attempts = attempts + 1, state = $3
            where endpoint_id = $1 and id = $2
            returning attempts
        )
        insert into webhook_attempt (endpoint_id, delivery_id, number, at, duration_ms, status, error, response)
        select $1, $2, attempts, $4, $5, $6, $7, $8 from counted",
        endpoint as EndpointId,
        delivery as DeliveryId,
        state as State,
        attempt.at,
        i32::try_from(attempt.duration.as_millis()).unwrap_or(i32::MAX),
        attempt.answer.as_ref().ok().map(|status| i32::from(*status)),
        attempt.answer.as_ref().err(),
        attempt.response
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a lane back, due at an instant.
pub(super) async fn release(
    conn: &mut PgConnection,
    lease: &Lease,
    due_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::release
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

pub(super) async fn close(conn: &mut PgConnection, lease: &Lease) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::close
        delete from webhook_lane where endpoint_id = $1 and lead_id = $2 and lease_token = $3",
        lease.endpoint_id as EndpointId,
        lease.lead_id as LeadId,
        lease.token
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a ping into the log, after it was sent.
pub(super) async fn insert_ping(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    delivery: DeliveryId,
    message: ChangeId,
    body: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::insert_ping
        insert into webhook_delivery (endpoint_id, id, message_id, type, body, state, created_at)
        values ($1, $2, $3, 'webhook.ping', $4, 'failed', $5)",
        endpoint as EndpointId,
        delivery as DeliveryId,
        message as ChangeId,
        body,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The deliveries that were made since an instant and given up, after the one named, at most `limit`; and whose they are.
pub(super) async fn given_up(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    since: DateTime<Utc>,
    after: Option<DeliveryId>,
    limit: i64,
) -> sqlx::Result<Vec<(DeliveryId, LeadId)>> {
    let rows = sqlx::query!(
        r#"-- webhooks::given_up
        select id, lead_id as "lead_id!: LeadId" from webhook_delivery
        where endpoint_id = $1 and created_at >= $2 and ($3::uuid is null or id > $3)
            and state = 'failed' and lead_id is not null
        order by id limit $4"#,
        endpoint as EndpointId,
        since,
        after as Option<DeliveryId>,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.lead_id)).collect())
}

/// Whose change a delivery brings; inner none: nobody's, it is a ping.
pub(super) async fn lead_of(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    delivery: DeliveryId,
) -> sqlx::Result<Option<Option<LeadId>>> {
    sqlx::query_scalar!(
        "-- webhooks::lead_of
        select lead_id from webhook_delivery where endpoint_id = $1 and id = $2",
        endpoint as EndpointId,
        delivery as DeliveryId
    )
    .fetch_optional(conn)
    .await
}

/// Puts deliveries into line again, each in its old place.
pub(super) async fn put_back(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    deliveries: &[DeliveryId],
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::put_back
        update webhook_delivery set state = 'pending', tries = 0 where endpoint_id = $1 and id = any($2)",
        endpoint as EndpointId,
        deliveries as &[DeliveryId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets deliveries with their attempts, at most `limit`: those made before an instant, and those of endpoints that are
/// no longer in use.
pub(in crate::webhooks) async fn forget(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "-- webhooks::forget_deliveries
        delete from webhook_delivery d using (
            select o.endpoint_id, o.id
            from webhook_endpoint e
            cross join lateral (
                select d.endpoint_id, d.id, d.created_at from webhook_delivery d
                where d.endpoint_id = e.id order by d.id limit $2
            ) o
            where e.deleted_at is not null or o.created_at < $1
            limit $2
        ) old
        where d.endpoint_id = old.endpoint_id and d.id = old.id",
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// When the oldest delivery was made that is to be sent to an endpoint in use and has not arrived.
pub(super) async fn oldest(conn: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        "-- webhooks::oldest
        select min(o.created_at)
        from webhook_endpoint e
        cross join lateral (
            select created_at from webhook_delivery d
            where d.endpoint_id = e.id and d.state = 'pending' order by d.id limit 1
        ) o
        where e.disabled_at is null and e.deleted_at is null"
    )
    .fetch_one(conn)
    .await
}
