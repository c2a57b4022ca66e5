//! SQL of erasure.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    leads::consent::{State, Word},
    platform::ids::{EventKey, IdentityId, LeadId},
};

/// Reads the identities that belong to this lead alone, with the lead's former user ids that no other lead
/// uses.
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

/// Reads the identities that this lead shares with another lead: each has spans of both.
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

/// Deletes all events in the spans of a lead, whatever their verdict.
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

/// Deletes the spans of a lead.
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

/// Closes the gaps between the remaining spans of shared identities. The result is what a fold of the
/// remaining links gives.
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

/// Deletes the links from and to these identities.
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

/// Deletes the consent words of these identities that are no refusal in force: grants, refusals that a later
/// grant lifted, and words that were said again later.
///
/// Refusals in force stay. They name no person, because an identity's id is a hash.
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

/// Stores a refusal of mails for each e-mail address among these identities. Any of the person's identities
/// may have refused, so all addresses refuse.
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

/// Deletes identities.
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

/// Deletes the texts of the leads' transitions. What is counted stays.
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

/// Deletes the notes and references of the leads' outcomes. What is counted stays, with the reason of a loss,
/// which is a code.
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

/// Deletes the texts of the claims on the leads. Who held a claim, and when, stays.
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

/// Deletes everything else that is stored about leads: scores, attributes, words, answers, handoffs, merges,
/// notes for a rollback.
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

/// Deletes the leads' rows.
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
