//! SQL of policies.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Document, Policy};
use crate::platform::{ids::LeadId, json::Stored};

/// Reads the number of the policy in force. 0 is the built-in policy.
pub(super) async fn last_version(conn: &mut PgConnection) -> sqlx::Result<i32> {
    let last = sqlx::query_scalar!(
        "-- policy::last_version
        select version from policy order by version desc limit 1"
    )
    .fetch_optional(conn)
    .await?;
    Ok(last.unwrap_or(0))
}

/// Reads a version of the policy.
pub(super) async fn find(conn: &mut PgConnection, version: i32) -> sqlx::Result<Policy> {
    if version == 0 {
        return Ok(Policy::default());
    }
    let row = sqlx::query!(
        r#"-- policy::find
        select document as "document: Stored<Document>", created_at, created_by from policy where version = $1"#,
        version
    )
    .fetch_one(conn)
    .await?;
    Ok(Policy::new(version, row.document.0, Some((row.created_at, row.created_by))))
}

/// Adds a version.
///
/// If the version excludes the same people as the version before, the walk over all leads goes on where it
/// was. Otherwise the walk begins again.
pub(super) async fn insert(
    conn: &mut PgConnection,
    policy: &Policy,
    now: DateTime<Utc>,
    by: &str,
    same_exclusions: bool,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- policy::insert
        insert into policy (version, document, created_at, created_by, reconsidered_to, reconsidered_at)
        select $1, $2, $3, $4, before.reconsidered_to,
            case when not $5::boolean then null when before.version is null then $3 else before.reconsidered_at end
        from (values (1)) as one left join policy before on before.version = $1 - 1 and $5::boolean",
        policy.version,
        Stored(&policy.document) as _,
        now,
        by,
        same_exclusions
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Starts the walk over all leads again, if the policy in force excludes anybody.
pub async fn reconsider(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "-- policy::reconsider
        update policy set reconsidered_to = null, reconsidered_at = null
        where version = (select max(version) from policy) and document -> 'exclusions' <> '[]'"
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How far the walk over all leads has come, in the order of their ids. The walk decides each lead's stage
/// again under the policy in force.
#[derive(Debug, Clone, Copy)]
pub struct Walk {
    /// The number of the policy.
    pub version: i32,
    /// The last lead whose stage was decided. `None`: the walk has not begun.
    pub to: Option<LeadId>,
}

/// Reads and locks the walk of the policy in force. Returns `None` if the walk is complete, or if another
/// transaction has locked it.
pub async fn next_walk(conn: &mut PgConnection) -> sqlx::Result<Option<Walk>> {
    sqlx::query_as!(
        Walk,
        r#"-- policy::next_walk
        select version, reconsidered_to as "to" from policy
        where reconsidered_at is null and version = (select max(version) from policy)
        for update skip locked"#
    )
    .fetch_optional(conn)
    .await
}

/// Notes the lead up to which the walk has come. `None`: the walk is complete.
pub async fn reconsidered(
    conn: &mut PgConnection,
    walk: Walk,
    to: Option<LeadId>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- policy::reconsidered
        update policy set reconsidered_to = coalesce($2, reconsidered_to),
            reconsidered_at = case when $2::uuid is null then $3::timestamptz end
        where version = $1",
        walk.version,
        to as Option<LeadId>,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
