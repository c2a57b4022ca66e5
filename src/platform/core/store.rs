//! SQL of the pace of background work.

use sqlx::PgConnection;

/// Returns how many events were inserted since Postgres began to count. The figure may be a second old.
pub(super) async fn events_taken(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"-- core::events_taken
        select coalesce(pg_stat_get_tuples_inserted('event'::regclass), 0) as "taken!""#
    )
    .fetch_one(conn)
    .await
}
