//! SQL of leads' attributes.

use scoring::profile::Fold;
use serde_json::Value;
use sqlx::PgConnection;

use crate::ids::LeadId;

/// Forgets what was computed for leads that have no identity left.
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

/// A lead's attributes with their provenance.
pub(crate) struct ProfileRow {
    pub(crate) lead_id: LeadId,
    pub(crate) attributes: Value,
}

impl ProfileRow {
    /// The attributes as they are folded on; none if they are in no form that this version writes. They are a cache: the
    /// log has them too.
    pub(crate) fn fold(self) -> Option<Fold> {
        serde_json::from_value(self.attributes).ok()
    }
}

pub(crate) async fn profiles_of(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<Vec<ProfileRow>> {
    sqlx::query_as!(
        ProfileRow,
        "-- leads::profiles_of
        select lead_id, attributes from lead_profile where lead_id = any($1)",
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
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
