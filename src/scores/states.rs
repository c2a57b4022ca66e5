//! The states of some leads under one version of a model, while they are brought up to date.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use chrono::{DateTime, Utc};
use scoring::{Event, EventRef, Model, Score, Tally, Verdict};
use serde_json::Map;
use sqlx::PgConnection;

use super::{
    Additions, State,
    person::People,
    store::{self, StateRow},
};
use crate::{
    leads::{Lead, LockedLeads, MqlBy},
    models::{Covers, Settling, Version, published},
    platform::{
        clock::{to_instant, to_utc},
        ids::LeadId,
    },
};

/// The states of some leads under one version: the stored states and the new ones.
pub(crate) struct ModelStates<'a> {
    pub(super) version: &'a Version,
    /// The states, by lead.
    pub(crate) states: BTreeMap<LeadId, PendingState>,
    /// The scores with all new events, by lead; empty before [`ModelStates::add_or_replay`].
    scores: BTreeMap<LeadId, Score>,
}

/// The inputs from which states are computed.
#[derive(Clone, Copy)]
pub(crate) struct StateInputs<'a> {
    /// The instant of the change.
    pub(crate) now: DateTime<Utc>,
    /// The locked leads.
    pub(crate) leads: &'a LockedLeads,
    /// The leads' attributes, and the logs of leads that are replayed.
    pub(crate) people: &'a People,
    /// The new events.
    pub(crate) additions: &'a Additions<'a>,
}

/// A lead's new state while it is computed, and its stored state.
pub(crate) struct PendingState {
    /// The tally; new events are added by [`ModelStates::add_or_replay`].
    pub(crate) tally: Tally,
    /// The instant of the earliest event that counts. The stored value until the new events are added.
    first_seen_at: Option<DateTime<Utc>>,
    /// Whether the lead must be replayed from the log.
    stale: bool,
    /// Whether the lead must be replayed only because its state is of older semantics.
    outdated: bool,
    stored: Option<StateRow>,
}

impl<'a> ModelStates<'a> {
    /// Loads the stored states. A lead without a state that the version does not cover yet is left out,
    /// because the rebuild makes the lead's first state.
    pub(crate) async fn load(
        conn: &mut PgConnection,
        version: &'a Version,
        covers: Covers,
        locked: &LockedLeads,
    ) -> sqlx::Result<ModelStates<'a>> {
        let present: Vec<LeadId> =
            locked.leads.keys().copied().filter(|id| !locked.gone.contains_key(id)).collect();
        let existing: Vec<LeadId> =
            present.iter().copied().filter(|id| !locked.created.contains(id)).collect();
        let rows = store::states_of(conn, version.id, &existing).await?;
        let mut stored: HashMap<LeadId, StateRow> = rows.into_iter().map(|row| (row.lead_id, row)).collect();
        let mut states = BTreeMap::new();
        for lead in present {
            let created = locked.created.contains(&lead);
            let row = stored.remove(&lead);
            if row.is_none() && !created && !covers.includes(lead) {
                continue;
            }
            let tally = row.as_ref().and_then(|row| version.tally(lead, &row.tally));
            let moved = locked.moved.contains(&lead);
            let outdated = !moved && row.as_ref().is_some_and(|row| Tally::is_outdated(&row.tally));
            let stale = moved || outdated || (tally.is_none() && !created);
            let tally = tally.filter(|_| !stale).unwrap_or_else(|| Tally::new(&version.model));
            let first_seen_at = row.as_ref().filter(|_| !stale).and_then(|row| row.first_seen_at);
            states.insert(lead, PendingState { tally, first_seen_at, stale, outdated, stored: row });
        }
        Ok(ModelStates { version, states, scores: BTreeMap::new() })
    }

    /// The leads that must be replayed from the log. Either other events count for the lead than before, or
    /// the stored tally is missing, unreadable or outdated.
    pub(crate) fn stale(&self) -> impl Iterator<Item = LeadId> {
        self.states.iter().filter(|(_, state)| state.stale).map(|(lead, _)| *lead)
    }

    /// The leads that are to be replayed only because their state was made under older semantics.
    pub(crate) fn outdated(&self) -> impl Iterator<Item = LeadId> {
        self.states.iter().filter(|(_, state)| state.outdated).map(|(lead, _)| *lead)
    }

    /// The tally that an outdated state would have had before the new events, under the current semantics;
    /// `None` if the state is not outdated.
    pub(crate) fn renewed(&self, lead: LeadId, given: StateInputs<'_>) -> Option<Tally> {
        let state = self.states.get(&lead).filter(|state| state.outdated)?;
        let history = given.people.get(lead)?.history.as_ref()?;
        let news = given.additions.get(&lead).map(Vec::as_slice).unwrap_or_default();
        let is_new = |event: &Event| {
            news.iter().any(|new| (new.id, new.occurred_at) == (event.id.as_str(), event.occurred_at))
        };
        let mut events = Cow::Borrowed(&history.events);
        if !news.is_empty() {
            events.to_mut().retain(|event| !is_new(event));
        }
        let as_of = to_instant(state.as_of(given.now));
        Some(scoring::replay(&self.version.model, &Map::new(), &events, as_of))
    }

    /// The tally of a lead that must be replayed from the log; `None` for other leads.
    pub(crate) fn tally(&mut self, lead: LeadId) -> Option<&mut Tally> {
        self.states.get_mut(&lead).filter(|state| state.stale).map(|state| &mut state.tally)
    }

    /// Sets the tally of a lead that must be replayed. Other leads keep their tallies.
    pub(crate) fn put(&mut self, lead: LeadId, tally: Tally) {
        if let Some(own) = self.tally(lead) {
            *own = tally;
        }
    }

    /// Sets the instant of the earliest event of leads that must be replayed, as known from another version.
    /// The instant does not depend on the model.
    pub(crate) fn saw_first(&mut self, seen: &HashMap<LeadId, Option<DateTime<Utc>>>) {
        for (lead, state) in self.states.iter_mut().filter(|(_, state)| state.stale) {
            state.first_seen_at = seen.get(lead).copied().flatten();
        }
    }

    /// Adds the new events to each state, or every event of the log to the state of a lead that is replayed, and evaluates.
    pub(crate) fn add_or_replay(&mut self, given: StateInputs<'_>) {
        let model = &self.version.model;
        for (lead, state) in &mut self.states {
            let Some(person) = given.people.get(*lead) else { continue };
            match &person.history {
                Some(history) if state.stale => {
                    history.events.iter().for_each(|event| state.add(model, event.as_ref()));
                }
                _ => {
                    given
                        .additions
                        .get(lead)
                        .into_iter()
                        .flatten()
                        .for_each(|event| state.add(model, *event));
                }
            }
            // A lead without a stored state needs this too: attribute rules may hold for an empty profile.
            if person.reworded || state.stale || state.stored.is_none() {
                state.tally.know(model, &person.profile.to_profile());
            }
            let as_of = to_instant(state.as_of(given.now));
            state.tally.prune(model, as_of);
            self.scores.insert(*lead, state.tally.evaluate(model, as_of));
        }
    }

    /// Each lead's state and score, after [`ModelStates::add_or_replay`].
    pub(crate) fn scored(&self) -> impl Iterator<Item = (LeadId, &PendingState, &Score)> {
        self.scores.iter().filter_map(|(lead, score)| Some((*lead, self.states.get(lead)?, score)))
    }

    /// The stored state of a lead.
    pub(crate) fn stored(&self, lead: LeadId) -> Option<&StateRow> {
        self.states.get(&lead)?.stored.as_ref()
    }

    /// A tally's score under this version.
    pub(crate) fn evaluate(&self, tally: &Tally, as_of: DateTime<Utc>) -> Score {
        tally.evaluate(&self.version.model, to_instant(as_of))
    }

    /// Writes the states that have changed. Returns the states of all leads. `dwells` has the instants at
    /// which a dwell or cooldown ends.
    pub(crate) async fn write(
        &self,
        conn: &mut PgConnection,
        given: StateInputs<'_>,
        dwells: &BTreeMap<LeadId, DateTime<Utc>>,
    ) -> sqlx::Result<BTreeMap<LeadId, State>> {
        let (mut states, mut unchanged) = (BTreeMap::new(), BTreeSet::new());
        for (id, state, score) in self.scored() {
            let (Some(lead), Some(person)) = (given.leads.leads.get(&id), given.people.get(id)) else {
                continue;
            };
            let moved = given.leads.before(id).is_some_and(|before| before.stage() != lead.stage());
            let visible = person.reworded || person.named || moved;
            let written = state.state(given.now, lead, score, visible, dwells.get(&id).copied());
            // A new event may count at the stored instant though it does not count now. The stored instant is then untrue.
            let grown = state.stale || given.additions.contains_key(&id);
            let said = state.stored.as_ref().is_some_and(|row| row.says(&written));
            if said && !visible && !grown {
                unchanged.insert(id);
            }
            states.insert(id, written);
        }
        let (changed, new): (Vec<&State>, Vec<&State>) = states
            .values()
            .filter(|state| !unchanged.contains(&state.lead_id))
            .partition(|state| self.states[&state.lead_id].stored.is_some());
        if !new.is_empty() {
            store::insert(conn, self.version.id, &new).await?;
        }
        if !changed.is_empty() {
            store::update(conn, self.version.id, &changed).await?;
        }
        Ok(states)
    }
}

impl PendingState {
    fn add(&mut self, model: &Model, event: EventRef<'_>) {
        self.tally.add(model, event);
        if event.verdict != Verdict::Machine {
            let at = to_utc(event.occurred_at);
            self.first_seen_at = Some(self.first_seen_at.map_or(at, |first| first.min(at)));
        }
    }

    /// Now, or the instant of the stored score if another machine's clock was ahead of ours.
    pub(crate) fn as_of(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.stored.as_ref().map_or(now, |stored| stored.as_of.max(now))
    }

    /// The stored tally, if the lead's stage has not been decided since the version went live.
    pub(crate) fn awaiting(&self, lead: LeadId, settling: &Settling) -> Option<&Tally> {
        (self.stored.is_some() && !self.stale && settling.awaits(lead)).then_some(&self.tally)
    }

    /// Whether the person must not be contacted, by the stored state.
    pub(crate) fn was_silent(&self) -> bool {
        self.stored.as_ref().is_some_and(|stored| stored.do_not_contact)
    }

    /// Whether the person did something newer than the last activity of the stored state.
    pub(crate) fn is_active(&self) -> bool {
        let known = self.stored.as_ref().and_then(|stored| stored.last_activity_at);
        self.tally.last_human_activity().map(to_utc) > known
    }

    fn state(
        &self,
        now: DateTime<Utc>,
        lead: &Lead,
        score: &Score,
        visible: bool,
        dwell_ends_at: Option<DateTime<Utc>>,
    ) -> State {
        let published = published(score.score);
        let next_change_at = score.next_change_at.map(to_utc);
        let same = |row: &&StateRow| {
            row.score == published
                && (row.raw, row.fit, row.engagement) == (score.raw.0, score.fit.0, score.engagement.0)
        };
        let unseen = self.stored.as_ref().filter(same).filter(|_| !visible);
        State {
            lead_id: lead.id,
            stage: lead.stage(),
            do_not_contact: lead.do_not_contact(&self.tally),
            score: published,
            raw: score.raw.0,
            fit: score.fit.0,
            engagement: score.engagement.0,
            grade: score.grade.clone(),
            band: score.band.clone(),
            as_of: to_utc(score.as_of),
            next_change_at,
            due_at: [next_change_at, dwell_ends_at].into_iter().flatten().min(),
            last_activity_at: self.tally.last_human_activity().map(to_utc),
            first_seen_at: self.first_seen_at,
            hand_raised: lead.mql_by == Some(MqlBy::HandRaise),
            hand_raised_at: self.tally.hand_raised_at().map(to_utc),
            updated_at: unseen.map_or(now, |row| row.updated_at),
            tally: self.tally.encode(),
        }
    }
}

impl StateRow {
    /// Whether a state equals the stored one. `as_of` may differ, because a score holds until it changes.
    fn says(&self, state: &State) -> bool {
        self.tally == state.tally
            && (self.score, self.raw) == (state.score, state.raw)
            && (self.fit, self.engagement) == (state.fit, state.engagement)
            && (self.next_change_at, self.due_at) == (state.next_change_at, state.due_at)
            && (self.first_seen_at, self.hand_raised) == (state.first_seen_at, state.hand_raised)
    }
}
