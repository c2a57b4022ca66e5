//! SQL of consents.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Channel, Fact, State};
use crate::platform::ids::{EventKey, IdentityId, LeadId, ModelId};

/// Inserts words. Words that are stored already stay as they are.
pub(super) async fn enter(conn: &mut PgConnection, facts: &[Fact]) -> sqlx::Result<()> {
    let identities: Vec<IdentityId> = facts.iter().map(|fact| fact.said.identity).collect();
    let channels: Vec<Channel> = facts.iter().map(|fact| fact.said.channel).collect();
    let states: Vec<State> = facts.iter().map(|fact| fact.said.word.state).collect();
    let since: Vec<DateTime<Utc>> = facts.iter().map(|fact| fact.said.word.since).collect();
    let lists: Vec<Option<String>> = facts.iter().map(|fact| fact.said.list.clone()).collect();
    let events: Vec<EventKey> = facts.iter().map(|fact| fact.event).collect();
    sqlx::query!(
        "-- leads::consent::enter
        insert into consent (identity_id, channel, state, since, list, event_key)
        select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::uuid[])
        on conflict do nothing",
        &identities as &[IdentityId],
        &channels as &[Channel],
        &states as &[State],
        &since,
        &lists as &[Option<String>],
        &events as &[EventKey]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the words of an event.
pub(super) async fn forget(
    conn: &mut PgConnection,
    identity: IdentityId,
    event: EventKey,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::consent::forget
        delete from consent where identity_id = $1 and event_key = $2",
        identity as IdentityId,
        event as EventKey
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A word that counts for a lead.
pub(super) struct WordRow {
    pub(super) lead_id: LeadId,
    pub(super) identity_id: IdentityId,
    pub(super) channel: Channel,
    pub(super) state: State,
    pub(super) since: DateTime<Utc>,
    pub(super) list: Option<String>,
}

/// All words that count for some leads: those of each identity in the spans in which it counts for the lead.
pub(super) async fn of_leads(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<Vec<WordRow>> {
    sqlx::query_as!(
        WordRow,
        r#"-- leads::consent::of_leads
        select own.lead_id, c.identity_id, c.channel as "channel: Channel", c.state as "state: State", c.since,
            c.list
        from identity_span own
        join consent c on c.identity_id = own.identity_id
            and c.since >= own.since and (own.until is null or c.since < own.until)
        where own.lead_id = any($1)"#,
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
}

/// An e-mail address that must not be written to.
pub(in crate::leads) struct SuppressedRow {
    pub(in crate::leads) identity_id: IdentityId,
    pub(in crate::leads) address: String,
    pub(in crate::leads) state: Option<State>,
    pub(in crate::leads) since: Option<DateTime<Utc>>,
    pub(in crate::leads) do_not_contact: bool,
    pub(in crate::leads) lead_id: Option<LeadId>,
}

/// The addresses that must not be written to, with ids above `after`, in the order of their ids. A refusal by
/// one identity holds for all addresses of the person. A bounce holds for its own address only. The statement
/// picks the current word of an identity by the same rule as `current` in Rust.
pub(in crate::leads) async fn suppressed(
    conn: &mut PgConnection,
    live: ModelId,
    after: Option<IdentityId>,
    limit: i64,
) -> sqlx::Result<Vec<SuppressedRow>> {
    sqlx::query_as!(
        SuppressedRow,
        r#"-- leads::consent::suppressed
        with words as (
            select c.identity_id, whose.lead_id, c.state, c.since, c.list
            from consent c left join identity_span whose on whose.identity_id = c.identity_id
                and c.since >= whose.since and (whose.until is null or c.since < whose.until)
            where c.channel = 'email'
        ), yes as (
            select identity_id, lead_id, list, max(since) as since from words
            where state = 'granted' group by identity_id, lead_id, list
        ), refused as (
            select distinct on (identity_id, lead_id) identity_id, lead_id, state, since
            from words said
            where state <> 'granted' and not exists (
                select from yes where yes.identity_id = said.identity_id and yes.lead_id is not distinct from said.lead_id
                    and (yes.list is null or yes.list = said.list) and yes.since > said.since
            )
            order by identity_id, lead_id, state = 'bounced', since desc,
                array_position(array['bounced', 'withdrawn', 'complained'], state) desc
        ), people as (
            select lead_id from refused where state <> 'bounced'
            union
            select lead_id from score where model_id = $1 and do_not_contact
        ), addresses as (
            select identity_id from refused
            union
            select s.identity_id from people join identity_span s using (lead_id)
        )
        select i.id as "identity_id: IdentityId", i.value as address, word.state as "state?: State",
            word.since as "since?", coalesce(score.do_not_contact, false) as "do_not_contact!",
            whose.lead_id as "lead_id?: LeadId"
        from addresses
        join identity i on i.id = addresses.identity_id and i.kind = 'email'
        left join lateral (
            select lead_id from identity_span where identity_id = i.id order by since desc limit 1
        ) whose on true
        left join score on score.lead_id = whose.lead_id and score.model_id = $1
        left join lateral (
            select r.state, r.since from refused r
            where r.identity_id = i.id or (r.state <> 'bounced' and r.lead_id = whose.lead_id)
            order by array_position(array['bounced', 'withdrawn', 'complained'], r.state) desc, r.since desc limit 1
        ) word on true
        where i.id > $2 and (word.state is not null or score.do_not_contact)
        order by i.id limit $3"#,
        live as ModelId,
        after.unwrap_or(IdentityId(uuid::Uuid::nil())) as IdentityId,
        limit
    )
    .fetch_all(conn)
    .await
}
