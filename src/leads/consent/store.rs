//! SQL of consents.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Channel, Fact, State};
use crate::ids::{EventKey, IdentityId, LeadId};

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
    pub(in crate::leads) state: State,
    pub(in crate::leads) since: DateTime<Utc>,
    pub(in crate::leads) lead_id: Option<LeadId>,
}

/// The addresses that are not to be written to, longest so first, after a place.
pub(in crate::leads) async fn suppressed(
    conn: &mut PgConnection,
    after: Option<(DateTime<Utc>, IdentityId)>,
    limit: i64,
) -> sqlx::Result<Vec<SuppressedRow>> {
    let (since, identity) = after.unwrap_or((DateTime::UNIX_EPOCH, IdentityId(uuid::Uuid::nil())));
    sqlx::query_as!(
        SuppressedRow,
        r#"-- consent::suppressed
        select c.identity_id, i.value as address, c.state as "state: State", c.since,
            (select s.lead_id from identity_span s where s.identity_id = c.identity_id limit 1) as "lead_id: LeadId"
        from consent c
        join identity i on i.id = c.identity_id and i.kind = 'email'
        where c.channel = 'email' and c.state <> 'granted' and (c.since, c.identity_id) > ($1, $2)
        order by c.since, c.identity_id limit $3"#,
        since,
        identity as IdentityId,
        limit
    )
    .fetch_all(conn)
    .await
}
