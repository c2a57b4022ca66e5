//! SQL of a version that comes to decide, and of the one before, which is kept.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{platform::ids::ModelId, publishing::KEPT};

/// Why another version becomes live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::publishing) enum Switch {
    /// The version is published.
    Publish,
    /// The live version is rolled back.
    Rollback,
}

/// Makes another version live. The version that was live is kept for a rollback, and the version that was
/// kept before is dropped.
pub(in crate::publishing) async fn switch(
    conn: &mut PgConnection,
    to: ModelId,
    how: Switch,
    offers: bool,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let kept_until = now + KEPT;
    sqlx::query!(
        "-- publishing::switch (drop the one before)
        update scored_model set dropped_at = $2
        where kept_until is not null and dropped_at is null and model_id <> $1",
        to as ModelId,
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- publishing::switch (unkeep)
        update scored_model set kept_until = null where model_id = $1",
        to as ModelId
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- publishing::switch (keep)
        update scored_model set live_since = null, kept_until = $1, settled = 0, settled_to = null, settled_at = null,
            runner = null, runner_until = null
        where live_since is not null",
        kept_until
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- publishing::switch (retire)
        update scoring_model set state = 'retired' where state = 'published'"
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- publishing::switch (live)
        update scored_model set purpose = 'publish', offers = $3, rebuilt_at = coalesce(rebuilt_at, $2),
            live_since = $2, runner = null, runner_until = null,
            era = (select max(era) from scored_model) + case when $4 then 1 else 0 end
        where model_id = $1",
        to as ModelId,
        now,
        offers,
        how == Switch::Publish
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- publishing::switch (publish)
        update scoring_model set state = 'published', published_at = $2 where id = $1",
        to as ModelId,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads the version that is kept for a rollback, if one is.
pub(in crate::publishing) async fn kept(conn: &mut PgConnection) -> sqlx::Result<Option<ModelId>> {
    sqlx::query_scalar!(
        "-- publishing::kept
        select model_id from scored_model where kept_until is not null and dropped_at is null"
    )
    .fetch_optional(conn)
    .await
}

/// Notes the idempotency key of the call that made a version live again.
pub(in crate::publishing) async fn note_rollback(
    conn: &mut PgConnection,
    to: ModelId,
    request_key: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- publishing::note_rollback
        update scored_model set rollback_key = $2 where model_id = $1",
        to as ModelId,
        request_key
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads the version that a call with this idempotency key made live again.
pub(in crate::publishing) async fn rolled_back_by(
    conn: &mut PgConnection,
    request_key: &str,
) -> sqlx::Result<Option<ModelId>> {
    sqlx::query_scalar!(
        "-- publishing::rolled_back_by
        select model_id from scored_model where rollback_key = $1 limit 1",
        request_key
    )
    .fetch_optional(conn)
    .await
}
