//! The phases of a change, in the order in which they run.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use scoring::{Score, Tally};
use sqlx::PgConnection;

use super::{
    announce, doubts, handoffs,
    rollback::{Moves, Touched},
    settle,
};
use crate::{
    feed::outbox,
    leads::LockedLeads,
    lifecycle::{
        policy::Label,
        stages::{self, ChangeContext, Decided, Occasion, StageInput, Transition},
    },
    models::Covers,
    platform::ids::LeadId,
    scores::{self, Additions, ModelStates, People, State, StateError, StateInputs},
};

/// Runs the phases: updates the states of locked leads and decides their stages. Returns the state of each
/// lead under the live model.
pub(super) async fn run(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    leads: &mut LockedLeads,
    additions: &Additions<'_>,
) -> Result<BTreeMap<LeadId, State>, StateError> {
    let mut phases = Phases::load_states(conn, context, leads, additions).await?;
    phases.settle(conn).await?;
    phases.add_or_replay();
    let dwells = phases.decide_stages(conn).await?;
    let states = phases.write_states(conn, &dwells).await?;
    phases.publish_changes(conn, &states).await?;
    phases.record_transitions(conn).await?;
    let touched = phases.make_and_end_handoffs(conn).await?;
    phases.note_for_a_rollback(conn, touched).await?;
    Ok(states)
}

/// A change whose phases are running.
pub(super) struct Phases<'c> {
    pub(super) context: ChangeContext<'c>,
    pub(super) leads: &'c mut LockedLeads,
    pub(super) additions: &'c Additions<'c>,
    /// The leads' states under the live model.
    pub(super) live: ModelStates<'c>,
    /// The leads' states under the other versions that leads are scored by.
    others: Vec<ModelStates<'c>>,
    /// The leads' attributes and logs, as far as the change needs them.
    pub(super) people: People,
    /// The passages made so far, in order.
    pub(super) transitions: Vec<Transition>,
    /// The moves that the live model made by itself, to be noted for a rollback.
    pub(super) moves: Moves,
}

impl<'c> Phases<'c> {
    /// Loads the stored state of each lead under every version, and the logs of the leads that will be
    /// replayed.
    async fn load_states(
        conn: &mut PgConnection,
        context: ChangeContext<'c>,
        leads: &'c mut LockedLeads,
        additions: &'c Additions<'c>,
    ) -> Result<Phases<'c>, StateError> {
        let live = ModelStates::load(conn, context.live(), Covers::All, leads).await?;
        let mut others = Vec::with_capacity(context.scored.others.len());
        for other in &context.scored.others {
            others.push(ModelStates::load(conn, &other.version, other.covers, leads).await?);
        }
        let stale = live.stale().chain(others.iter().flat_map(ModelStates::stale)).collect();
        let outdated = live.outdated().chain(others.iter().flat_map(ModelStates::outdated)).collect();
        let people = People::load(conn, leads, additions, &stale, &outdated).await?;
        let (transitions, moves) = (Vec::new(), Moves::default());
        Ok(Phases { context, leads, additions, live, others, people, transitions, moves })
    }

    /// What the states are computed from.
    pub(super) fn inputs(&self) -> StateInputs<'_> {
        let Phases { context, leads, people, additions, .. } = self;
        StateInputs { now: context.now, leads, people, additions }
    }

    /// Decides on the leads that wait for a newly published model or for newer semantics.
    async fn settle(&mut self, conn: &mut PgConnection) -> sqlx::Result<()> {
        let waiting = settle::waiting(self);
        settle::decide(self, conn, waiting).await
    }

    /// Adds the new events to each state, or replays the lead's log, and evaluates.
    fn add_or_replay(&mut self) {
        let Phases { context, leads, people, additions, live, others, .. } = self;
        let inputs = StateInputs { now: context.now, leads, people, additions };
        for states in std::iter::once(live).chain(others) {
            states.add_or_replay(inputs);
        }
    }

    /// Moves each lead on by its score, the policy and the gates. Returns when to decide again, for each lead
    /// with a running dwell or cooldown.
    async fn decide_stages(
        &mut self,
        conn: &mut PgConnection,
    ) -> sqlx::Result<BTreeMap<LeadId, DateTime<Utc>>> {
        let Phases { context, leads, people, live, additions, transitions, moves, .. } = self;
        let looked_at = live.scored().map(|(id, state, score)| (id, &state.tally, score));
        let excluded = excluded(conn, *context, (leads, people), looked_at).await?;
        let unfounded: BTreeSet<LeadId> = doubts::unfounded(conn, *context, leads).await?;
        let mut dwells = BTreeMap::new();
        for (id, state, score) in live.scored() {
            let untouched = !additions.contains_key(&id) && !leads.moved.contains(&id);
            let quiet = untouched && (moves.has(id) || leads.before(id) == leads.leads.get(&id));
            let Some(lead) = leads.leads.get_mut(&id) else { continue };
            let before = lead.clone();
            let occasion = Occasion::Life { active: state.is_active() };
            let input = StageInput {
                score,
                tally: &state.tally,
                excluded: excluded.get(&id).copied(),
                unfounded: unfounded.contains(&id),
            };
            let Decided { transitions: made, dwell_ends_at } =
                stages::advance(*context, occasion, lead, input);
            moves.time(before, lead, &made, quiet);
            transitions.extend(made);
            dwells.extend(dwell_ends_at.map(|ends_at| (id, ends_at)));
        }
        Ok(dwells)
    }

    /// Writes the states under every version, the attributes, and the words by which leads are found.
    async fn write_states(
        &self,
        conn: &mut PgConnection,
        dwells: &BTreeMap<LeadId, DateTime<Utc>>,
    ) -> sqlx::Result<BTreeMap<LeadId, State>> {
        let states = self.live.write(conn, self.inputs(), dwells).await?;
        for other in &self.others {
            other.write(conn, self.inputs(), &BTreeMap::new()).await?;
        }
        self.people.write(conn).await?;
        self.people.write_words(conn, self.leads).await?;
        Ok(states)
    }

    /// Tells the feed of scores, bands, attributes and merges.
    async fn publish_changes(
        &self,
        conn: &mut PgConnection,
        states: &BTreeMap<LeadId, State>,
    ) -> sqlx::Result<()> {
        let changes = announce::changes(self, states.values());
        outbox::publish(conn, self.context.ids, &changes).await
    }

    /// Writes the leads' rows and their transitions. Deletes the states of leads that were joined into other
    /// leads.
    async fn record_transitions(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        let gone: Vec<LeadId> = self.leads.gone.keys().copied().collect();
        scores::delete(conn, &gone).await?;
        self.leads.save(conn).await?;
        stages::record(conn, self.context.ids, &self.transitions).await
    }

    /// Offers ripe leads to sales, and withdraws offers of leads that are no longer ripe. Returns the
    /// handoffs that were changed, by lead.
    async fn make_and_end_handoffs(
        &self,
        conn: &mut PgConnection,
    ) -> sqlx::Result<BTreeMap<LeadId, Vec<Touched>>> {
        handoffs::follow(conn, self).await
    }

    /// Stores how each lead stood before the live model moved it, for a rollback.
    async fn note_for_a_rollback(
        self,
        conn: &mut PgConnection,
        touched: BTreeMap<LeadId, Vec<Touched>>,
    ) -> sqlx::Result<()> {
        self.moves.keep(conn, self.context, &self.transitions, touched).await
    }
}

/// Returns the leads that the policy excludes, each with its label. Only leads whose stage depends on the
/// exclusions are checked.
pub(super) async fn excluded<'a>(
    conn: &mut PgConnection,
    context: ChangeContext<'_>,
    (leads, people): (&LockedLeads, &People),
    looked_at: impl Iterator<Item = (LeadId, &'a Tally, &'a Score)>,
) -> sqlx::Result<BTreeMap<LeadId, Label>> {
    if !context.policy.excludes() {
        return Ok(BTreeMap::new());
    }
    let model = &context.live().model;
    let at_stake = |(id, tally, score): (LeadId, &Tally, &Score)| {
        let lead = leads.leads.get(&id)?;
        stages::is_at_stake(model, lead, score, tally).then_some(id)
    };
    let asked: Vec<LeadId> = looked_at.filter_map(at_stake).collect();
    stages::excluded(conn, context.policy, &asked, |lead| people.described(lead)).await
}
