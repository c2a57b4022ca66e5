//! Leads that wait for a newly published model, or for newer semantics.
//!
//! The stage of such a lead is decided before the new events count. So a passage that results is due to the
//! model, and not to the events.

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

/// The leads that wait, each with its tally and score before the new events count.
type Waiting = BTreeMap<LeadId, (Tally, Score)>;

/// Returns the leads whose stages have not been decided since a model went live, or since the semantics
/// became newer.
pub(super) fn waiting(phases: &Phases<'_>) -> Waiting {
    let Phases { context, leads, live, .. } = phases;
    let mut waiting = Waiting::new();
    for (id, state) in &live.states {
        let (before, lead) = (leads.before(*id), leads.leads.get(id));
        // A join or a person has moved the lead in this change already. The model does not decide about this
        // lead.
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

/// Decides the stages of the leads that wait. After a rollback, a lead to which nothing has happened since is
/// put back.
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
            // The person who published the model said whether sales is offered the MQLs that it makes. MQLs
            // that newer semantics make are not offered.
            let offers = settling(id).is_some_and(|settling| settling.offers);
            let input = StageInput { score, tally, excluded: excluded.get(id).copied(), unfounded: false };
            stages::advance(*context, Occasion::ModelChange { offers }, lead, input).transitions
        };
        // A rollback undoes what a version did. It does not undo what newer semantics did, so that is not
        // noted.
        if settling(id).is_some() {
            moves.look(before, lead, &made);
        }
        transitions.extend(made);
    }
    Ok(())
}
