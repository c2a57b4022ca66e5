//! SQL of identities, links and spans.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    leads::{
        Span,
        identity::{Identity, Kind, Named},
    },
    platform::ids::{IdentityId, LeadId},
};

/// A span with the epoch of its lead when the span was read.
pub(in crate::leads) struct SpanRow {
    pub(in crate::leads) identity_id: IdentityId,
    pub(in crate::leads) since: DateTime<Utc>,
    pub(in crate::leads) until: Option<DateTime<Utc>>,
    pub(in crate::leads) lead_id: LeadId,
    pub(in crate::leads) home_lead_id: Option<LeadId>,
    pub(in crate::leads) parent_id: Option<IdentityId>,
    pub(in crate::leads) epoch: i32,
}

impl SpanRow {
    pub(in crate::leads) fn span(&self) -> Span {
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

pub(in crate::leads) async fn spans_of(
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

/// The identities that follow one of these parents, and the identities of these leads.
pub(in crate::leads) async fn identities_following(
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

/// Creates identities. Returns the ids of those that did not exist yet.
pub(in crate::leads) async fn insert_identities(
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

/// Creates an identity without a span, as named in passing, unless it exists.
pub(crate) async fn know(
    conn: &mut PgConnection,
    identity: &Identity,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    insert_identities(conn, &[identity], now).await?;
    Ok(())
}

/// Locks the rows of identities until the transaction ends.
pub(in crate::leads) async fn lock_identities(
    conn: &mut PgConnection,
    identities: &[IdentityId],
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::lock_identities
        select id from identity where id = any($1) order by id for no key update",
        identities as &[IdentityId]
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// Replaces all spans of these identities by the given spans.
pub(in crate::leads) async fn replace_spans(conn: &mut PgConnection, spans: &[Span]) -> sqlx::Result<()> {
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

pub(in crate::leads) async fn insert_spans(conn: &mut PgConnection, spans: &[Span]) -> sqlx::Result<()> {
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

/// Stores links. A link that is stored already at the same instant is not stored again. For an e-mail address
/// (`addresses`) only the first link to each parent matters, and SDKs repeat the link with every event. So
/// later links of an address to the same parent are dropped.
pub(in crate::leads) async fn insert_links(
    conn: &mut PgConnection,
    children: &[IdentityId],
    addresses: &[bool],
    at: &[DateTime<Utc>],
    parents: &[IdentityId],
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::insert_links
        insert into identity_link (identity_id, at, parent_id)
        select child, at, parent
        from unnest($1::uuid[], $2::boolean[], $3::timestamptz[], $4::uuid[]) as new (child, address, at, parent)
        where not address or not exists (
            select from identity_link known
            where known.identity_id = child and known.parent_id = parent and known.at <= new.at
        )
        on conflict do nothing",
        children as &[IdentityId],
        addresses,
        at,
        parents as &[IdentityId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A link: from `at` on, an identity follows a parent.
pub(in crate::leads) struct LinkRow {
    pub(in crate::leads) identity_id: IdentityId,
    pub(in crate::leads) at: DateTime<Utc>,
    pub(in crate::leads) parent_id: IdentityId,
}

pub(in crate::leads) async fn links_of(
    conn: &mut PgConnection,
    children: &[IdentityId],
) -> sqlx::Result<Vec<LinkRow>> {
    sqlx::query_as!(
        LinkRow,
        "-- leads::links_of
        select identity_id, at, parent_id from identity_link where identity_id = any($1)",
        children as &[IdentityId]
    )
    .fetch_all(conn)
    .await
}

/// The homes among the given leads that still have an identity. `leads` has, for each home, the lead for
/// which its identities count.
pub(in crate::leads) async fn with_identities(
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

/// Makes all spans of a lead count for another lead. Their homes do not change.
pub(in crate::leads) async fn move_spans(
    conn: &mut PgConnection,
    from: LeadId,
    into: LeadId,
) -> sqlx::Result<()> {
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

/// Makes the spans of a lead that have one of these homes count for another lead.
pub(in crate::leads) async fn move_homes(
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

/// A lead that is the home of identities.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home {
    /// The lead.
    pub(crate) lead: LeadId,
    /// Whether one of these identities is a user id or an e-mail address.
    pub(crate) identified: bool,
}

/// The homes of the identities that count for a lead.
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

/// A row of the table `identity`.
struct IdentityRow {
    kind: String,
    value: String,
}

impl IdentityRow {
    fn identity(self) -> sqlx::Result<Identity> {
        let unreadable =
            |why: String| sqlx::Error::Decode(format!("an identity cannot be read: {why}").into());
        let kind = Kind::named(&self.kind).ok_or_else(|| unreadable(format!("its kind is {}", self.kind)))?;
        Identity::parse(kind, &self.value).map_err(|why| unreadable(why.to_string()))
    }
}

/// The identity with this id, or the identity that replaced it; `None` if no event ever named it.
pub(crate) async fn identity(conn: &mut PgConnection, id: IdentityId) -> sqlx::Result<Option<Identity>> {
    let found = sqlx::query_as!(
        IdentityRow,
        "-- leads::identity
        select kind, value from identity
        where id in ($1, (select identity_id from former_identity where id = $1)) order by id = $1 limit 1",
        id as IdentityId
    )
    .fetch_optional(conn)
    .await?;
    found.map(IdentityRow::identity).transpose()
}

/// The current id of an identity that may have been renamed. Returns the given id if the identity was not
/// renamed.
pub(crate) async fn known_as(conn: &mut PgConnection, id: IdentityId) -> sqlx::Result<IdentityId> {
    sqlx::query_scalar!(
        r#"-- leads::known_as
        select coalesce((select identity_id from former_identity where id = $1), $1) as "id!: IdentityId""#,
        id as IdentityId
    )
    .fetch_one(conn)
    .await
}

/// The identity by which a new event must name a lead, so that the event counts for the lead. This is the
/// strongest identity: a user id, else an e-mail address, else an anonymous id. Identities that follow nobody
/// come before others of their kind. Identities whose home is `home` (the lead of the request, which may have
/// been merged into this one) come first; other identities from a merge come last.
pub(crate) async fn named(
    conn: &mut PgConnection,
    lead: LeadId,
    home: LeadId,
) -> sqlx::Result<Option<Named>> {
    let strongest = sqlx::query_as!(
        IdentityRow,
        "-- leads::named
        select i.kind, i.value
        from identity_span s join identity i on i.id = s.identity_id
        where s.lead_id = $1 and s.until is null
        order by coalesce(s.home_lead_id, s.lead_id) <> $2, s.home_lead_id is not null, array_position(array['user_id', 'email', 'anonymous_id'], i.kind),
            s.parent_id is not null, i.value
        limit 1",
        lead as LeadId,
        home as LeadId
    )
    .fetch_optional(conn)
    .await?;
    Ok(strongest.map(IdentityRow::identity).transpose()?.map(Named::one))
}

/// The lead for which an identity's events count from now on; `None` if the identity has no lead.
pub(crate) async fn lead_of(conn: &mut PgConnection, identity: IdentityId) -> sqlx::Result<Option<LeadId>> {
    let spans = spans_of(conn, &[identity]).await?;
    Ok(spans.last().map(|span| span.lead_id))
}
