//! SQL of the steps by which a version is prepared, and by which stages are looked at once it is live.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Purpose, Run, runs};
use crate::platform::ids::{LeadId, ModelId};

/// Reads and locks the oldest unfinished rebuild that no other instance works on.
pub(in crate::publishing) async fn next_rebuild(
    conn: &mut PgConnection,
    runner: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Run>> {
    runs!(
        "where rebuilt_at is null and dropped_at is null
            and (runner is null or runner = $1 or runner_until <= $2)
        order by started_at limit 1 for update skip locked",
        runner,
        now
    )
    .fetch_optional(conn)
    .await
}

/// Reads and locks the live version, if stages still have to be decided and no other instance works on that.
pub(in crate::publishing) async fn next_settling(
    conn: &mut PgConnection,
    runner: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Run>> {
    runs!(
        "where live_since is not null and settled_at is null
            and (runner is null or runner = $1 or runner_until <= $2)
        for update skip locked",
        runner,
        now
    )
    .fetch_optional(conn)
    .await
}

/// Notes that the leads up to `last` have a state. Does nothing if another instance has noted progress in the
/// meantime.
pub(in crate::publishing) async fn rebuilt(
    conn: &mut PgConnection,
    run: &Run,
    last: LeadId,
    more: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- publishing::rebuilt
        update scored_model set rebuilt = rebuilt + $2, rebuilt_to = $3
        where model_id = $1 and rebuilt_to is not distinct from $4",
        run.model_id as ModelId,
        more,
        last as LeadId,
        run.rebuilt_to as Option<LeadId>
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that the stages of the leads up to `last` have been decided.
pub(in crate::publishing) async fn settled(
    conn: &mut PgConnection,
    run: &Run,
    last: LeadId,
    more: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- publishing::settled
        update scored_model set settled = settled + $2, settled_to = $3 where model_id = $1",
        run.model_id as ModelId,
        more,
        last as LeadId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Holds a run for this instance until an instant. Other instances leave the run alone until then.
pub(in crate::publishing) async fn hold(
    conn: &mut PgConnection,
    run: &Run,
    log_read: f32,
    runner: Uuid,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- publishing::hold
        update scored_model set runner = $2, runner_until = $4, log_read = $5::real,
            runner_since = case when runner = $2 and (log_read < 1) = ($5::real < 1) then runner_since else $3 end,
            runner_from = case when runner = $2 and (log_read < 1) = ($5::real < 1) then runner_from else rebuilt + settled end
        where model_id = $1",
        run.model_id as ModelId,
        runner,
        now,
        until,
        log_read
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that every lead has a state under a version in shadow.
pub(in crate::publishing) async fn complete_shadow(
    conn: &mut PgConnection,
    id: ModelId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- publishing::complete_shadow
        update scored_model set rebuilt_at = $2, runner = null, runner_until = null where model_id = $1",
        id as ModelId,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that every lead's stage has been decided.
pub(in crate::publishing) async fn complete_settling(
    conn: &mut PgConnection,
    id: ModelId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- publishing::complete_settling
        update scored_model set settled_at = $2, runner = null, runner_until = null where model_id = $1",
        id as ModelId,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
