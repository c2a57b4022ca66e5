//! SQL of the notes for a rollback.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

use super::{Noted, Touched};
use crate::{
    leads::Lead,
    lifecycle::stages::HandoffState,
    platform::{
        ids::{HandoffId, LeadId, ModelId},
        json::Stored,
    },
};

/// Reads the notes of leads for a version, as far as they were made in this era. A note that cannot be read
/// is logged and left out.
pub(super) async fn find(
    conn: &mut PgConnection,
    model: ModelId,
    era: i32,
    leads: &[LeadId],
) -> sqlx::Result<BTreeMap<LeadId, Noted>> {
    let rows = sqlx::query!(
        r#"-- change::rollback::find
        select lead_id as "lead_id: LeadId", stood, left_as, offers
        from rollback_state where model_id = $1 and lead_id = any($2) and era = $3"#,
        model as ModelId,
        leads as &[LeadId],
        era
    )
    .fetch_all(conn)
    .await?;
    let mut noted = BTreeMap::new();
    for row in rows {
        match note(row.stood, row.left_as, row.offers) {
            Ok(note) => drop(noted.insert(row.lead_id, note)),
            Err(why) => tracing::warn!(
                lead = %row.lead_id.0,
                table = "rollback_state",
                %why,
                "cannot read how a lead stood before a model went live; the live model decides its stage"
            ),
        }
    }
    Ok(noted)
}

fn note(stood: Stored, left_as: Stored, handoffs: Stored) -> serde_json::Result<Noted> {
    Ok(Noted {
        stood: serde_json::from_value(stood.0)?,
        left_as: serde_json::from_value(left_as.0)?,
        handoffs: serde_json::from_value(handoffs.0)?,
    })
}

/// Stores the notes of leads for a version. A new note replaces an older note of the same lead.
pub(super) async fn upsert(
    conn: &mut PgConnection,
    model: ModelId,
    era: i32,
    notes: &[(LeadId, Noted)],
) -> sqlx::Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    let leads: Vec<LeadId> = notes.iter().map(|(lead, _)| *lead).collect();
    let stood: Vec<Json<&Lead>> = notes.iter().map(|(_, note)| Json(&note.stood)).collect();
    let left_as: Vec<Json<&Lead>> = notes.iter().map(|(_, note)| Json(&note.left_as)).collect();
    let handoffs: Vec<Json<&[Touched]>> =
        notes.iter().map(|(_, note)| Json(note.handoffs.as_slice())).collect();
    sqlx::query!(
        "-- change::rollback::upsert
        insert into rollback_state (model_id, lead_id, era, stood, left_as, offers)
        select $1, lead_id, $2, stood, left_as, offers
        from unnest($3::uuid[], $4::jsonb[], $5::jsonb[], $6::jsonb[]) as new (lead_id, stood, left_as, offers)
        on conflict (model_id, lead_id) do update
            set era = excluded.era, stood = excluded.stood, left_as = excluded.left_as, offers = excluded.offers",
        model as ModelId,
        era,
        &leads as &[LeadId],
        &stood as &[Json<&Lead>],
        &left_as as &[Json<&Lead>],
        &handoffs as &[Json<&[Touched]>]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A handoff with its state.
pub(super) struct HandoffRow {
    pub(super) id: HandoffId,
    pub(super) lead_id: LeadId,
    pub(super) state: HandoffState,
}

/// Reads every handoff of some leads.
pub(super) async fn handoffs_of(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<Vec<HandoffRow>> {
    sqlx::query_as!(
        HandoffRow,
        r#"-- change::rollback::handoffs_of
        select id, lead_id, state as "state: HandoffState" from handoff where lead_id = any($1)"#,
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
}

/// Counts the passages of leads after an instant. Leads without passages have no entry.
pub(super) async fn passages_since(
    conn: &mut PgConnection,
    leads: &[LeadId],
    since: DateTime<Utc>,
) -> sqlx::Result<HashMap<LeadId, usize>> {
    let rows = sqlx::query!(
        r#"-- change::rollback::passages_since
        select lead_id as "lead_id: LeadId", count(*) as "passages!" from transition
        where lead_id = any($1) and at > $2 group by lead_id"#,
        leads as &[LeadId],
        since
    )
    .fetch_all(conn)
    .await?;
    let row = |lead, passages| (lead, usize::try_from(passages).unwrap_or(usize::MAX));
    Ok(rows.into_iter().map(|each| row(each.lead_id, each.passages)).collect())
}
