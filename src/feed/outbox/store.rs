//! SQL of the outbox and the feed.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Change, Position};
use crate::platform::ids::{ChangeId, Ids, LeadId};

/// A change with its position in the feed.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The position.
    pub position: Position,
    /// The change's id.
    pub id: ChangeId,
    /// The lead to which it happened.
    pub lead_id: LeadId,
    /// What happened, as [`Kind::as_str`](super::Kind::as_str) writes it.
    pub kind: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Fields that depend on the kind.
    pub data: Value,
}

/// The last position that was given out, and the last that was deleted.
pub(super) struct Bounds {
    pub(super) last: Position,
    pub(super) forgotten: Position,
}

/// Writes changes to the outbox, in the transaction that makes them.
///
/// The transaction must hold the row of every lead in `changes`, or must have created the lead. Several changes of one
/// lead must stand in the order in which they happened.
pub async fn publish(conn: &mut PgConnection, ids: &Ids, changes: &[Change]) -> sqlx::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let new: Vec<Uuid> = changes.iter().map(|_| ids.next()).collect();
    let leads: Vec<LeadId> = changes.iter().map(|one| one.lead_id).collect();
    let kinds: Vec<&str> = changes.iter().map(|one| one.kind.as_str()).collect();
    let at: Vec<DateTime<Utc>> = changes.iter().map(|one| one.at).collect();
    let data: Vec<&Value> = changes.iter().map(|one| &one.data).collect();
    sqlx::query!(
        "-- outbox::publish
        insert into outbox (id, lead_id, type, at, data)
        select id, lead_id, type, at, data
        from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::jsonb[])
            with ordinality as new (id, lead_id, type, at, data, place)
        order by place",
        &new,
        &leads as &[LeadId],
        &kinds as &[&str],
        &at,
        &data as &[&Value]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a committed change has no position yet.
pub(super) async fn is_waiting(conn: &mut PgConnection) -> sqlx::Result<bool> {
    // This uses the index, which knows which rows are deleted. `exists` would read them all.
    let first = sqlx::query_scalar!(
        "-- outbox::is_waiting
        select seq from outbox order by seq limit 1"
    )
    .fetch_optional(conn)
    .await?;
    Ok(first.is_some())
}

/// Waits until no other transaction gives out positions, and returns the last position.
pub(super) async fn lock_last(conn: &mut PgConnection) -> sqlx::Result<Position> {
    sqlx::query_scalar!(
        r#"-- outbox::lock_last
        select last as "last: Position" from change_feed for no key update"#
    )
    .fetch_one(conn)
    .await
}

/// Moves committed changes to the feed, in order, at most `limit`. Returns how many.
pub(super) async fn append(
    conn: &mut PgConnection,
    last: Position,
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<i64> {
    let moved = sqlx::query!(
        "-- outbox::append
        with taken as (
            delete from outbox
            where seq <= (select max(seq) from (select seq from outbox order by seq limit $3) as first)
            returning seq, id, lead_id, type, at, data
        )
        insert into change (position, id, lead_id, type, at, recorded_at, data)
        select $1 + row_number() over (order by seq), id, lead_id, type, at, $2, data
        from taken order by seq",
        last as Position,
        now,
        limit
    )
    .execute(conn)
    .await?;
    Ok(moved.rows_affected().cast_signed())
}

pub(super) async fn set_last(conn: &mut PgConnection, last: Position, moved: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "-- outbox::set_last
        update change_feed set last = $1",
        last.0 + moved
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn bounds(conn: &mut PgConnection) -> sqlx::Result<Bounds> {
    sqlx::query_as!(
        Bounds,
        r#"-- outbox::bounds
        select last as "last: Position", forgotten as "forgotten: Position" from change_feed"#
    )
    .fetch_one(conn)
    .await
}

/// Reads the changes after a place, at most `limit`. Changes without a position are left out.
pub async fn after(conn: &mut PgConnection, place: Position, limit: i64) -> sqlx::Result<Vec<Recorded>> {
    sqlx::query_as!(
        Recorded,
        r#"-- outbox::after
        select position as "position: Position", id, lead_id, type as kind, at, data
        from change where position > $1 order by position limit $2"#,
        place as Position,
        limit
    )
    .fetch_all(conn)
    .await
}

/// Keeps the changes after a place, however old they are, for a reader within the service.
pub async fn hold(conn: &mut PgConnection, place: Position) -> sqlx::Result<()> {
    sqlx::query!(
        "-- outbox::hold
        update change_feed set held = $1 where held is distinct from $1",
        place as Position
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the oldest changes, at most `limit`: those that were recorded before an instant and that no reader within
/// the service holds. Returns how many.
pub(super) async fn forget(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<usize> {
    let forgotten = sqlx::query!(
        "-- outbox::forget
        with oldest as (
            select position, recorded_at
            from change
            where position > (select forgotten from change_feed)
                and position <= (select coalesce(held, last) from change_feed)
            order by position limit $2
        ), gone as (
            delete from change
            where position <= (select max(position) from oldest where recorded_at < $1)
            returning position
        )
        update change_feed set forgotten = (select max(position) from gone)
        where exists (select from gone)
        returning (select count(*) from gone) as count",
        before,
        limit
    )
    .fetch_optional(conn)
    .await?;
    let count = forgotten.and_then(|row| row.count).unwrap_or(0);
    Ok(usize::try_from(count).expect("a count of rows fits"))
}
