//! SQL of leads and their identities.

use chrono::{DateTime, Utc};
use scoring::profile::Fold;
use serde_json::Value;
use sqlx::PgConnection;

use super::{
    Lead, MqlBy, Span, Stage,
    identity::{Identity, Kind, Named},
};
use crate::ids::{IdentityId, LeadId};

/// A span as it is read, with the epoch of its lead at that moment.
pub(super) struct SpanRow {
    pub(super) identity_id: IdentityId,
    pub(super) since: DateTime<Utc>,
    pub(super) until: Option<DateTime<Utc>>,
    pub(super) lead_id: LeadId,
    pub(super) home_lead_id: Option<LeadId>,
    pub(super) parent_id: Option<IdentityId>,
    pub(super) epoch: i32,
}

impl SpanRow {
    pub(super) fn span(&self) -> Span {
        Span {
            identity_id: self.identity_id,
            since: self.since,
            until: self.until,
            lead_id: self.lead_id,
            home: self.home_lead_id.unwrap_or(self.lead_id),
            parent_id: self.parent_id,
        }
    }
}

pub(super) async fn spans_of(
    conn: &mut PgConnection,
    identities: &[IdentityId],
) -> sqlx::Result<Vec<SpanRow>> {
    sqlx::query_as!(
        SpanRow,
        "-- leads::spans_of
        select s.identity_id, s.since, s.until, s.lead_id, s.home_lead_id, s.parent_id, l.epoch
        from identity_span s join lead l on l.id = s.lead_id
        where s.identity_id = any($1)
        order by s.identity_id, s.since",
        identities as &[IdentityId]
    )
    .fetch_all(conn)
    .await
}

/// The identities that follow one of these, and those of these leads.
pub(super) async fn identities_following(
    conn: &mut PgConnection,
    parents: &[IdentityId],
    leads: &[LeadId],
) -> sqlx::Result<Vec<IdentityId>> {
    sqlx::query_scalar!(
        r#"-- leads::identities_following
        select identity_id as "identity_id!: IdentityId" from identity_span where parent_id = any($1)
        union
        select identity_id from identity_span where lead_id = any($2)"#,
        parents as &[IdentityId],
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
}

/// Creates identities, and says which of them were not there yet.
pub(super) async fn insert_identities(
    conn: &mut PgConnection,
    identities: &[&Identity],
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<IdentityId>> {
    let ids: Vec<IdentityId> = identities.iter().map(|identity| identity.id()).collect();
    let kinds: Vec<String> = identities.iter().map(|identity| identity.kind().as_str().to_owned()).collect();
    let values: Vec<String> = identities.iter().map(|identity| identity.value().to_owned()).collect();
    sqlx::query_scalar!(
        r#"-- leads::insert_identities
        insert into identity (id, kind, value, created_at)
        select id, kind, value, $4 from unnest($1::uuid[], $2::text[], $3::text[]) as new (id, kind, value)
        order by id
        on conflict do nothing
        returning id as "id: IdentityId""#,
        &ids as &[IdentityId],
        &kinds,
        &values,
        now
    )
    .fetch_all(conn)
    .await
}

/// Sees to it that an identity is known, as one that was named in passing.
pub(crate) async fn know(
    conn: &mut PgConnection,
    identity: &Identity,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    insert_identities(conn, &[identity], now).await?;
    Ok(())
}

/// Holds the rows of identities until the transaction ends.
pub(super) async fn lock_identities(conn: &mut PgConnection, identities: &[IdentityId]) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::lock_identities
        select id from identity where id = any($1) order by id for no key update",
        identities as &[IdentityId]
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

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

/// Puts these spans in the place of all that the same identities had.
pub(super) async fn replace_spans(conn: &mut PgConnection, spans: &[Span]) -> sqlx::Result<()> {
    let identities: Vec<IdentityId> = spans.iter().map(|span| span.identity_id).collect();
    sqlx::query!(
        "-- leads::replace_spans
        delete from identity_span where identity_id = any($1)",
        &identities as &[IdentityId]
    )
    .execute(&mut *conn)
    .await?;
    insert_spans(conn, spans).await
}

pub(super) async fn insert_spans(conn: &mut PgConnection, spans: &[Span]) -> sqlx::Result<()> {
    let identities: Vec<IdentityId> = spans.iter().map(|span| span.identity_id).collect();
    let since: Vec<DateTime<Utc>> = spans.iter().map(|span| span.since).collect();
    let until: Vec<Option<DateTime<Utc>>> = spans.iter().map(|span| span.until).collect();
    let leads: Vec<LeadId> = spans.iter().map(|span| span.lead_id).collect();
    let homes: Vec<LeadId> = spans.iter().map(|span| span.home).collect();
    let parents: Vec<Option<IdentityId>> = spans.iter().map(|span| span.parent_id).collect();
    sqlx::query!(
        "-- leads::insert_spans
        insert into identity_span (identity_id, since, until, lead_id, home_lead_id, parent_id)
        select identity_id, since, until, lead_id, nullif(home, lead_id), parent_id
        from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::uuid[], $5::uuid[], $6::uuid[])
            as new (identity_id, since, until, lead_id, home, parent_id)",
        &identities as &[IdentityId],
        &since,
        &until as &[Option<DateTime<Utc>>],
        &leads as &[LeadId],
        &homes as &[LeadId],
        &parents as &[Option<IdentityId>]
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
                last_exit_at, recycled_at, recycled_until, epoch, merged_into, merged_at
            from lead where id = any($1) order by id "# + $how,
            $leads
        )
        .map(LeadRow::lead)
    };
}

/// A lead as it is stored.
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
            epoch: self.epoch,
            merged_into: self.merged_into,
            merged_at: self.merged_at,
            passed: Vec::new(),
        }
    }
}

/// Reads a lead as it is, without a lock.
pub(crate) async fn read(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Option<Lead>> {
    stored_leads!("", &[lead] as &[LeadId]).fetch_optional(conn).await
}

/// Locks leads in id order and reads them as they then are.
pub(crate) async fn lock(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<Vec<Lead>> {
    stored_leads!("for no key update", leads as &[LeadId]).fetch_all(conn).await
}

/// The same, passing over leads that somebody else has locked.
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
    let epochs: Vec<i32> = leads.iter().map(|lead| lead.epoch).collect();
    let merged: Vec<Option<LeadId>> = leads.iter().map(|lead| lead.merged_into).collect();
    let merged_at: Vec<Option<DateTime<Utc>>> = leads.iter().map(|lead| lead.merged_at).collect();
    sqlx::query!(
        "-- leads::update
        update lead set stage = new.stage, cycle = new.cycle, mql_by = new.mql_by, below_since = new.below_since,
            below_by_model = new.below_by_model, last_exit_at = new.last_exit_at, recycled_at = new.recycled_at,
            recycled_until = new.recycled_until, epoch = new.epoch, merged_into = new.merged_into,
            merged_at = new.merged_at
        from unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::timestamptz[], $6::boolean[],
            $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::integer[], $11::uuid[],
            $12::timestamptz[])
            as new (id, stage, cycle, mql_by, below_since, below_by_model, last_exit_at, recycled_at, recycled_until,
                epoch, merged_into, merged_at)
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
        &merged_at as &[Option<DateTime<Utc>>]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records that identities were said to belong together; what was said before at the same instant stays once.
pub(super) async fn insert_links(
    conn: &mut PgConnection,
    children: &[IdentityId],
    at: &[DateTime<Utc>],
    parents: &[IdentityId],
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::insert_links
        insert into identity_link (identity_id, at, parent_id)
        select * from unnest($1::uuid[], $2::timestamptz[], $3::uuid[])
        on conflict do nothing",
        children as &[IdentityId],
        at,
        parents as &[IdentityId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A fact about an identity.
pub(super) struct LinkRow {
    pub(super) identity_id: IdentityId,
    pub(super) at: DateTime<Utc>,
    pub(super) parent_id: IdentityId,
}

pub(super) async fn links_of(conn: &mut PgConnection, children: &[IdentityId]) -> sqlx::Result<Vec<LinkRow>> {
    sqlx::query_as!(
        LinkRow,
        "-- leads::links_of
        select identity_id, at, parent_id from identity_link where identity_id = any($1)",
        children as &[IdentityId]
    )
    .fetch_all(conn)
    .await
}

/// Of which of these leads, each with the one that its identities count for, an identity is left whose home it is.
pub(super) async fn with_identities(
    conn: &mut PgConnection,
    homes: &[LeadId],
    leads: &[LeadId],
) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        r#"-- leads::with_identities
        select home as "home!: LeadId" from unnest($1::uuid[], $2::uuid[]) as asked (home, lead)
        where exists (
            select from identity_span where lead_id = asked.lead and coalesce(home_lead_id, lead_id) = asked.home
        )"#,
        homes as &[LeadId],
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
}

/// Has everything that counts for a lead count for another; its home stays what it is.
pub(super) async fn move_spans(conn: &mut PgConnection, from: LeadId, into: LeadId) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::move_spans
        update identity_span set home_lead_id = nullif(coalesce(home_lead_id, lead_id), $2), lead_id = $2
        where lead_id = $1",
        from as LeadId,
        into as LeadId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has what counts for a lead, and is at home at one of these, count for another.
pub(super) async fn move_homes(
    conn: &mut PgConnection,
    from: LeadId,
    homes: &[LeadId],
    into: LeadId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::move_homes
        update identity_span set home_lead_id = nullif(home_lead_id, $3), lead_id = $3
        where lead_id = $1 and home_lead_id = any($2)",
        from as LeadId,
        homes as &[LeadId],
        into as LeadId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A lead at which identities are at home.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home {
    /// The lead.
    pub(crate) lead: LeadId,
    /// One of them is a user id or e-mail.
    pub(crate) identified: bool,
}

/// Where the identities are at home that count for a lead.
pub(crate) async fn homes_of(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Vec<Home>> {
    sqlx::query_as!(
        Home,
        r#"-- leads::homes_of
        select coalesce(s.home_lead_id, s.lead_id) as "lead!: LeadId",
            bool_or(i.kind <> 'anonymous_id') as "identified!"
        from identity_span s join identity i on i.id = s.identity_id
        where s.lead_id = $1 group by 1"#,
        lead as LeadId
    )
    .fetch_all(conn)
    .await
}

/// A lead, the one that it was merged into, and so on to the one that it is now; none if there is no such lead.
pub(crate) async fn trail(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        r#"-- leads::trail
        with recursive trail as (
            select id, merged_into, 1 as step from lead where id = $1
            union all
            select next.id, next.merged_into, step + 1 from trail join lead next on next.id = trail.merged_into
        )
        select id as "id!: LeadId" from trail order by step"#,
        lead as LeadId
    )
    .fetch_all(conn)
    .await
}

/// A lead, and all that were merged into it, the earliest first.
pub(crate) async fn family(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Vec<Lead>> {
    sqlx::query_as!(
        LeadRow,
        r#"-- leads::family
        with recursive family as (
            select * from lead where id = $1
            union all
            select next.* from lead next join family on next.merged_into = family.id
        )
        select id as "id!: LeadId", stage as "stage!: Stage", cycle as "cycle!", mql_by as "mql_by: MqlBy", below_since,
            below_by_model as "below_by_model!", last_exit_at, recycled_at, recycled_until, epoch as "epoch!",
            merged_into as "merged_into: LeadId", merged_at
        from family order by merged_at, id"#,
        lead as LeadId
    )
    .map(LeadRow::lead)
    .fetch_all(conn)
    .await
}

/// Has a signpost of which nobody is at home any more point to where they went, unless that way leads back to it.
pub(super) async fn redirect(
    conn: &mut PgConnection,
    lead: LeadId,
    to: LeadId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::redirect
        update lead set merged_into = $2, merged_at = $3
        where id = $1 and not exists (
            with recursive trail as (
                select id, merged_into from lead where id = $2
                union all
                select next.id, next.merged_into from trail join lead next on next.id = trail.merged_into
            )
            select from trail where id = $1
        )",
        lead as LeadId,
        to as LeadId,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets what was computed for leads that have no identity left.
pub(crate) async fn delete_profiles(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::delete_profiles
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
    /// The attributes as they are folded on.
    pub(crate) fn fold(self) -> sqlx::Result<Fold> {
        serde_json::from_value(self.attributes).map_err(|error| sqlx::Error::Decode(Box::new(error)))
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

/// The e-mail addresses of these leads.
pub(crate) async fn emails_of(
    conn: &mut PgConnection,
    leads: &[LeadId],
) -> sqlx::Result<Vec<(LeadId, String)>> {
    let rows = sqlx::query!(
        r#"-- leads::emails_of
        select distinct s.lead_id as "lead_id: LeadId", i.value
        from identity_span s join identity i on i.id = s.identity_id
        where s.lead_id = any($1) and i.kind = 'email'"#,
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.lead_id, row.value)).collect())
}

/// The next leads in the order of their ids.
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

/// An identity as it is stored.
struct IdentityRow {
    kind: String,
    value: String,
}

impl IdentityRow {
    fn identity(self) -> Option<Identity> {
        let kind = [Kind::UserId, Kind::Email, Kind::AnonymousId]
            .into_iter()
            .find(|kind| kind.as_str() == self.kind)?;
        Identity::parse(kind, &self.value).ok()
    }
}

/// The identity of this hash; none if nobody ever named it.
pub(crate) async fn identity(conn: &mut PgConnection, id: IdentityId) -> sqlx::Result<Option<Identity>> {
    let found = sqlx::query_as!(
        IdentityRow,
        "-- leads::identity
        select kind, value from identity where id = $1",
        id as IdentityId
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.and_then(IdentityRow::identity))
}

/// How an event names a lead that is to count for it from now on: by its strongest identity, which is a user id, else
/// an e-mail, else an anonymous id; of several of a kind one that follows no other. Those that came by a merge come last.
pub(crate) async fn named(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Option<Named>> {
    let strongest = sqlx::query_as!(
        IdentityRow,
        "-- leads::named
        select i.kind, i.value
        from identity_span s join identity i on i.id = s.identity_id
        where s.lead_id = $1 and s.until is null
        order by s.home_lead_id is not null, array_position(array['user_id', 'email', 'anonymous_id'], i.kind),
            s.parent_id is not null, i.value
        limit 1",
        lead as LeadId
    )
    .fetch_optional(conn)
    .await?;
    Ok(strongest.and_then(IdentityRow::identity).map(Named::one))
}

/// The lead for which an identity's events count from now on; none if nobody ever named it.
pub(super) async fn lead_of(conn: &mut PgConnection, identity: IdentityId) -> sqlx::Result<Option<LeadId>> {
    let spans = spans_of(conn, &[identity]).await?;
    Ok(spans.last().map(|span| span.lead_id))
}
