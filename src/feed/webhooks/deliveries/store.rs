//! SQL of deliveries and their attempts.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{New, State};
use crate::{
    feed::{outbox::Position, webhooks::courier::Attempt},
    platform::ids::{ChangeId, DeliveryId, EndpointId, LeadId},
};

/// Stores deliveries that wait to be sent.
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
        "-- webhooks::deliveries::insert
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

/// Stores an attempt and the new state of the delivery.
pub(super) async fn record(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    delivery: DeliveryId,
    attempt: &Attempt,
    state: State,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::deliveries::record
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

/// Stores a ping, after it was sent.
pub(super) async fn insert_ping(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    delivery: DeliveryId,
    message: ChangeId,
    body: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::deliveries::insert_ping
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

/// Reads the deliveries that were made since an instant and given up, after the delivery `after`, at most `limit`; each
/// with its lead.
pub(super) async fn given_up(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    since: DateTime<Utc>,
    after: Option<DeliveryId>,
    limit: i64,
) -> sqlx::Result<Vec<(DeliveryId, LeadId)>> {
    let rows = sqlx::query!(
        r#"-- webhooks::deliveries::given_up
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

/// Returns the lead of a delivery's change. The inner `None` is a ping, which has no lead.
pub(super) async fn lead_of(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    delivery: DeliveryId,
) -> sqlx::Result<Option<Option<LeadId>>> {
    sqlx::query_scalar!(
        "-- webhooks::deliveries::lead_of
        select lead_id from webhook_delivery where endpoint_id = $1 and id = $2",
        endpoint as EndpointId,
        delivery as DeliveryId
    )
    .fetch_optional(conn)
    .await
}

/// Makes deliveries wait to be sent again, each in its old place.
pub(super) async fn put_back(
    conn: &mut PgConnection,
    endpoint: EndpointId,
    deliveries: &[DeliveryId],
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::deliveries::put_back
        update webhook_delivery set state = 'pending', tries = 0 where endpoint_id = $1 and id = any($2)",
        endpoint as EndpointId,
        deliveries as &[DeliveryId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes deliveries and their attempts, at most `limit`: those made before an instant, and those of removed
/// endpoints.
pub(in crate::feed::webhooks) async fn forget(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "-- webhooks::deliveries::forget
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

/// Returns when the oldest waiting delivery to an enabled endpoint was made.
pub(super) async fn oldest(conn: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        "-- webhooks::deliveries::oldest
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
