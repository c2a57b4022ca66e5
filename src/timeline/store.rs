//! SQL of timelines.

use chrono::{DateTime, Utc};
use scoring::Verdict;
use sqlx::PgConnection;
use uuid::Uuid;

use super::api::{Answered, Offered, Transition};
use crate::{
    intake::{corrections::LoggedEvent, verdicts},
    leads::{Cause, Stage},
    lifecycle::{
        outcomes::{Outcome, OutcomeView},
        stages::HandoffState,
    },
    platform::ids::{HandoffId, LeadId},
};

/// An entry with its instant. `tie` tells it from other entries of the same instant and kind.
pub(super) struct Moment<T> {
    pub(super) at: DateTime<Utc>,
    pub(super) tie: Uuid,
    pub(super) what: T,
}

/// A bound: only entries before this instant and tie are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    pub(super) at: DateTime<Utc>,
    pub(super) tie: Uuid,
}

impl Bound {
    /// The tie as a number, for tables whose rows have a sequence number.
    fn number(self) -> i64 {
        i64::try_from(self.tie.as_u128()).unwrap_or(i64::MAX)
    }
}

/// Makes a tie of a sequence number.
fn number(seq: i64) -> Uuid {
    Uuid::from_u128(u128::from(seq.unsigned_abs()))
}

/// Limits an instant to the last second of the year 9999. No stored instant is later.
fn known(at: DateTime<Utc>) -> DateTime<Utc> {
    at.min(DateTime::from_timestamp(253_402_300_799, 0).unwrap_or(at))
}

/// Which events to read.
#[derive(Debug, Default)]
pub(super) struct Only {
    /// Only events of one of these types. If empty, events of every type.
    pub(super) kinds: Vec<String>,
    /// Only events with one of these verdicts. If empty, events with any verdict.
    pub(super) verdicts: Vec<Verdict>,
}

/// Reads the events of a lead before a place, newest first.
pub(super) async fn events(
    conn: &mut PgConnection,
    lead: LeadId,
    only: &Only,
    before: Bound,
    limit: i64,
) -> sqlx::Result<Vec<Moment<LoggedEvent>>> {
    let verdicts: Vec<&str> = only.verdicts.iter().copied().map(verdicts::word).collect();
    let rows = sqlx::query!(
        r#"-- timeline::events
        select event_key as "event_key!", id as "id!", type as "kind!", occurred_at as "occurred_at!",
            received_at as "received_at!", properties as "properties!", verdict as "verdict!", verdict_reason, held_until
        from lead_event
        where lead_id = $1 and (cardinality($2::text[]) = 0 or type = any($2))
            and (cardinality($6::text[]) = 0 or verdict = any($6))
            and (occurred_at, event_key) < ($3::timestamptz, $4::uuid)
        order by occurred_at desc, event_key desc
        limit $5"#,
        lead as LeadId,
        &only.kinds,
        known(before.at),
        before.tie,
        limit,
        &verdicts as &[&str]
    )
    .fetch_all(conn)
    .await?;
    let moment = rows.into_iter().map(|row| Moment {
        at: row.occurred_at,
        tie: row.event_key.0,
        what: LoggedEvent {
            id: row.id,
            kind: row.kind,
            occurred_at: row.occurred_at,
            received_at: row.received_at,
            properties: row.properties.0,
            verdict: row.verdict,
            verdict_reason: row.verdict_reason,
            held_until: row.held_until,
        },
    });
    Ok(moment.collect())
}

/// Reads the passages of a lead, and of the leads that were joined into it, before a place, newest first.
pub(super) async fn transitions(
    conn: &mut PgConnection,
    lead: LeadId,
    before: Bound,
    limit: i64,
) -> sqlx::Result<Vec<Moment<Transition>>> {
    let rows = sqlx::query!(
        r#"-- timeline::transitions
        select t.seq, t.id, t.lead_id, t.at, t.from_stage as "from: Stage",
            t.to_stage as "to: Stage", t.cause as "cause: Cause", t.actor, t.reason, t.cycle, t.score, t.raw, t.fit,
            t.engagement, t.grade, t.band, t.model_id
        from lead_family family join transition t on t.lead_id = family.member_id
        where family.lead_id = $1 and (t.at, t.seq) < ($2::timestamptz, $3::bigint)
        order by t.at desc, t.seq desc
        limit $4"#,
        lead as LeadId,
        known(before.at),
        before.number(),
        limit
    )
    .fetch_all(conn)
    .await?;
    let moment = rows.into_iter().map(|row| Moment {
        at: row.at,
        tie: number(row.seq),
        what: Transition {
            id: row.id,
            lead_id: row.lead_id,
            from: row.from,
            to: row.to,
            cause: row.cause,
            actor: row.actor,
            reason: row.reason,
            cycle: row.cycle,
            score: row.score,
            raw: row.raw,
            fit: row.fit,
            engagement: row.engagement,
            grade: row.grade,
            band: row.band,
            model_version: row.model_id,
        },
    });
    Ok(moment.collect())
}

/// Reads the handoffs of a lead before a place, newest first.
pub(super) async fn handoffs(
    conn: &mut PgConnection,
    lead: LeadId,
    before: Bound,
    limit: i64,
) -> sqlx::Result<Vec<Moment<Offered>>> {
    let rows = sqlx::query!(
        r#"-- timeline::handoffs
        select id, offered_at, offered_by, rep, due_at, cycle, score
        from handoff
        where lead_id = $1 and (offered_at, id) < ($2::timestamptz, $3::uuid)
        order by offered_at desc, id desc
        limit $4"#,
        lead as LeadId,
        known(before.at),
        before.tie,
        limit
    )
    .fetch_all(conn)
    .await?;
    let moment = rows.into_iter().map(|row| Moment {
        at: row.offered_at,
        tie: row.id.0,
        what: Offered {
            handoff_id: row.id,
            by: row.offered_by,
            rep: row.rep,
            due_at: row.due_at,
            cycle: row.cycle,
            score: row.score,
        },
    });
    Ok(moment.collect())
}

/// Reads the answers to a lead's handoffs, newest first. A handoff that was accepted and recycled later has
/// two.
pub(super) async fn answers(
    conn: &mut PgConnection,
    lead: LeadId,
    before: Bound,
    limit: i64,
) -> sqlx::Result<Vec<Moment<Answered>>> {
    let rows = sqlx::query!(
        r#"-- timeline::answers
        select id as "id!: HandoffId", at as "at!", state as "state!: HandoffState", by, reason, note, until
        from (
            select id, answered_at as at, state, answered_by as by, reason, note, recycle_until as until
            from handoff where lead_id = $1 and answered_at is not null
            union all
            select id, accepted_at, 'accepted', accepted_by, null, null, null
            from handoff where lead_id = $1 and accepted_at is not null and state <> 'accepted'
        ) as answer
        where (at, id) < ($2::timestamptz, $3::uuid)
        order by at desc, id desc, state = 'accepted'
        limit $4"#,
        lead as LeadId,
        known(before.at),
        before.tie,
        limit
    )
    .fetch_all(conn)
    .await?;
    let moment = rows.into_iter().map(|row| Moment {
        at: row.at,
        tie: row.id.0,
        what: Answered {
            handoff_id: row.id,
            state: row.state,
            by: row.by,
            reason: row.reason,
            note: row.note,
            until: row.until,
        },
    });
    Ok(moment.collect())
}

/// Reads the outcomes of a lead, newest first by the instant at which they were recorded, because then they
/// moved the lead.
pub(super) async fn outcomes(
    conn: &mut PgConnection,
    lead: LeadId,
    before: Bound,
    limit: i64,
) -> sqlx::Result<Vec<Moment<OutcomeView>>> {
    let rows = sqlx::query!(
        r#"-- timeline::outcomes
        select seq, id, lead_id, outcome as "outcome: Outcome", occurred_at,
            recorded_at, recorded_by, amount, currency, reason, note, handoff_id,
            replaced_by
        from outcome
        where lead_id = $1 and (recorded_at, seq) < ($2::timestamptz, $3::bigint)
        order by recorded_at desc, seq desc
        limit $4"#,
        lead as LeadId,
        known(before.at),
        before.number(),
        limit
    )
    .fetch_all(conn)
    .await?;
    let moment = rows.into_iter().map(|row| Moment {
        at: row.recorded_at,
        tie: number(row.seq),
        what: OutcomeView {
            id: row.id,
            lead_id: row.lead_id,
            outcome: row.outcome,
            occurred_at: row.occurred_at,
            recorded_at: row.recorded_at,
            recorded_by: row.recorded_by,
            amount: row.amount,
            currency: row.currency,
            reason: row.reason,
            note: row.note,
            handoff_id: row.handoff_id,
            replaced_by: row.replaced_by,
        },
    });
    Ok(moment.collect())
}
