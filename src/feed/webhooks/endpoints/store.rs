//! SQL of endpoints and their secrets.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Cause, Wanted};
use crate::{
    feed::{outbox::Position, webhooks::signature::Secret},
    platform::ids::EndpointId,
};

/// An endpoint as it is stored.
#[derive(Debug, Clone)]
pub(in crate::feed::webhooks) struct Endpoint {
    pub(in crate::feed::webhooks) id: EndpointId,
    pub(in crate::feed::webhooks) url: String,
    pub(in crate::feed::webhooks) description: String,
    pub(in crate::feed::webhooks) events: Vec<String>,
    pub(in crate::feed::webhooks) failing_since: Option<DateTime<Utc>>,
    pub(in crate::feed::webhooks) disabled_at: Option<DateTime<Utc>>,
    pub(in crate::feed::webhooks) disabled_because: Option<Cause>,
    pub(in crate::feed::webhooks) created_at: DateTime<Utc>,
}

/// An endpoint as a reader of the feed.
pub(in crate::feed::webhooks) struct FeedReader {
    pub(in crate::feed::webhooks) position: Position,
    pub(in crate::feed::webhooks) events: Vec<String>,
}

pub(super) async fn insert(
    conn: &mut PgConnection,
    id: EndpointId,
    wanted: &Wanted,
    position: Position,
    request_key: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::endpoints::insert
        insert into webhook_endpoint (id, url, description, events, position, created_at, request_key)
        values ($1, $2, $3, $4, $5, $6, $7)",
        id as EndpointId,
        wanted.url,
        wanted.description,
        &wanted.events,
        position as Position,
        now,
        request_key
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Finds the endpoint that a call with this idempotency key has made, also if it was removed since.
pub(super) async fn made_by(conn: &mut PgConnection, request_key: &str) -> sqlx::Result<Option<EndpointId>> {
    sqlx::query_scalar!(
        r#"-- webhooks::endpoints::made_by
        select id as "id: EndpointId" from webhook_endpoint where request_key = $1"#,
        request_key
    )
    .fetch_optional(conn)
    .await
}

pub(in crate::feed::webhooks) async fn find(
    conn: &mut PgConnection,
    id: EndpointId,
) -> sqlx::Result<Option<Endpoint>> {
    sqlx::query_as!(
        Endpoint,
        r#"-- webhooks::endpoints::find
        select id, url, description, events, failing_since, disabled_at,
            disabled_because as "disabled_because: Cause", created_at
        from webhook_endpoint where id = $1 and deleted_at is null"#,
        id as EndpointId
    )
    .fetch_optional(conn)
    .await
}

/// Reads an endpoint and locks it: until the transaction ends, no other transaction changes it or adds to its lanes.
pub(in crate::feed::webhooks) async fn lock(
    conn: &mut PgConnection,
    id: EndpointId,
) -> sqlx::Result<Option<Endpoint>> {
    sqlx::query_as!(
        Endpoint,
        r#"-- webhooks::endpoints::lock
        select id, url, description, events, failing_since, disabled_at,
            disabled_because as "disabled_because: Cause", created_at
        from webhook_endpoint where id = $1 and deleted_at is null for no key update"#,
        id as EndpointId
    )
    .fetch_optional(conn)
    .await
}

/// Reads the endpoints after `after`, oldest first.
pub(super) async fn list(
    conn: &mut PgConnection,
    after: Option<EndpointId>,
    limit: i64,
) -> sqlx::Result<Vec<Endpoint>> {
    sqlx::query_as!(
        Endpoint,
        r#"-- webhooks::endpoints::list
        select id, url, description, events, failing_since, disabled_at,
            disabled_because as "disabled_because: Cause", created_at
        from webhook_endpoint where deleted_at is null and ($1::uuid is null or id > $1)
        order by id limit $2"#,
        after as Option<EndpointId>,
        limit
    )
    .fetch_all(conn)
    .await
}

pub(super) async fn update(conn: &mut PgConnection, id: EndpointId, wanted: &Wanted) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::endpoints::update
        update webhook_endpoint set url = $2, description = $3, events = $4 where id = $1",
        id as EndpointId,
        wanted.url,
        wanted.description,
        &wanted.events
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn disable(conn: &mut PgConnection, id: EndpointId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::endpoints::disable
        update webhook_endpoint set disabled_at = $2, disabled_because = 'operator'
        where id = $1 and disabled_at is null",
        id as EndpointId,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn enable(conn: &mut PgConnection, id: EndpointId) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::endpoints::enable
        update webhook_endpoint set disabled_at = null, disabled_because = null, failing_since = null
        where id = $1",
        id as EndpointId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks an endpoint as removed. Returns false if there is no such endpoint.
pub(super) async fn remove(
    conn: &mut PgConnection,
    id: EndpointId,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "-- webhooks::endpoints::remove
        update webhook_endpoint set deleted_at = $2 where id = $1 and deleted_at is null",
        id as EndpointId,
        now
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Adds the secret that is current from now on. The caller has retired the one before.
pub(super) async fn insert_secret(
    conn: &mut PgConnection,
    id: EndpointId,
    secret: &Secret,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::endpoints::insert_secret
        insert into webhook_secret (endpoint_id, secret, created_at) values ($1, $2, $3)",
        id as EndpointId,
        secret.0,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets when every secret ends, unless it ends earlier. Deletes the secrets that have ended.
pub(super) async fn retire_secrets(
    conn: &mut PgConnection,
    id: EndpointId,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::endpoints::retire_secrets
        with ended as (
            delete from webhook_secret where endpoint_id = $1 and least(expires_at, $2) <= $3
        )
        update webhook_secret set expires_at = least(expires_at, $2)
        where endpoint_id = $1 and least(expires_at, $2) > $3",
        id as EndpointId,
        until,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads the secrets that sign at an instant, the current one first.
pub(in crate::feed::webhooks) async fn secrets(
    conn: &mut PgConnection,
    id: EndpointId,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Secret>> {
    let secrets = sqlx::query_scalar!(
        "-- webhooks::endpoints::secrets
        select secret from webhook_secret
        where endpoint_id = $1 and (expires_at is null or expires_at > $2)
        order by expires_at desc nulls first",
        id as EndpointId,
        now
    )
    .fetch_all(conn)
    .await?;
    Ok(secrets.into_iter().map(Secret).collect())
}

/// Returns the enabled endpoints that have not read the feed up to `end`.
pub(in crate::feed::webhooks) async fn behind(
    conn: &mut PgConnection,
    end: Position,
) -> sqlx::Result<Vec<EndpointId>> {
    sqlx::query_scalar!(
        "-- webhooks::endpoints::behind
        select id from webhook_endpoint
        where disabled_at is null and deleted_at is null and position < $1
        order by id",
        end as Position
    )
    .fetch_all(conn)
    .await
}

/// Returns how far the slowest enabled endpoint has read. `None` without endpoints.
pub(in crate::feed::webhooks) async fn slowest(conn: &mut PgConnection) -> sqlx::Result<Option<Position>> {
    sqlx::query_scalar!(
        r#"-- webhooks::endpoints::slowest
        select min(position) as "position: Position" from webhook_endpoint
        where disabled_at is null and deleted_at is null"#
    )
    .fetch_one(conn)
    .await
}

/// Locks an endpoint so that it can read on. `None` if it is disabled, or if another instance reads for it at this
/// moment.
pub(in crate::feed::webhooks) async fn lock_reader(
    conn: &mut PgConnection,
    id: EndpointId,
) -> sqlx::Result<Option<FeedReader>> {
    sqlx::query_as!(
        FeedReader,
        "-- webhooks::endpoints::lock_reader
        select position, events from webhook_endpoint
        where id = $1 and disabled_at is null and deleted_at is null
        for no key update skip locked",
        id as EndpointId
    )
    .fetch_optional(conn)
    .await
}

pub(in crate::feed::webhooks) async fn read_up_to(
    conn: &mut PgConnection,
    id: EndpointId,
    position: Position,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::endpoints::read_up_to
        update webhook_endpoint set position = $2 where id = $1",
        id as EndpointId,
        position as Position
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that a delivery arrived: the endpoint no longer fails.
pub(in crate::feed::webhooks) async fn note_success(
    conn: &mut PgConnection,
    id: EndpointId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- webhooks::endpoints::note_success
        update webhook_endpoint set failing_since = null where id = $1 and failing_since is not null",
        id as EndpointId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that a delivery failed. Disables the endpoint if it answered `gone`, or if it has failed since before
/// `patience`, and returns why.
pub(in crate::feed::webhooks) async fn note_failure(
    conn: &mut PgConnection,
    id: EndpointId,
    gone: bool,
    patience: DateTime<Utc>,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Cause>> {
    let noted = sqlx::query_scalar!(
        r#"-- webhooks::endpoints::note_failure
        update webhook_endpoint set
            failing_since = coalesce(failing_since, $4),
            disabled_at = case when $2 or failing_since <= $3 then $4::timestamptz end,
            disabled_because = case when $2 then 'gone' when failing_since <= $3 then 'failing' end
        where id = $1 and disabled_at is null and (failing_since is null or failing_since <= $3 or $2)
        returning disabled_because as "cause: Cause""#,
        id as EndpointId,
        gone,
        patience,
        now
    )
    .fetch_optional(conn)
    .await?;
    Ok(noted.flatten())
}

/// Deletes removed endpoints that have no deliveries left, with their lanes and secrets.
pub(in crate::feed::webhooks) async fn forget(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "-- webhooks::endpoints::forget
        delete from webhook_endpoint e
        where deleted_at is not null and not exists (select from webhook_delivery d where d.endpoint_id = e.id)"
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
