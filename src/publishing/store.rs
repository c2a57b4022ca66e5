//! SQL of the versions that leads are scored by.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::KEPT;
use crate::platform::ids::{LeadId, ModelId};

/// Why leads are scored by a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Purpose {
    /// The version is being published, is live, or was live before.
    Publish,
    /// The version runs in shadow, to be compared with the live one.
    Shadow,
}

/// How far a version has come.
#[derive(Debug, Clone)]
pub struct Run {
    /// The version.
    pub model_id: ModelId,
    /// Why leads are scored by it.
    pub purpose: Purpose,
    /// Whether sales is offered the MQLs that result when the version goes live.
    pub offers: bool,
    /// When publishing or the shadow began.
    pub started_at: DateTime<Utc>,
    /// How many leads there were when it began.
    pub leads: i64,
    /// How many leads have a state under the version.
    pub rebuilt: i64,
    /// The last lead that has a state, in the order of ids.
    pub(super) rebuilt_to: Option<LeadId>,
    /// How much of the log has been read for the next leads, from 0 to 1.
    pub log_read: f32,
    /// When all leads had a state.
    pub rebuilt_at: Option<DateTime<Utc>>,
    /// When the working instance began what it does now: reading the log, or handling leads.
    pub runner_since: Option<DateTime<Utc>>,
    /// How many leads were done when it began that.
    pub runner_from: Option<i64>,
    /// Since when the version has been live.
    pub live_since: Option<DateTime<Utc>>,
    /// How many leads' stages have been decided again since the version went live.
    pub settled: i64,
    /// The last lead whose stage was decided, in the order of ids.
    pub(super) settled_to: Option<LeadId>,
    /// When all stages were decided.
    pub settled_at: Option<DateTime<Utc>>,
    /// Until when a rollback to the version is possible.
    pub kept_until: Option<DateTime<Utc>>,
    /// Since when the states under the version are being removed.
    pub dropped_at: Option<DateTime<Utc>>,
}

macro_rules! runs {
    ($rest:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            Run,
            r#"-- publishing::runs
            select model_id, purpose as "purpose: Purpose", offers, started_at, leads, rebuilt, rebuilt_to, log_read, rebuilt_at,
                runner_since, runner_from, live_since, settled, settled_to, settled_at, kept_until, dropped_at
            from scored_model "# + $rest,
            $($argument),*
        )
    };
}

/// Reads how far a version has come. `None` if leads are not scored by it and no states are left.
pub(super) async fn find(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<Option<Run>> {
    runs!("where model_id = $1", id as ModelId).fetch_optional(conn).await
}

/// Reads and locks the oldest unfinished rebuild that no other instance works on.
pub(super) async fn next_rebuild(
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
pub(super) async fn next_settling(
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

/// Reads which version is being published, if one is.
pub(super) async fn preparing(conn: &mut PgConnection) -> sqlx::Result<Option<ModelId>> {
    sqlx::query_scalar!(
        "-- publishing::preparing
        select model_id from scored_model where purpose = 'publish' and rebuilt_at is null and dropped_at is null"
    )
    .fetch_optional(conn)
    .await
}

/// Reads the version that is kept for a rollback, if one is.
pub(super) async fn kept(conn: &mut PgConnection) -> sqlx::Result<Option<ModelId>> {
    sqlx::query_scalar!(
        "-- publishing::kept
        select model_id from scored_model where kept_until is not null and dropped_at is null"
    )
    .fetch_optional(conn)
    .await
}

/// Counts the leads that were not merged into others.
pub(super) async fn count_leads(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"-- publishing::count_leads
        select count(*) as "count!" from lead where merged_into is null"#
    )
    .fetch_one(conn)
    .await
}

/// Begins to score leads by a version.
pub(super) async fn insert(
    conn: &mut PgConnection,
    id: ModelId,
    purpose: Purpose,
    offers: bool,
    leads: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- publishing::insert
        insert into scored_model (model_id, purpose, offers, leads, started_at) values ($1, $2, $3, $4, $5)",
        id as ModelId,
        purpose as Purpose,
        offers,
        leads,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Changes the purpose of a version in preparation from a shadow to publishing.
pub(super) async fn purpose_to_publish(
    conn: &mut PgConnection,
    id: ModelId,
    offers: bool,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- publishing::purpose_to_publish
        update scored_model set purpose = 'publish', offers = $2 where model_id = $1",
        id as ModelId,
        offers
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Turns a version that was kept for a rollback into a shadow.
pub(super) async fn purpose_to_shadow(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<()> {
    sqlx::query!(
        "-- publishing::purpose_to_shadow
        update scored_model set purpose = 'shadow', kept_until = null where model_id = $1",
        id as ModelId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that the leads up to `last` have a state. Does nothing if another instance has noted progress in the
/// meantime.
pub(super) async fn rebuilt(conn: &mut PgConnection, run: &Run, last: LeadId, more: i64) -> sqlx::Result<()> {
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
pub(super) async fn settled(conn: &mut PgConnection, run: &Run, last: LeadId, more: i64) -> sqlx::Result<()> {
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
pub(super) async fn hold(
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
pub(super) async fn complete_shadow(
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
pub(super) async fn complete_settling(
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

/// Why another version becomes live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    /// The version is published.
    Publish,
    /// The live version is rolled back.
    Rollback,
}

/// Makes another version live. The version that was live is kept for a rollback, and the version that was
/// kept before is dropped.
pub(super) async fn switch(
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

/// Notes the idempotency key of the call that made a version live again.
pub(super) async fn note_rollback(
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
pub(super) async fn rolled_back_by(
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

/// Ends the scoring by a version. Its states are removed later.
pub(super) async fn drop(conn: &mut PgConnection, id: ModelId, now: DateTime<Utc>) -> sqlx::Result<()> {
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
pub(super) async fn kept_too_long(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Vec<ModelId>> {
    sqlx::query_scalar!(
        "-- publishing::kept_too_long
        select model_id from scored_model where kept_until <= $1 and dropped_at is null",
        now
    )
    .fetch_all(conn)
    .await
}

/// Reads and locks a version whose states must be removed.
pub(super) async fn dropped(conn: &mut PgConnection) -> sqlx::Result<Option<ModelId>> {
    sqlx::query_scalar!(
        "-- publishing::dropped
        select model_id from scored_model where dropped_at is not null limit 1 for update skip locked"
    )
    .fetch_optional(conn)
    .await
}

/// Removes at most `at_most` of a version's states. Returns how many were removed.
pub(super) async fn remove_states(conn: &mut PgConnection, id: ModelId, at_most: i64) -> sqlx::Result<u64> {
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
pub(super) async fn remove_rollback_states(
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
pub(super) async fn delete(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<()> {
    sqlx::query!(
        "-- publishing::delete
        delete from scored_model where model_id = $1",
        id as ModelId
    )
    .execute(conn)
    .await?;
    Ok(())
}
