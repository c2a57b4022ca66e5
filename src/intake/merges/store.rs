//! SQL of merges and conflicts.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use super::{Conflict, Merge, Place};
use crate::platform::ids::{IdentityId, LeadId, MergeId};

/// A merge as stored. `heir` is the heir's row and answers as they would be without the merge.
#[derive(Debug, Clone)]
pub(super) struct MergeRow {
    pub(super) id: MergeId,
    pub(super) seq: i64,
    pub(super) lead_id: LeadId,
    pub(super) into_lead_id: LeadId,
    pub(super) merged_at: DateTime<Utc>,
    pub(super) merged_by: String,
    pub(super) reason: String,
    pub(super) heir: Value,
    pub(super) undone_at: Option<DateTime<Utc>>,
    pub(super) undone_by: Option<String>,
    pub(super) undone_reason: Option<String>,
}

macro_rules! merges {
    ($rest:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            MergeRow,
            r#"-- merges::merges
            select id, seq, lead_id, into_lead_id, merged_at, merged_by, reason, heir, undone_at, undone_by, undone_reason
            from lead_merge "# + $rest,
            $($argument),*
        )
    };
}

/// Reads the merge of a lead that has not been undone, if there is one.
pub(super) async fn in_force(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Option<MergeRow>> {
    merges!("where lead_id = $1 and undone_at is null", lead as LeadId).fetch_optional(conn).await
}

/// Reads which of these leads are signposts because of a merge by a call.
pub(super) async fn by_hand(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        "-- merges::by_hand
        select merge.lead_id from lead_merge merge join lead on lead.id = merge.lead_id
        where merge.lead_id = any($1) and merge.undone_at is null and lead.merged_into = merge.into_lead_id",
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
}

/// Reads the merges into a lead from a sequence number on that were not undone, in their order.
pub(super) async fn later_into(
    conn: &mut PgConnection,
    into: LeadId,
    after: i64,
) -> sqlx::Result<Vec<MergeRow>> {
    merges!("where into_lead_id = $1 and undone_at is null and seq >= $2 order by seq", into as LeadId, after)
        .fetch_all(conn)
        .await
}

/// Reads the merge that a call with this idempotency key made.
pub(super) async fn by_key(
    conn: &mut PgConnection,
    lead: LeadId,
    key: &str,
) -> sqlx::Result<Option<MergeRow>> {
    merges!("where lead_id = $1 and request_key = $2", lead as LeadId, key).fetch_optional(conn).await
}

/// Reads the merge that a call with this idempotency key undid.
pub(super) async fn by_undo_key(
    conn: &mut PgConnection,
    lead: LeadId,
    key: &str,
) -> sqlx::Result<Option<MergeRow>> {
    merges!("where lead_id = $1 and undo_request_key = $2", lead as LeadId, key).fetch_optional(conn).await
}

/// Stores a merge.
pub(super) async fn insert(
    conn: &mut PgConnection,
    merge: &Merge,
    heir: &Value,
    request_key: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- merges::insert
        insert into lead_merge (id, lead_id, into_lead_id, merged_at, merged_by, reason, heir, request_key)
        values ($1, $2, $3, $4, $5, $6, $7, $8)",
        merge.id as MergeId,
        merge.lead_id as LeadId,
        merge.into as LeadId,
        merge.merged_at,
        merge.author,
        merge.reason,
        heir as _,
        request_key
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that a merge was undone.
pub(super) async fn undo(
    conn: &mut PgConnection,
    id: MergeId,
    at: DateTime<Utc>,
    author: &str,
    reason: &str,
    request_key: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- merges::undo
        update lead_merge set undone_at = $2, undone_by = $3, undone_reason = $4, undo_request_key = $5
        where id = $1",
        id as MergeId,
        at,
        author,
        reason,
        request_key
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores how the heir of a merge would stand without the merge.
pub(super) async fn set_heir(conn: &mut PgConnection, id: MergeId, heir: &Value) -> sqlx::Result<()> {
    sqlx::query!(
        "-- merges::set_heir
        update lead_merge set heir = $2 where id = $1",
        id as MergeId,
        heir as _
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a person, and not a rule, has moved a lead after an instant.
pub(super) async fn is_moved_since(
    conn: &mut PgConnection,
    lead: LeadId,
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"-- merges::is_moved_since
        select exists (
            select from transition
            where lead_id = $1 and at > $2 and actor is not null and cause not in ('merge', 'unmerge')
        ) as "is_moved!""#,
        lead as LeadId,
        at
    )
    .fetch_one(conn)
    .await
}

/// Reads all checklist answers of a lead, as a JSON array.
pub(super) async fn answers_of(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Value> {
    sqlx::query_scalar!(
        r#"-- merges::answers_of
        select coalesce(jsonb_agg(to_jsonb(own) order by own.framework, own.criterion), '[]') as "answers!"
        from checklist_answer own where own.lead_id = $1"#,
        lead as LeadId
    )
    .fetch_one(conn)
    .await
    .map(Value::from)
}

/// Whether a lead got a checklist answer after an instant that was not copied from one of the other leads.
pub(super) async fn is_answered_since(
    conn: &mut PgConnection,
    lead: LeadId,
    at: DateTime<Utc>,
    others: &[LeadId],
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"-- merges::is_answered_since
        select exists (
            select from checklist_answer own
            where lead_id = $1 and answered_at > $2 and not exists (
                select from checklist_answer other
                where other.lead_id = any($3) and (other.framework, other.criterion, other.answered_at)
                    = (own.framework, own.criterion, own.answered_at)
            )
        ) as "is_answered!""#,
        lead as LeadId,
        at,
        others as &[LeadId]
    )
    .fetch_one(conn)
    .await
}

/// Replaces all checklist answers of a lead by those of a JSON array.
pub(super) async fn replace_answers(
    conn: &mut PgConnection,
    lead: LeadId,
    answers: &Value,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- merges::replace_answers (delete)
        delete from checklist_answer where lead_id = $1",
        lead as LeadId
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- merges::replace_answers (insert)
        insert into checklist_answer select * from jsonb_populate_recordset(null::checklist_answer, $1)",
        answers as _
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lists the conflicts whose two user ids still belong to different leads.
pub(super) async fn conflicts(
    conn: &mut PgConnection,
    lead: Option<LeadId>,
    after: Option<&Place>,
    limit: i64,
) -> sqlx::Result<Vec<Conflict>> {
    sqlx::query_as!(
        Conflict,
        r#"-- merges::conflicts
        select distinct on (claim.identity_id, claim.parent_id) claim.identity_id, claim.parent_id as claimant_id,
            address.value as email, owning.lead_id, claiming.lead_id as claimant_lead_id,
            claimant.value as claimant_user_id, claim.at
        from identity_link claim
        join identity address on address.id = claim.identity_id and address.kind = 'email'
        join identity_span owning on owning.identity_id = claim.identity_id
        join identity_span claiming on claiming.identity_id = claim.parent_id and claiming.lead_id <> owning.lead_id
        join identity claimant on claimant.id = claim.parent_id
        where ($1::uuid is null or $1 in (owning.lead_id, claiming.lead_id))
            and ($2::uuid is null or (claim.identity_id, claim.parent_id) > ($2, $3::uuid))
        order by claim.identity_id, claim.parent_id, claim.at
        limit $4"#,
        lead as Option<LeadId>,
        after.map(|place| place.identity) as Option<IdentityId>,
        after.map(|place| place.claimant) as Option<IdentityId>,
        limit
    )
    .fetch_all(conn)
    .await
}
