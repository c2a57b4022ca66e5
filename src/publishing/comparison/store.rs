//! SQL of comparisons. It only reads.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    leads::{Lead, MqlBy, Stage},
    platform::ids::{LeadId, ModelId},
};

/// A lead of the sample.
#[derive(Debug)]
pub(super) struct SampledLead {
    pub(super) lead: Lead,
    /// When the lead became known. `None` if it was known from the start or is still anonymous.
    pub(super) identified_at: Option<DateTime<Utc>>,
}

/// Counts the leads that were not merged into others.
pub(super) async fn population(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let count = sqlx::query_scalar!(
        r#"-- publishing::comparison::population
        select count(*) as "count!" from lead where merged_into is null"#
    )
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(count).expect("a count is not negative"))
}

/// Draws a sample: the leads whose ids, hashed with a seed, come first. Returns them in the order of their
/// ids.
pub(super) async fn sample(conn: &mut PgConnection, most: i64, seed: i64) -> sqlx::Result<Vec<SampledLead>> {
    let rows = sqlx::query!(
        r#"-- publishing::comparison::sample
        select l.id as "id: LeadId", l.stage as "stage: Stage", l.mql_by as "mql_by: MqlBy", l.below_since,
            l.last_exit_at, l.recycled_at, l.recycled_until, l.withheld_at, (
                select min(at) from transition where lead_id = l.id and cause = 'identified'
            ) as identified_at
        from (
            select * from lead where merged_into is null order by md5($2::bigint::text || id::text) limit $1
        ) l
        order by l.id"#,
        most,
        seed
    )
    .fetch_all(conn)
    .await?;
    let leads = rows.into_iter().map(|row| {
        let mut lead = Lead::new(row.id, true).supposed_at(row.stage);
        (lead.mql_by, lead.below_since, lead.last_exit_at) = (row.mql_by, row.below_since, row.last_exit_at);
        (lead.recycled_at, lead.recycled_until) = (row.recycled_at, row.recycled_until);
        lead.withheld_at = row.withheld_at;
        SampledLead { lead, identified_at: row.identified_at }
    });
    Ok(leads.collect())
}

/// Reads the number of a version.
pub(super) async fn version_number(conn: &mut PgConnection, id: ModelId) -> sqlx::Result<i32> {
    sqlx::query_scalar!(
        "-- publishing::comparison::version_number
        select version from scoring_model where id = $1",
        id as ModelId
    )
    .fetch_one(conn)
    .await
}

/// The user id and e-mail address of a lead.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    pub(super) user_id: Option<String>,
    pub(super) email: Option<String>,
}

/// Reads the user ids and e-mail addresses of leads.
pub(super) async fn names_of(
    conn: &mut PgConnection,
    leads: &[LeadId],
) -> sqlx::Result<HashMap<LeadId, Names>> {
    let rows = sqlx::query!(
        r#"-- publishing::comparison::names_of
        select s.lead_id as "lead_id: LeadId",
            min(i.value) filter (where i.kind = 'user_id' and s.parent_id is null) as user_id,
            min(i.value) filter (where i.kind = 'email') as email
        from identity_span s join identity i on i.id = s.identity_id
        where s.lead_id = any($1)
        group by s.lead_id"#,
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.lead_id, Names { user_id: row.user_id, email: row.email })).collect())
}

/// Whether every lead has a stored score under both versions.
pub(super) async fn are_scored(conn: &mut PgConnection, models: [ModelId; 2]) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"-- publishing::comparison::are_scored
        select not exists (
            select from unnest($1::uuid[]) as asked (id)
            where not exists (
                select from scored_model
                where model_id = asked.id and rebuilt_at is not null and dropped_at is null
            )
        ) as "are_scored!""#,
        &models as &[ModelId]
    )
    .fetch_one(conn)
    .await
}

/// A lead's stored score under two versions.
#[derive(Debug)]
pub(super) struct StoredPair {
    pub(super) stage: Stage,
    pub(super) a_do_not_contact: bool,
    pub(super) a_score: i32,
    pub(super) a_raw: i64,
    pub(super) a_fit: i64,
    pub(super) a_engagement: i64,
    pub(super) a_band: String,
    pub(super) b_do_not_contact: bool,
    pub(super) b_score: i32,
    pub(super) b_raw: i64,
    pub(super) b_fit: i64,
    pub(super) b_engagement: i64,
    pub(super) b_band: String,
}

/// Reads the stored scores of leads under two versions.
pub(super) async fn stored_pairs(
    conn: &mut PgConnection,
    models: [ModelId; 2],
    leads: &[LeadId],
) -> sqlx::Result<Vec<StoredPair>> {
    let [a, b] = models;
    sqlx::query_as!(
        StoredPair,
        r#"-- publishing::comparison::stored_pairs
        select a.stage as "stage: Stage",
            a.do_not_contact as a_do_not_contact, a.score as a_score, a.raw as a_raw, a.fit as a_fit,
            a.engagement as a_engagement, a.band as a_band,
            b.do_not_contact as b_do_not_contact, b.score as b_score, b.raw as b_raw, b.fit as b_fit,
            b.engagement as b_engagement, b.band as b_band
        from score a join score b on b.lead_id = a.lead_id and b.model_id = $2
        where a.model_id = $1 and a.lead_id = any($3)
        order by a.lead_id"#,
        a as ModelId,
        b as ModelId,
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
}

/// A lead that was won, lost or disqualified, and when it was handed over to sales.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) lead_id: LeadId,
    pub(super) won: bool,
    pub(super) handed_over_at: DateTime<Utc>,
}

/// Reads the leads that were won, lost or disqualified, the last handed over first.
///
/// A lead is handed over when it last becomes an SQL or, if it never did, when it last becomes an MQL.
pub(super) async fn outcomes(conn: &mut PgConnection, most: i64) -> sqlx::Result<Vec<Outcome>> {
    sqlx::query_as!(
        Outcome,
        r#"-- publishing::comparison::outcomes
        select l.id as "lead_id: LeadId", l.stage in ('customer', 'opportunity') as "won!", handed.at as handed_over_at
        from lead l cross join lateral (
            select at from transition
            where lead_id = l.id and to_stage in ('mql', 'sql')
            order by to_stage desc, at desc
            limit 1
        ) handed
        where l.stage in ('customer', 'opportunity', 'lost', 'disqualified') and l.merged_into is null
        order by handed.at desc, l.id
        limit $1"#,
        most
    )
    .fetch_all(conn)
    .await
}
