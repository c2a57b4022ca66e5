//! SQL of the pace of background work.

use sqlx::PgConnection;

/// How many events the log has taken since the server's figures begin; they lag by a second.
pub(super) async fn events_taken(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"-- core::events_taken
        select coalesce(pg_stat_get_tuples_inserted('event'::regclass), 0) as "taken!""#
    )
    .fetch_one(conn)
    .await
}
