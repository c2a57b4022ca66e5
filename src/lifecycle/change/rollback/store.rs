//! SQL of what a rollback goes back to.

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

/// How some leads stood under a version, as noted in this era.
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
                "how a lead stood before a model went live cannot be read; the model that is live decides on it"
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

/// Keeps how leads stood under a version, in the place of what was noted before.
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

/// A handoff, and how far it has come.
pub(super) struct HandoffRow {
    pub(super) id: HandoffId,
    pub(super) lead_id: LeadId,
    pub(super) state: HandoffState,
}

/// Every handoff of some leads.
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

/// How many passages some leads have made after an instant.
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
