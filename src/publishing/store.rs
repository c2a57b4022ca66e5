//! SQL of the versions that leads are scored by.

mod removing;
mod steps;
mod switching;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

pub(super) use removing::{delete, drop, dropped, kept_too_long, remove_rollback_states, remove_states};
pub(super) use steps::{
    complete_settling, complete_shadow, hold, next_rebuild, next_settling, rebuilt, settled,
};
pub(super) use switching::{Switch, kept, note_rollback, rolled_back_by, switch};

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
use runs;

/// Reads how far a version has come. `None` if leads are not scored by it and no states are left.
pub(super) async fn find(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<Option<Run>> {
    runs!("where model_id = $1", id as ModelId).fetch_optional(conn).await
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
