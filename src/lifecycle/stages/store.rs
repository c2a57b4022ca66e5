//! SQL of passages and of the handoffs that follow from them.

use chrono::{DateTime, Utc};
use scoring::Score;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{End, Handoff, HandoffState, NewHandoff};
use crate::{
    leads::Passed,
    models::published,
    platform::ids::{HandoffId, LeadId, ModelId},
};

/// The stored record of a passage, with the score at that moment.
#[derive(Debug, Clone)]
pub struct Transition {
    /// The id of the transition. Later transitions have greater ids.
    pub id: Uuid,
    /// The lead that passed.
    pub lead_id: LeadId,
    /// When the lead passed, in UTC.
    pub at: DateTime<Utc>,
    /// The stages, the cycle and the cause of the passage.
    pub passed: Passed,
    /// The score at that moment.
    pub score: Score,
    /// The version of the model that gave the score.
    pub model_id: ModelId,
}

pub(super) async fn insert_transitions(
    conn: &mut PgConnection,
    transitions: &[Transition],
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = transitions.iter().map(|one| one.id).collect();
    let leads: Vec<LeadId> = transitions.iter().map(|one| one.lead_id).collect();
    let at: Vec<DateTime<Utc>> = transitions.iter().map(|one| one.at).collect();
    let from: Vec<&str> = transitions.iter().map(|one| one.passed.from.as_str()).collect();
    let to: Vec<&str> = transitions.iter().map(|one| one.passed.to.as_str()).collect();
    let causes: Vec<&str> = transitions.iter().map(|one| one.passed.why.cause.as_str()).collect();
    let actors: Vec<Option<&str>> = transitions.iter().map(|one| one.passed.why.actor.as_deref()).collect();
    let reasons: Vec<Option<&str>> = transitions.iter().map(|one| one.passed.why.reason.as_deref()).collect();
    let cycles: Vec<i32> = transitions.iter().map(|one| one.passed.cycle).collect();
    let scores: Vec<i32> = transitions.iter().map(|one| published(one.score.score)).collect();
    let raw: Vec<i64> = transitions.iter().map(|one| one.score.raw.0).collect();
    let fit: Vec<i64> = transitions.iter().map(|one| one.score.fit.0).collect();
    let engagement: Vec<i64> = transitions.iter().map(|one| one.score.engagement.0).collect();
    let grades: Vec<&str> = transitions.iter().map(|one| one.score.grade.as_str()).collect();
    let bands: Vec<&str> = transitions.iter().map(|one| one.score.band.as_str()).collect();
    let models: Vec<ModelId> = transitions.iter().map(|one| one.model_id).collect();
    sqlx::query!(
        "-- stages::insert_transitions
        insert into transition (lead_id, id, at, from_stage, to_stage, cause, actor, reason, cycle, score, raw, fit,
            engagement, grade, band, model_id)
        select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
            $7::text[], $8::text[], $9::integer[], $10::integer[], $11::bigint[], $12::bigint[], $13::bigint[],
            $14::text[], $15::text[], $16::uuid[])",
        &leads as &[LeadId],
        &ids,
        &at,
        &from as &[&str],
        &to as &[&str],
        &causes as &[&str],
        &actors as &[Option<&str>],
        &reasons as &[Option<&str>],
        &cycles,
        &scores,
        &raw,
        &fit,
        &engagement,
        &grades as &[&str],
        &bands as &[&str],
        &models as &[ModelId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads the open handoffs of leads.
pub async fn open_handoffs(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<Vec<Handoff>> {
    sqlx::query_as!(
        Handoff,
        r#"-- stages::open_handoffs
        select id, lead_id, state as "state: HandoffState", cycle, score, rep,
            due_at
        from handoff where lead_id = any($1) and state = 'open'"#,
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
}

pub(super) async fn insert_handoff(
    conn: &mut PgConnection,
    handoff: &Handoff,
    new: &NewHandoff,
    now: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- stages::insert_handoff
        insert into handoff (id, lead_id, state, cycle, offered_at, offered_by, rep, due_at, expires_at, score,
            model_id, evidence, request_key)
        values ($1, $2, 'open', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        handoff.id as HandoffId,
        handoff.lead_id as LeadId,
        handoff.cycle,
        now,
        new.by,
        handoff.rep,
        handoff.due_at,
        expires_at,
        handoff.score,
        new.model_id as ModelId,
        &new.evidence as _,
        new.request_key
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn end_handoff(
    conn: &mut PgConnection,
    id: HandoffId,
    end: &End<'_>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- stages::end_handoff
        update handoff set state = $2, answered_at = $3, answered_by = $4, reason = $5, note = $6,
            recycle_until = $7, merged_into = $8, rep = coalesce($9, rep),
            accepted_at = case when $2 = 'accepted' then $3 else accepted_at end,
            accepted_by = case when $2 = 'accepted' then $4 else accepted_by end
        where id = $1",
        id as HandoffId,
        end.state.as_str(),
        now,
        end.by,
        end.reason,
        end.note,
        end.recycle_until,
        end.merged_into as Option<HandoffId>,
        end.rep
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves the handoffs and outcomes of a lead to its heir, and copies the checklist answers. The rows keep the
/// first lead as their home, so an unmerge can give them back.
pub(super) async fn inherit(conn: &mut PgConnection, from: LeadId, into: LeadId) -> sqlx::Result<()> {
    sqlx::query!(
        "-- stages::inherit (handoffs)
        update handoff set home_lead_id = coalesce(home_lead_id, lead_id), lead_id = $2 where lead_id = $1",
        from as LeadId,
        into as LeadId
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- stages::inherit (outcomes)
        update outcome set home_lead_id = coalesce(home_lead_id, lead_id), lead_id = $2 where lead_id = $1",
        from as LeadId,
        into as LeadId
    )
    .execute(&mut *conn)
    .await?;
    copy_answers(conn, from, into).await
}

/// Copies the checklist answers of one lead to another, where they are newer or the other has none.
pub async fn copy_answers(conn: &mut PgConnection, from: LeadId, into: LeadId) -> sqlx::Result<()> {
    sqlx::query!(
        "-- stages::copy_answers
        insert into checklist_answer (lead_id, framework, criterion, answer, evidence, answered_by, answered_at)
        select $2, framework, criterion, answer, evidence, answered_by, answered_at
        from checklist_answer where lead_id = $1
        on conflict (lead_id, framework, criterion) do update
            set answer = excluded.answer, evidence = excluded.evidence, answered_by = excluded.answered_by,
                answered_at = excluded.answered_at
            where checklist_answer.answered_at < excluded.answered_at",
        from as LeadId,
        into as LeadId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives a lead back the handoffs and outcomes whose home is one of `homes`, after an unmerge.
///
/// A handoff that a person answered after `merged_at` stays with the lead `from`.
pub async fn give_back(
    conn: &mut PgConnection,
    from: LeadId,
    homes: &[LeadId],
    lead: LeadId,
    merged_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- stages::give_back (handoffs)
        update handoff set lead_id = $3, home_lead_id = nullif(home_lead_id, $3)
        where lead_id = $1 and home_lead_id = any($2) and not (answered_by is not null and answered_at > $4)",
        from as LeadId,
        homes as &[LeadId],
        lead as LeadId,
        merged_at
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- stages::give_back (outcomes)
        update outcome set lead_id = $3, home_lead_id = nullif(home_lead_id, $3)
        where lead_id = $1 and home_lead_id = any($2)",
        from as LeadId,
        homes as &[LeadId],
        lead as LeadId
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reopens the newest handoff that the merge of a lead with `other` ended, and returns it.
///
/// The merge ended the handoff because the other lead's handoff went on, or because the other lead brought
/// another stage. Returns `None` if there is no such handoff, or if the lead has an open handoff.
pub(super) async fn reopen(
    conn: &mut PgConnection,
    lead: LeadId,
    other: LeadId,
    merged_at: DateTime<Utc>,
) -> sqlx::Result<Option<Handoff>> {
    sqlx::query_as!(
        Handoff,
        r#"-- stages::reopen
        update handoff set state = 'open', answered_at = null, reason = null, merged_into = null
        where id = (
            select ended.id from handoff ended left join handoff went_on on went_on.id = ended.merged_into
            where ended.lead_id = $1 and (
                ended.state = 'merged' and went_on.lead_id = $2
                or ended.state = 'withdrawn' and ended.reason = 'merge' and ended.answered_at >= $3
            )
            order by ended.id desc limit 1
        ) and not exists (select from handoff where lead_id = $1 and state = 'open')
        returning id, lead_id, state as "state: HandoffState", cycle, score, rep, due_at"#,
        lead as LeadId,
        other as LeadId,
        merged_at
    )
    .fetch_optional(conn)
    .await
}

/// Gives a handoff another state by the rules. A handoff that becomes open has as much time left as it had
/// when it ended. Returns `None` if the handoff does not exist.
pub(super) async fn put_back(
    conn: &mut PgConnection,
    id: HandoffId,
    state: HandoffState,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Handoff>> {
    sqlx::query_as!(
        Handoff,
        r#"-- stages::put_back
        update handoff set state = $2, reason = $3, answered_by = null, note = null, recycle_until = null,
            accepted_by = null,
            answered_at = case when $2 <> 'open' then $4::timestamptz end,
            accepted_at = case when $2 = 'accepted' then $4::timestamptz end,
            due_at = case when $2 = 'open' then due_at + ($4 - answered_at) else due_at end,
            expires_at = case when $2 = 'open' then expires_at + ($4 - answered_at) else expires_at end
        where id = $1
        returning id, lead_id, state as "state: HandoffState", cycle, score, rep, due_at"#,
        id as HandoffId,
        state.as_str(),
        reason,
        now
    )
    .fetch_optional(conn)
    .await
}
