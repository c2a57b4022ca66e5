//! SQL of leads' attributes.

use chrono::{DateTime, Utc};
use scoring::profile::Fold;
use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    leads::attributes::Attributes,
    platform::{ids::LeadId, json::Stored},
};

/// Deletes the attributes and search words of leads that have no identity left.
pub(crate) async fn delete_profiles(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::delete_profiles
        with words as (delete from lead_words where lead_id = any($1))
        delete from lead_profile where lead_id = any($1)",
        leads as &[LeadId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A lead's stored attributes.
pub(crate) struct ProfileRow {
    pub(crate) lead_id: LeadId,
    pub(crate) attributes: Attributes,
}

pub(crate) async fn profiles_of(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<Vec<ProfileRow>> {
    sqlx::query_as!(
        ProfileRow,
        r#"-- leads::profiles_of
        select lead_id, attributes as "attributes: Attributes" from lead_profile where lead_id = any($1)"#,
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
}

/// The current version of each lead's row: the id of the transaction that wrote it.
pub(crate) async fn profile_versions(
    conn: &mut PgConnection,
    leads: &[LeadId],
) -> sqlx::Result<Vec<(LeadId, String)>> {
    let rows = sqlx::query!(
        r#"-- leads::profile_versions
        select lead_id as "lead_id: LeadId", xmin::text as "version!" from lead_profile where lead_id = any($1)"#,
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.lead_id, row.version)).collect())
}

/// The traits of an event.
pub(crate) struct FactRow {
    pub(crate) lead_id: LeadId,
    pub(crate) id: String,
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) traits: Stored,
}

/// The traits of all events that count for some leads, each lead's oldest first.
pub(crate) async fn facts_logged(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<Vec<FactRow>> {
    sqlx::query_as!(
        FactRow,
        r#"-- leads::facts_logged
        select lead_id as "lead_id!", id as "id!", occurred_at as "occurred_at!", traits as "traits!"
        from lead_event
        where lead_id = any($1) and traits is not null and verdict <> 'machine' and held_until is null
        order by lead_id, occurred_at, id"#,
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
}

/// Writes a lead's attributes, if the stored row still has this version.
pub(crate) async fn replace_profile(
    conn: &mut PgConnection,
    lead: LeadId,
    version: &str,
    attributes: &Stored<&Fold>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::replace_profile
        update lead_profile set attributes = $3 where lead_id = $1 and xmin::text = $2",
        lead as LeadId,
        version,
        attributes as &Stored<&Fold>
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn upsert_profiles(
    conn: &mut PgConnection,
    leads: &[LeadId],
    attributes: &[Value],
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::upsert_profiles
        insert into lead_profile (lead_id, attributes)
        select * from unnest($1::uuid[], $2::jsonb[])
        on conflict (lead_id) do update set attributes = excluded.attributes",
        leads as &[LeadId],
        attributes
    )
    .execute(conn)
    .await?;
    Ok(())
}
