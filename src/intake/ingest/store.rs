//! SQL of the log.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::{event::NewEvent, rejection::Refused};
use crate::{
    intake::verdicts::{Finding, verdict, word},
    platform::{
        ids::{EventKey, IdentityId, Ids, KeyId, first_at},
        json::Stored,
    },
};

/// Appends events to the log. Returns the keys of the events that are new.
pub(super) async fn insert(
    conn: &mut PgConnection,
    events: &[&NewEvent],
) -> sqlx::Result<Vec<(IdentityId, EventKey)>> {
    let identities: Vec<IdentityId> = events.iter().map(|event| event.named.principal().id()).collect();
    let keys: Vec<EventKey> = events.iter().map(|event| event.key).collect();
    let ids: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let names: Vec<Option<&str>> = events.iter().map(|event| event.name.as_deref()).collect();
    let occurred: Vec<DateTime<Utc>> = events.iter().map(|event| event.occurred_at).collect();
    let received: Vec<DateTime<Utc>> = events.iter().map(|event| event.received_at).collect();
    let original: Vec<Option<DateTime<Utc>>> = events.iter().map(|event| event.original_at).collect();
    let sent: Vec<Option<DateTime<Utc>>> = events.iter().map(|event| event.sent_at).collect();
    let verdicts: Vec<&str> = events.iter().map(|event| word(verdict(event.finding))).collect();
    let found: Vec<Option<&str>> = events.iter().map(|event| event.finding.map(Finding::as_str)).collect();
    let held: Vec<Option<DateTime<Utc>>> = events.iter().map(|event| event.held_until).collect();
    let digests: Vec<i64> = events.iter().map(|event| event.digest).collect();
    let properties: Vec<Stored<_>> = events.iter().map(|event| Stored(&event.properties)).collect();
    let traits: Vec<Option<Stored<_>>> =
        events.iter().map(|event| event.traits.as_ref().map(Stored)).collect();
    let context: Vec<Option<Stored<_>>> =
        events.iter().map(|event| event.context.as_ref().map(Stored)).collect();
    let api_keys: Vec<Option<KeyId>> = events.iter().map(|event| event.api_key).collect();
    let rows = sqlx::query!(
        r#"-- ingest::insert
        insert into event (identity_id, event_key, id, type, name, occurred_at, received_at, original_at, sent_at,
            verdict, verdict_reason, found, held_until, digest, properties, traits, context, api_key_id)
        select identity_id, event_key, id, type, name, occurred_at, received_at, original_at, sent_at,
            verdict, found, found, held_until, digest, properties, traits, context, api_key_id
        from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
            $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::bigint[], $11::jsonb[], $12::jsonb[],
            $13::jsonb[], $14::uuid[], $15::text[], $16::text[], $17::timestamptz[])
            as new (identity_id, event_key, id, type, name, occurred_at, received_at, original_at, sent_at,
                digest, properties, traits, context, api_key_id, verdict, found, held_until)
        on conflict do nothing
        returning identity_id, event_key"#,
        &identities as &[IdentityId],
        &keys as &[EventKey],
        &ids as &[&str],
        &kinds as &[&str],
        &names as &[Option<&str>],
        &occurred,
        &received,
        &original as &[Option<DateTime<Utc>>],
        &sent as &[Option<DateTime<Utc>>],
        &digests,
        &properties as &[Stored<&Map<String, Value>>],
        &traits as &[Option<Stored<&Map<String, Value>>>],
        &context as &[Option<Stored<&Map<String, Value>>>],
        &api_keys as &[Option<KeyId>],
        &verdicts as &[&str],
        &found as &[Option<&str>],
        &held as &[Option<DateTime<Utc>>]
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.identity_id, row.event_key)).collect())
}

/// Notes types of events, unless `most` types are noted already.
pub(super) async fn note_types(conn: &mut PgConnection, types: &[String], most: usize) -> sqlx::Result<()> {
    sqlx::query!(
        "-- ingest::note_types
        insert into event_type (type)
        select type from unnest($1::text[]) as new (type) where (select count(*) from event_type) < $2
        on conflict do nothing",
        types,
        most as i64
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An event that was in the log already.
pub(super) struct Known {
    pub(super) identity_id: IdentityId,
    pub(super) event_key: EventKey,
    pub(super) digest: i64,
}

/// Reads the digests of the events that are in the log already.
pub(super) async fn known(
    conn: &mut PgConnection,
    identities: &[IdentityId],
    keys: &[EventKey],
) -> sqlx::Result<Vec<Known>> {
    sqlx::query_as!(
        Known,
        "-- ingest::known
        select e.identity_id, e.event_key, e.digest
        from unnest($1::uuid[], $2::uuid[]) as asked (identity_id, event_key)
        join event e on e.identity_id = asked.identity_id and e.event_key = asked.event_key",
        identities as &[IdentityId],
        keys as &[EventKey]
    )
    .fetch_all(conn)
    .await
}

/// Stores refused items, with the reasons.
pub(super) async fn insert_refused(
    conn: &mut PgConnection,
    ids: &Ids,
    refused: &[(Option<KeyId>, DateTime<Utc>, &Refused)],
) -> sqlx::Result<()> {
    let rows: Vec<uuid::Uuid> = refused.iter().map(|_| ids.next()).collect();
    let api_keys: Vec<Option<KeyId>> = refused.iter().map(|(key, ..)| *key).collect();
    let received: Vec<DateTime<Utc>> = refused.iter().map(|(_, at, _)| *at).collect();
    let positions: Vec<i32> =
        refused.iter().map(|(.., item)| i32::try_from(item.index).unwrap_or(i32::MAX)).collect();
    let codes: Vec<&str> = refused.iter().map(|(.., item)| item.rejection.code).collect();
    let details: Vec<&str> = refused.iter().map(|(.., item)| item.rejection.detail.as_str()).collect();
    let bodies: Vec<&[u8]> = refused.iter().map(|(.., item)| item.body.as_slice()).collect();
    sqlx::query!(
        "-- ingest::insert_refused
        insert into rejected_events (id, api_key_id, received_at, position, code, detail, body)
        select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::integer[], $5::text[], $6::text[],
            $7::bytea[])",
        &rows,
        &api_keys as &[Option<KeyId>],
        &received,
        &positions,
        &codes as &[&str],
        &details as &[&str],
        &bodies as &[&[u8]]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes refused items that came before an instant, and the oldest ones if there are more than `most`.
/// Deletes at most `at_once`, and returns how many.
pub(super) async fn forget_rejected(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    most: i64,
    at_once: i64,
) -> sqlx::Result<usize> {
    // An id begins with the instant at which it was made, so ids can be compared with instants.
    let done = sqlx::query!(
        "-- ingest::forget_rejected
        delete from rejected_events where id in (
            select id from rejected_events
            where id < $1 or id <= (select id from rejected_events order by id desc offset $2 limit 1)
            order by id limit $3 for update skip locked)",
        first_at(before),
        most,
        at_once
    )
    .execute(conn)
    .await?;
    Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
}
