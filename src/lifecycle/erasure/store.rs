//! SQL of erasure.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    leads::consent::{State, Word},
    platform::ids::{EventKey, IdentityId, LeadId},
};

/// The identities that were nobody's but this lead's, and former user ids of it by which nobody is known.
pub(super) async fn own_identities(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Vec<IdentityId>> {
    sqlx::query_scalar!(
        r#"-- erasure::own_identities
        select distinct own.identity_id as "identity_id!: IdentityId" from identity_span own
        where own.lead_id = $1 and not exists (
            select from identity_span other where other.identity_id = own.identity_id and other.lead_id <> $1
        )
        union
        select former.identity_id from identity_span own join identity_link former on former.parent_id = own.identity_id
        where own.lead_id = $1
            and not exists (select from identity_span known where known.identity_id = former.identity_id)
            and not exists (
                select from identity_link elsewhere join identity_span other on other.identity_id = elsewhere.parent_id
                where elsewhere.identity_id = former.identity_id and other.lead_id <> $1
            )"#,
        lead as LeadId
    )
    .fetch_all(conn)
    .await
}

/// The identities that were this lead's for a time, and another's for another.
pub(super) async fn shared_identities(
    conn: &mut PgConnection,
    lead: LeadId,
) -> sqlx::Result<Vec<IdentityId>> {
    sqlx::query_scalar!(
        r#"-- erasure::shared_identities
        select distinct own.identity_id as "identity_id!: IdentityId" from identity_span own
        where own.lead_id = $1 and exists (
            select from identity_span other where other.identity_id = own.identity_id and other.lead_id <> $1
        )"#,
        lead as LeadId
    )
    .fetch_all(conn)
    .await
}

/// The events that count for a lead, and those that would but for a verdict.
pub(super) async fn delete_events(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<()> {
    sqlx::query!(
        "-- erasure::delete_events
        delete from event e using identity_span s
        where s.lead_id = $1 and e.identity_id = s.identity_id
            and e.occurred_at >= s.since and (s.until is null or e.occurred_at < s.until)",
        lead as LeadId
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn delete_spans(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<()> {
    sqlx::query!(
        "-- erasure::delete_spans
        delete from identity_span where lead_id = $1",
        lead as LeadId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has what is left of shared identities' spans follow on each other again, as a fold of the facts that are left has them.
pub(super) async fn close_gaps(
    conn: &mut PgConnection,
    identities: &[IdentityId],
    beginning: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- erasure::close_gaps
        update identity_span span set since = whole.since, until = whole.until
        from (
            select identity_id, since as old, case when lag(since) over times is null then $2 else since end as since,
                lead(since) over times as until
            from identity_span where identity_id = any($1)
            window times as (partition by identity_id order by since)
        ) as whole
        where span.identity_id = whole.identity_id and span.since = whole.old",
        identities as &[IdentityId],
        beginning
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What was said of who follows whom, by these identities or of them.
pub(super) async fn delete_links(conn: &mut PgConnection, identities: &[IdentityId]) -> sqlx::Result<()> {
    sqlx::query!(
        "-- erasure::delete_links
        delete from identity_link where identity_id = any($1) or parent_id = any($1)",
        identities as &[IdentityId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What they agreed to, what a later yes answers, and what they have said again since. What they refuse stays refused: an
/// identity's id is a hash.
pub(super) async fn delete_permissions(
    conn: &mut PgConnection,
    identities: &[IdentityId],
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- erasure::delete_permissions
        delete from consent said where identity_id = any($1) and (state = 'granted' or exists (
            select from consent later where later.identity_id = said.identity_id and later.channel = said.channel
                and later.since > said.since and (
                    later.state = 'granted' and (later.list is null or later.list = said.list)
                    or later.state = said.state and later.list is not distinct from said.list
                )
        ))",
        identities as &[IdentityId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has the addresses among them refuse mails: by which of the person's identities it refused them, nobody can tell any more.
pub(super) async fn refuse_mails(
    conn: &mut PgConnection,
    identities: &[IdentityId],
    word: Word,
    event: EventKey,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- erasure::refuse_mails
        insert into consent (identity_id, channel, state, since, event_key)
        select id, 'email', $2, $3, $4 from identity where id = any($1) and kind = 'email'
        on conflict do nothing",
        identities as &[IdentityId],
        word.state as State,
        word.since,
        event as EventKey
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn delete_identities(
    conn: &mut PgConnection,
    identities: &[IdentityId],
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- erasure::delete_identities
        delete from identity where id = any($1)",
        identities as &[IdentityId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Leaves of the leads' passages what was counted.
pub(super) async fn silence_passages(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<()> {
    sqlx::query!(
        "-- erasure::silence_passages
        update transition set reason = null where lead_id = any($1)",
        leads as &[LeadId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Leaves of what became of the leads what was counted. The reason of a loss is a code.
pub(super) async fn silence_outcomes(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<()> {
    sqlx::query!(
        "-- erasure::silence_outcomes
        update outcome set note = null, handoff_id = null, request_key = null where lead_id = any($1)",
        leads as &[LeadId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Leaves of the claims on the leads who held them, and when.
pub(super) async fn silence_claims(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<()> {
    sqlx::query!(
        "-- erasure::silence_claims
        update claim set reason = null where lead_id = any($1)",
        leads as &[LeadId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Everything else that is kept of leads.
pub(super) async fn delete_records(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<()> {
    sqlx::query!(
        "-- erasure::delete_records
        with scores as (delete from score where lead_id = any($1)),
            profiles as (delete from lead_profile where lead_id = any($1)),
            ways_back as (delete from rollback_state where lead_id = any($1)),
            words as (delete from lead_words where lead_id = any($1)),
            answers as (delete from checklist_answer where lead_id = any($1)),
            handoffs as (delete from handoff where lead_id = any($1))
        delete from lead_merge where lead_id = any($1) or into_lead_id = any($1)",
        leads as &[LeadId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn delete_leads(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<()> {
    sqlx::query!(
        "-- erasure::delete_leads
        delete from lead where id = any($1)",
        leads as &[LeadId]
    )
    .execute(conn)
    .await?;
    Ok(())
}
