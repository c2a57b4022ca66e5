//! SQL of passages between stages.

use chrono::{DateTime, Utc};
use scoring::Score;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Cause;
use crate::{
    ids::{LeadId, ModelId},
    leads::Stage,
};

/// One passage, with the standing of that moment.
#[derive(Debug, Clone)]
pub struct Transition {
    /// Its own id; later ones are greater.
    pub id: Uuid,
    /// Whose.
    pub lead_id: LeadId,
    /// When.
    pub at: DateTime<Utc>,
    /// The stage left.
    pub from: Stage,
    /// The stage entered.
    pub to: Stage,
    /// Why.
    pub cause: Cause,
    /// How many passages into `mql` the lead has begun.
    pub cycle: i32,
    /// The score at that moment.
    pub score: Score,
    /// By which model.
    pub model_id: ModelId,
}

/// Keeps what happened.
pub async fn record(conn: &mut PgConnection, transitions: &[Transition]) -> sqlx::Result<()> {
    if transitions.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = transitions.iter().map(|one| one.id).collect();
    let leads: Vec<LeadId> = transitions.iter().map(|one| one.lead_id).collect();
    let at: Vec<DateTime<Utc>> = transitions.iter().map(|one| one.at).collect();
    let from: Vec<&str> = transitions.iter().map(|one| one.from.as_str()).collect();
    let to: Vec<&str> = transitions.iter().map(|one| one.to.as_str()).collect();
    let causes: Vec<&str> = transitions.iter().map(|one| one.cause.as_str()).collect();
    let cycles: Vec<i32> = transitions.iter().map(|one| one.cycle).collect();
    let scores: Vec<i32> =
        transitions.iter().map(|one| i32::try_from(one.score.score).unwrap_or(i32::MAX)).collect();
    let raw: Vec<i64> = transitions.iter().map(|one| one.score.raw.0).collect();
    let fit: Vec<i64> = transitions.iter().map(|one| one.score.fit.0).collect();
    let engagement: Vec<i64> = transitions.iter().map(|one| one.score.engagement.0).collect();
    let grades: Vec<&str> = transitions.iter().map(|one| one.score.grade.as_str()).collect();
    let bands: Vec<&str> = transitions.iter().map(|one| one.score.band.as_str()).collect();
    let models: Vec<ModelId> = transitions.iter().map(|one| one.model_id).collect();
    sqlx::query!(
        "-- qualification::record
        insert into transition (lead_id, id, at, from_stage, to_stage, cause, cycle, score, raw, fit, engagement,
            grade, band, model_id)
        select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
            $7::integer[], $8::integer[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[],
            $14::uuid[])",
        &leads as &[LeadId],
        &ids,
        &at,
        &from as &[&str],
        &to as &[&str],
        &causes as &[&str],
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
