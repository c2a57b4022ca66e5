//! Leads that wait for a newly published model, or for newer semantics.
//!
//! Such a lead is decided on before anything new counts, so that what comes of the decision is the model's doing.

use std::collections::BTreeMap;

use scoring::{Score, Tally};
use sqlx::PgConnection;

use super::{
    phases::{Phases, excluded},
    rollback,
};
use crate::{
    leads::Lead,
    lifecycle::stages::{self, Occasion, StageInput},
    platform::ids::LeadId,
};

/// The leads that wait, each with its tally and score before anything new counts.
type Waiting = BTreeMap<LeadId, (Tally, Score)>;

/// The leads whose stages nobody has looked at since a model went live, or since the semantics became newer.
pub(super) fn waiting(phases: &Phases<'_>) -> Waiting {
    let Phases { context, leads, live, .. } = phases;
    let mut waiting = Waiting::new();
    for (id, state) in &live.states {
        let (before, lead) = (leads.before(*id), leads.leads.get(id));
        // A lead that was moved on in this change, by joining or by a person, has passed the model's decision by.
        if before.map(Lead::stage) != lead.map(Lead::stage) {
            continue;
        }
        let awaiting = context.scored.settling.and_then(|settling| state.awaiting(*id, &settling));
        if let Some(tally) = awaiting.cloned().or_else(|| live.renewed(*id, phases.inputs())) {
            let score = live.evaluate(&tally, state.as_of(context.now));
            waiting.insert(*id, (tally, score));
        }
    }
    waiting
}

/// Decides on the leads that wait. After a rollback, a lead to which nothing has happened is put back.
pub(super) async fn decide(
    phases: &mut Phases<'_>,
    conn: &mut PgConnection,
    waiting: Waiting,
) -> sqlx::Result<()> {
    let Phases { context, leads, people, transitions, moves, .. } = phases;
    let settling = |id: &LeadId| context.scored.settling.filter(|settling| settling.awaits(*id));
    let ids: Vec<LeadId> = waiting.keys().copied().filter(|id| settling(id).is_some()).collect();
    let mut noted = rollback::noted(conn, *context, &ids).await?;
    let looked_at = waiting.iter().map(|(id, (tally, score))| (*id, tally, score));
    let excluded = excluded(conn, *context, (leads, people), looked_at).await?;
    for (id, (tally, score)) in &waiting {
        let Some(lead) = leads.leads.get_mut(id) else { continue };
        let before = lead.clone();
        let made = if let Some(note) = noted.remove(id).filter(|note| lead.stands_as(&note.left_as)) {
            moves.put_back.insert(*id, note.handoffs);
            stages::put_back(*context, lead, &note.stood, score)
        } else {
            // Whether sales is offered what a publish makes was said when the model was published. What newer semantics make
            // is not offered.
            let offers = settling(id).is_some_and(|settling| settling.offers);
            let input = StageInput { score, tally, excluded: excluded.get(id).copied(), unfounded: false };
            stages::advance(*context, Occasion::ModelChange { offers }, lead, input).transitions
        };
        // A rollback takes back what a version did. What newer semantics do is not taken back.
        if settling(id).is_some() {
            moves.look(before, lead, &made);
        }
        transitions.extend(made);
    }
    Ok(())
}
