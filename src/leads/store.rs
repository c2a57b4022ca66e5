//! SQL of leads.

mod identities;
mod listing;
mod profiles;
mod respelling;
mod words;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

pub(crate) use identities::{emails_of, homes_of, identity, know, known_as, lead_of, named};
pub(super) use identities::{
    identities_following, insert_identities, insert_links, insert_spans, links_of, lock_identities,
    move_homes, move_spans, replace_spans, spans_of, with_identities,
};
pub(crate) use listing::{Filter, Place, Sort, list};
pub(crate) use profiles::{delete_profiles, profiles_of, upsert_profiles};
pub(super) use profiles::{facts_logged, profile_versions, replace_profile};
pub(super) use respelling::{
    followers, forget_identity, insert_normal_identity, remember_former, rename_facts, rename_spans,
};
pub(super) use words::{answering, lock_made, names_of, set_made, write_words};

use super::{Lead, MqlBy, Stage};
use crate::platform::ids::LeadId;

pub(super) async fn insert_leads(
    conn: &mut PgConnection,
    leads: &[LeadId],
    identified: &[bool],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::insert_leads
        insert into lead (id, stage, created_at)
        select id, case when identified then 'lead' else 'anonymous' end, $3
        from unnest($1::uuid[], $2::boolean[]) as new (id, identified)
        order by id",
        leads as &[LeadId],
        identified,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

macro_rules! stored_leads {
    ($how:literal, $leads:expr) => {
        sqlx::query_as!(
            LeadRow,
            r#"-- leads::stored_leads
            select id, stage as "stage: Stage", cycle, mql_by as "mql_by: MqlBy", below_since, below_by_model,
                last_exit_at, recycled_at, recycled_until, withheld_at, epoch, merged_into, merged_at
            from lead where id = any($1) order by id "# + $how,
            $leads
        )
        .map(LeadRow::lead)
    };
}

/// A row of the table `lead`.
struct LeadRow {
    id: LeadId,
    stage: Stage,
    cycle: i32,
    mql_by: Option<MqlBy>,
    below_since: Option<DateTime<Utc>>,
    below_by_model: bool,
    last_exit_at: Option<DateTime<Utc>>,
    recycled_at: Option<DateTime<Utc>>,
    recycled_until: Option<DateTime<Utc>>,
    withheld_at: Option<DateTime<Utc>>,
    epoch: i32,
    merged_into: Option<LeadId>,
    merged_at: Option<DateTime<Utc>>,
}

impl LeadRow {
    fn lead(self) -> Lead {
        Lead {
            id: self.id,
            stage: self.stage,
            cycle: self.cycle,
            mql_by: self.mql_by,
            below_since: self.below_since,
            below_by_model: self.below_by_model,
            last_exit_at: self.last_exit_at,
            recycled_at: self.recycled_at,
            recycled_until: self.recycled_until,
            withheld_at: self.withheld_at,
            epoch: self.epoch,
            merged_into: self.merged_into,
            merged_at: self.merged_at,
            passed: Vec::new(),
        }
    }
}

/// Reads a lead without a lock; `None` if there is no such lead.
pub(crate) async fn read(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Option<Lead>> {
    stored_leads!("", &[lead] as &[LeadId]).fetch_optional(conn).await
}

/// Locks leads in the order of their ids, then reads them.
pub(crate) async fn lock(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<Vec<Lead>> {
    stored_leads!("for no key update", leads as &[LeadId]).fetch_all(conn).await
}

/// Locks and reads leads as [`lock`] does, but passes over leads that another transaction has locked.
pub(crate) async fn lock_free(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<Vec<Lead>> {
    stored_leads!("for no key update skip locked", leads as &[LeadId]).fetch_all(conn).await
}

pub(crate) async fn update(conn: &mut PgConnection, leads: &[&Lead]) -> sqlx::Result<()> {
    let ids: Vec<LeadId> = leads.iter().map(|lead| lead.id).collect();
    let stages: Vec<String> = leads.iter().map(|lead| lead.stage.as_str().to_owned()).collect();
    let cycles: Vec<i32> = leads.iter().map(|lead| lead.cycle).collect();
    let mql_by: Vec<Option<String>> =
        leads.iter().map(|lead| lead.mql_by.map(|by| by.as_str().to_owned())).collect();
    let below: Vec<Option<DateTime<Utc>>> = leads.iter().map(|lead| lead.below_since).collect();
    let below_by_model: Vec<bool> = leads.iter().map(|lead| lead.below_by_model).collect();
    let exits: Vec<Option<DateTime<Utc>>> = leads.iter().map(|lead| lead.last_exit_at).collect();
    let recycled: Vec<Option<DateTime<Utc>>> = leads.iter().map(|lead| lead.recycled_at).collect();
    let until: Vec<Option<DateTime<Utc>>> = leads.iter().map(|lead| lead.recycled_until).collect();
    let withheld: Vec<Option<DateTime<Utc>>> = leads.iter().map(|lead| lead.withheld_at).collect();
    let epochs: Vec<i32> = leads.iter().map(|lead| lead.epoch).collect();
    let merged: Vec<Option<LeadId>> = leads.iter().map(|lead| lead.merged_into).collect();
    let merged_at: Vec<Option<DateTime<Utc>>> = leads.iter().map(|lead| lead.merged_at).collect();
    sqlx::query!(
        "-- leads::update
        update lead set stage = new.stage, cycle = new.cycle, mql_by = new.mql_by, below_since = new.below_since,
            below_by_model = new.below_by_model, last_exit_at = new.last_exit_at, recycled_at = new.recycled_at,
            recycled_until = new.recycled_until, epoch = new.epoch, merged_into = new.merged_into,
            merged_at = new.merged_at, withheld_at = new.withheld_at
        from unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::timestamptz[], $6::boolean[],
            $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::integer[], $11::uuid[],
            $12::timestamptz[], $13::timestamptz[])
            as new (id, stage, cycle, mql_by, below_since, below_by_model, last_exit_at, recycled_at, recycled_until,
                epoch, merged_into, merged_at, withheld_at)
        where lead.id = new.id",
        &ids as &[LeadId],
        &stages,
        &cycles,
        &mql_by as &[Option<String>],
        &below as &[Option<DateTime<Utc>>],
        &below_by_model,
        &exits as &[Option<DateTime<Utc>>],
        &recycled as &[Option<DateTime<Utc>>],
        &until as &[Option<DateTime<Utc>>],
        &epochs,
        &merged as &[Option<LeadId>],
        &merged_at as &[Option<DateTime<Utc>>],
        &withheld as &[Option<DateTime<Utc>>]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A lead, the lead into which it was merged, and so on to the last heir. Empty if there is no such lead.
pub(crate) async fn trail(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        r#"-- leads::trail
        select became_id as "id!" from lead_trail where lead_id = $1 order by step"#,
        lead as LeadId
    )
    .fetch_all(conn)
    .await
}

/// A lead and all leads that were merged into it, the earliest merge first.
pub(crate) async fn family(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Vec<Lead>> {
    sqlx::query_as!(
        LeadRow,
        r#"-- leads::family
        select l.id, l.stage as "stage: Stage", l.cycle, l.mql_by as "mql_by: MqlBy", l.below_since, l.below_by_model,
            l.last_exit_at, l.recycled_at, l.recycled_until, l.withheld_at, l.epoch,
            l.merged_into as "merged_into: LeadId", l.merged_at
        from lead_family family join lead l on l.id = family.member_id
        where family.lead_id = $1 order by l.merged_at, l.id"#,
        lead as LeadId
    )
    .map(LeadRow::lead)
    .fetch_all(conn)
    .await
}

/// Points a signpost that is no identity's home any more to the lead where its identities went, unless the
/// new trail would lead back to the signpost.
pub(super) async fn redirect(
    conn: &mut PgConnection,
    lead: LeadId,
    to: LeadId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::redirect
        update lead set merged_into = $2, merged_at = $3
        where id = $1 and not exists (select from lead_trail where lead_id = $2 and became_id = $1)",
        lead as LeadId,
        to as LeadId,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The next leads with ids above `last`, in the order of their ids, without signposts.
pub(crate) async fn after(
    conn: &mut PgConnection,
    last: Option<LeadId>,
    limit: i64,
) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        "-- leads::after
        select id from lead where id > $1 and merged_into is null order by id limit $2",
        last.unwrap_or(LeadId(uuid::Uuid::nil())) as LeadId,
        limit
    )
    .fetch_all(conn)
    .await
}
