//! SQL of consents.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Channel, Fact, State};
use crate::ids::{EventKey, IdentityId, LeadId, ModelId};

/// What stands for some identities.
pub(super) struct StandingRow {
    pub(super) identity_id: IdentityId,
    pub(super) channel: Channel,
    pub(super) state: State,
}

pub(super) async fn of(conn: &mut PgConnection, identities: &[IdentityId]) -> sqlx::Result<Vec<StandingRow>> {
    sqlx::query_as!(
        StandingRow,
        r#"-- consent::of
        select identity_id, channel as "channel: Channel", state as "state: State"
        from consent where identity_id = any($1)"#,
        identities as &[IdentityId]
    )
    .fetch_all(conn)
    .await
}

/// Enters facts, one an identity and channel; those that do not stand against what is there change nothing, so the order
/// does not matter (`Word::outlasts` is the same rule). Those that stand come back.
pub(super) async fn enter(
    conn: &mut PgConnection,
    facts: &[Fact],
) -> sqlx::Result<Vec<(IdentityId, Channel)>> {
    let identities: Vec<IdentityId> = facts.iter().map(|fact| fact.identity).collect();
    let channels: Vec<Channel> = facts.iter().map(|fact| fact.channel).collect();
    let states: Vec<State> = facts.iter().map(|fact| fact.word.state).collect();
    let since: Vec<DateTime<Utc>> = facts.iter().map(|fact| fact.word.since).collect();
    let events: Vec<EventKey> = facts.iter().map(|fact| fact.event).collect();
    let rows = sqlx::query!(
        r#"-- consent::enter
        insert into consent (identity_id, channel, state, since, event_key)
        select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::uuid[])
        on conflict (identity_id, channel) do update
            set state = excluded.state, since = excluded.since, event_key = excluded.event_key
            where (excluded.since, array_position(array['granted', 'bounced', 'withdrawn', 'complained'], excluded.state))
                > (consent.since, array_position(array['granted', 'bounced', 'withdrawn', 'complained'], consent.state))
        returning identity_id, channel as "channel: Channel""#,
        &identities as &[IdentityId],
        &channels as &[Channel],
        &states as &[State],
        &since,
        &events as &[EventKey]
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.identity_id, row.channel)).collect())
}

/// An address that is not to be written to.
pub(in crate::leads) struct SuppressedRow {
    pub(in crate::leads) identity_id: IdentityId,
    pub(in crate::leads) address: String,
    pub(in crate::leads) state: Option<State>,
    pub(in crate::leads) since: Option<DateTime<Utc>>,
    pub(in crate::leads) do_not_contact: bool,
    pub(in crate::leads) lead_id: Option<LeadId>,
}

/// The addresses that are not to be written to, in the order of their ids, after one. What was said by one of a person's
/// identities holds for all of its addresses, but for a bounce, which is of the address alone.
pub(in crate::leads) async fn suppressed(
    conn: &mut PgConnection,
    live: ModelId,
    after: Option<IdentityId>,
    limit: i64,
) -> sqlx::Result<Vec<SuppressedRow>> {
    sqlx::query_as!(
        SuppressedRow,
        r#"-- consent::suppressed
        with refused as (
            select identity_id from consent where channel = 'email' and state <> 'granted'
        ), people as (
            select s.lead_id from refused join identity_span s using (identity_id)
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
            select c.state, c.since from consent c
            where c.channel = 'email' and c.state <> 'granted' and (c.identity_id = i.id or c.state <> 'bounced'
                and c.identity_id in (select identity_id from identity_span where lead_id = whose.lead_id))
            order by array_position(array['bounced', 'withdrawn', 'complained'], c.state) desc, c.since desc limit 1
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
