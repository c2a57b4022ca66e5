//! What a rollback goes back to: how leads stood before the live version moved them.
//!
//! A version moves a lead *by itself* if only its rules and time do so: when the sweep looks at the lead after the
//! version went live, and when the score changes later without an event. Each such move is noted for the version that
//! is kept, with the handoffs that the move made or ended. When the kept version is live again, a lead that still
//! stands as the move left it is put back, with its handoffs. Putting back is a move too, and is noted for the other
//! version.
//!
//! Something has *happened* to a lead since a move if its row, or one of its handoffs, differs from what the move left:
//! an event has moved the lead, a person has answered or decided, or the lead was merged. Such a lead stays where it
//! is. An event that does not move the lead does not count, and neither does a claim.

mod store;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{
    leads::{Cause, Lead},
    lifecycle::stages::{ChangeContext, HandoffState, Transition},
    platform::ids::{HandoffId, LeadId},
};

/// What a move did to a handoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Touched {
    /// The handoff.
    pub(super) id: HandoffId,
    /// The state before the move. `None`: the move made the handoff.
    pub(super) was: Option<HandoffState>,
    /// The state after the move.
    pub(super) is: HandoffState,
}

/// A note of a move: how a lead stood before and after the live version moved it.
#[derive(Debug, Clone)]
pub(super) struct Noted {
    /// The lead's row before.
    pub(super) stood: Lead,
    /// The lead's row after.
    pub(super) left_as: Lead,
    /// The handoffs that the move changed.
    pub(super) handoffs: Vec<Touched>,
}

/// The moves that the live version makes by itself in one transaction.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Moves by the look at each lead after the version went live: the row before, and the row after.
    looked_at: BTreeMap<LeadId, (Lead, Lead)>,
    /// Moves by time alone: the row before, and the row after.
    over_time: BTreeMap<LeadId, (Lead, Lead)>,
    /// The leads that were put back, each with the handoffs that must be put back too.
    pub(super) put_back: BTreeMap<LeadId, Vec<Touched>>,
}

/// Returns the notes of the leads that a rollback to the live version may put back.
///
/// These are the leads with a note for the live version whose handoffs have not changed since. The caller
/// must check that the lead's row still is as the note left it.
pub(super) async fn noted(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    leads: &[LeadId],
) -> sqlx::Result<BTreeMap<LeadId, Noted>> {
    let mut noted = store::find(conn, context.live().id, context.scored.era, leads).await?;
    let touched: Vec<LeadId> =
        noted.iter().filter(|(_, note)| !note.handoffs.is_empty()).map(|(lead, _)| *lead).collect();
    if touched.is_empty() {
        return Ok(noted);
    }
    let handoffs = store::handoffs_of(conn, &touched).await?;
    noted.retain(|lead, note| {
        let mut own = handoffs.iter().filter(|handoff| handoff.lead_id == *lead);
        note.handoffs.is_empty()
            || own.all(|handoff| match note.handoffs.iter().find(|touched| touched.id == handoff.id) {
                Some(touched) => touched.is == handoff.state,
                // A handoff was made since. If it was answered, the answer moved the lead, and the check of
                // the row finds that.
                None => handoff.state != HandoffState::Open,
            })
    });
    Ok(noted)
}

impl Moves {
    /// Notes a move by the look at a lead after a version went live. Does nothing if the lead stands as
    /// before.
    pub(super) fn look(&mut self, before: Lead, after: &Lead, passages: &[Transition]) {
        let same = before.stands_as(after)
            && (before.below_since, before.below_by_model) == (after.below_since, after.below_by_model);
        if !same && passages.iter().all(|passage| is_by_rule(passage.passed.why.cause)) {
            self.looked_at.insert(after.id, (before, after.clone()));
        }
    }

    /// Notes a move of a lead by time, under the rules of the live version. Does nothing if there was no
    /// passage.
    ///
    /// `quiet` is true if nothing else changed the lead in this transaction, apart from moves that are noted.
    pub(super) fn time(&mut self, before: Lead, after: &Lead, passages: &[Transition], quiet: bool) {
        let by_rule = passages.iter().all(|passage| is_by_rule(passage.passed.why.cause));
        if passages.is_empty() || !by_rule {
            return;
        }
        match self.looked_at.get_mut(&after.id) {
            Some((_, left_as)) if quiet => *left_as = after.clone(),
            None if quiet => drop(self.over_time.insert(after.id, (before, after.clone()))),
            _ => {}
        }
    }

    /// Whether the look after the version went live has moved a lead.
    pub(super) fn has(&self, lead: LeadId) -> bool {
        self.looked_at.contains_key(&lead)
    }

    /// Stores the notes for the version to which a rollback would go. Does nothing if there is no such
    /// version.
    ///
    /// The transitions of this change must have been written before.
    pub(super) async fn keep(
        self,
        conn: &mut PgConnection,
        context: ChangeContext<'_>,
        passages: &[Transition],
        mut touched: BTreeMap<LeadId, Vec<Touched>>,
    ) -> sqlx::Result<()> {
        let Some(kept) = context.scored.kept else { return Ok(()) };
        let mut handoffs = |lead: &LeadId| touched.remove(lead).unwrap_or_default();
        let mut notes = Vec::new();
        for (lead, (stood, left_as)) in self.looked_at {
            let handoffs = one_after_the_other(Vec::new(), handoffs(&lead));
            notes.push((lead, Noted { stood, left_as, handoffs }));
        }
        let later: Vec<LeadId> = self.over_time.keys().copied().collect();
        if !later.is_empty() {
            let mut known = store::find(conn, kept, context.scored.era, &later).await?;
            let since = store::passages_since(conn, &later, context.scored.live_since).await?;
            for (lead, (mut before, left_as)) in self.over_time {
                let here = passages.iter().filter(|passage| passage.lead_id == lead).count();
                let handoffs = handoffs(&lead);
                match known.remove(&lead) {
                    Some(note) if before.stands_as(&note.left_as) => {
                        let handoffs = one_after_the_other(note.handoffs, handoffs);
                        notes.push((lead, Noted { stood: note.stood, left_as, handoffs }));
                    }
                    None if since.get(&lead).is_none_or(|passages| *passages <= here) => {
                        // The live version started this dwell, so the dwell does not hold under the other
                        // version.
                        (before.below_since, before.below_by_model) = (None, false);
                        notes.push((lead, Noted { stood: before, left_as, handoffs }));
                    }
                    _ => {}
                }
            }
        }
        store::upsert(conn, kept, context.scored.era, &notes).await
    }
}

/// Whether a model's rules, rather than a person, move leads for this cause.
fn is_by_rule(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::ModelChange
            | Cause::Rollback
            | Cause::Threshold
            | Cause::HandRaise
            | Cause::ScoreFell
            | Cause::Policy
    )
}

/// Combines what two successive moves did to handoffs into one list.
fn one_after_the_other(mut first: Vec<Touched>, then: Vec<Touched>) -> Vec<Touched> {
    for touched in then {
        match first.iter_mut().find(|one| one.id == touched.id) {
            Some(one) => one.is = touched.is,
            None => first.push(touched),
        }
    }
    first
}
