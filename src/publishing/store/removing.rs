//! SQL of versions by which leads are no longer scored.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::platform::ids::ModelId;

/// Ends the scoring by a version. Its states are removed later.
pub(in crate::publishing) async fn drop(
    conn: &mut PgConnection,
    id: ModelId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- publishing::drop
        update scored_model set dropped_at = $2 where model_id = $1",
        id as ModelId,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads the kept versions whose time for a rollback has ended.
pub(in crate::publishing) async fn kept_too_long(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<ModelId>> {
    sqlx::query_scalar!(
        "-- publishing::kept_too_long
        select model_id from scored_model where kept_until <= $1 and dropped_at is null",
        now
    )
    .fetch_all(conn)
    .await
}

/// Reads and locks a version whose states must be removed.
pub(in crate::publishing) async fn dropped(conn: &mut PgConnection) -> sqlx::Result<Option<ModelId>> {
    sqlx::query_scalar!(
        "-- publishing::dropped
        select model_id from scored_model where dropped_at is not null limit 1 for update skip locked"
    )
    .fetch_optional(conn)
    .await
}

/// Removes at most `at_most` of a version's states. Returns how many were removed.
pub(in crate::publishing) async fn remove_states(
    conn: &mut PgConnection,
    id: ModelId,
    at_most: i64,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "-- publishing::remove_states
        delete from score where model_id = $1
            and lead_id = any(array(select lead_id from score where model_id = $1 limit $2))",
        id as ModelId,
        at_most
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Removes at most `at_most` of a version's notes for a rollback. Returns how many were removed.
pub(in crate::publishing) async fn remove_rollback_states(
    conn: &mut PgConnection,
    id: ModelId,
    at_most: i64,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "-- publishing::remove_rollback_states
        delete from rollback_state where model_id = $1
            and lead_id = any(array(select lead_id from rollback_state where model_id = $1 limit $2))",
        id as ModelId,
        at_most
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes the record that leads were scored by a version.
pub(in crate::publishing) async fn delete(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<()> {
    sqlx::query!(
        "-- publishing::delete
        delete from scored_model where model_id = $1",
        id as ModelId
    )
    .execute(conn)
    .await?;
    Ok(())
}
