//! The standings of some leads under one version, while they are brought up to date.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use chrono::{DateTime, Utc};
use scoring::{Event, EventRef, Model, Score, Tally, Verdict};
use serde_json::Map;
use sqlx::PgConnection;

use super::{Additions, Standing, person::People, store};
use crate::{
    clock::{to_instant, to_utc},
    ids::LeadId,
    leads::{Lead, MqlBy, Resolved},
    models::{Covers, Settling, Version},
};

/// What is stored of some leads under a version, and what it becomes.
pub(super) struct Sheet<'a> {
    pub(super) version: &'a Version,
    pub(super) states: BTreeMap<LeadId, State>,
    /// By the tallies with everything new in them.
    scores: BTreeMap<LeadId, Score>,
}

/// What else there is to know when standings are written.
#[derive(Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) now: DateTime<Utc>,
    pub(super) leads: &'a Resolved,
    pub(super) people: &'a People,
    pub(super) additions: &'a Additions<'a>,
}

/// One lead's tally in the making, beside what is stored.
pub(super) struct State {
    pub(super) tally: Tally,
    /// When the lead first did something; as stored, until everything new is in it.
    first_seen_at: Option<DateTime<Utc>>,
    /// The tally is to come from the log.
    stale: bool,
    /// Because it was made under older semantics, and for nothing else.
    outdated: bool,
    stored: Option<store::StateRow>,
}

impl<'a> Sheet<'a> {
    /// Reads what is stored. A lead that the version does not cover yet, and that has no state, is left out: it gets
    /// its first one from the rebuild.
    pub(super) async fn load(
        conn: &mut PgConnection,
        version: &'a Version,
        covers: Covers,
        resolved: &Resolved,
    ) -> sqlx::Result<Sheet<'a>> {
        let present: Vec<LeadId> =
            resolved.leads.keys().copied().filter(|id| !resolved.gone.contains_key(id)).collect();
        let existing: Vec<LeadId> =
            present.iter().copied().filter(|id| !resolved.created.contains(id)).collect();
        let rows = store::states_of(conn, version.id, &existing).await?;
        let mut stored: HashMap<LeadId, store::StateRow> =
            rows.into_iter().map(|row| (row.lead_id, row)).collect();
        let mut states = BTreeMap::new();
        for lead in present {
            let created = resolved.created.contains(&lead);
            let row = stored.remove(&lead);
            if row.is_none() && !created && !covers.includes(lead) {
                continue;
            }
            let tally = row.as_ref().and_then(|row| version.tally(lead, &row.tally));
            let moved = resolved.moved.contains(&lead);
            let outdated = !moved && row.as_ref().is_some_and(|row| Tally::is_outdated(&row.tally));
            let stale = moved || outdated || (tally.is_none() && !created);
            let tally = tally.filter(|_| !stale).unwrap_or_else(|| Tally::new(&version.model));
            let first_seen_at = row.as_ref().filter(|_| !stale).and_then(|row| row.first_seen_at);
            states.insert(lead, State { tally, first_seen_at, stale, outdated, stored: row });
        }
        Ok(Sheet { version, states, scores: BTreeMap::new() })
    }

    /// The leads whose identities moved, whose tally cannot be read or is outdated: they are replayed from the log.
    pub(super) fn stale(&self) -> impl Iterator<Item = LeadId> {
        self.states.iter().filter(|(_, state)| state.stale).map(|(lead, _)| *lead)
    }

    /// Those of them that are replayed only because their state was made under older semantics.
    pub(super) fn outdated(&self) -> impl Iterator<Item = LeadId> {
        self.states.iter().filter(|(_, state)| state.outdated).map(|(lead, _)| *lead)
    }

    /// What an outdated state would have been before the news, had it been made under today's semantics; none of a state
    /// that is not outdated.
    pub(super) fn renewed(&self, lead: LeadId, given: Circumstances<'_>) -> Option<Tally> {
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

    /// The tally of a lead that is to come from the log.
    pub(super) fn tally(&mut self, lead: LeadId) -> Option<&mut Tally> {
        self.states.get_mut(&lead).filter(|state| state.stale).map(|state| &mut state.tally)
    }

    /// Gives a lead that is to be replayed the tally of its log.
    pub(super) fn put(&mut self, lead: LeadId, tally: Tally) {
        if let Some(own) = self.tally(lead) {
            *own = tally;
        }
    }

    /// Tells of leads that are to be replayed when each first did something, where another version knows: that does not
    /// depend on the model.
    pub(super) fn saw_first(&mut self, seen: &HashMap<LeadId, Option<DateTime<Utc>>>) {
        for (lead, state) in self.states.iter_mut().filter(|(_, state)| state.stale) {
            state.first_seen_at = seen.get(lead).copied().flatten();
        }
    }

    /// Adds what is new, or all there is, and evaluates.
    pub(super) fn take(&mut self, given: Circumstances<'_>) {
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
            // An empty profile decides attribute rules too.
            if person.reworded || state.stale || state.stored.is_none() {
                state.tally.know(model, &person.profile.to_profile());
            }
            let as_of = to_instant(state.as_of(given.now));
            state.tally.prune(model, as_of);
            self.scores.insert(*lead, state.tally.evaluate(model, as_of));
        }
    }

    /// Each lead's state and score, once everything new is in them.
    pub(super) fn scored(&self) -> impl Iterator<Item = (LeadId, &State, &Score)> {
        self.scores.iter().filter_map(|(lead, score)| Some((*lead, self.states.get(lead)?, score)))
    }

    /// What was stored of a lead.
    pub(super) fn stored(&self, lead: LeadId) -> Option<&store::StateRow> {
        self.states.get(&lead)?.stored.as_ref()
    }

    /// A tally's score under this version.
    pub(super) fn evaluate(&self, tally: &Tally, as_of: DateTime<Utc>) -> Score {
        tally.evaluate(&self.version.model, to_instant(as_of))
    }

    /// Writes what has changed; the standings of all.
    pub(super) async fn write(
        &self,
        conn: &mut PgConnection,
        given: Circumstances<'_>,
        dwells: &BTreeMap<LeadId, DateTime<Utc>>,
    ) -> sqlx::Result<BTreeMap<LeadId, Standing>> {
        let (mut standings, mut unchanged) = (BTreeMap::new(), BTreeSet::new());
        for (id, state, score) in self.scored() {
            let (Some(lead), Some(person)) = (given.leads.leads.get(&id), given.people.get(id)) else {
                continue;
            };
            let moved = given.leads.before(id).is_some_and(|before| before.stage() != lead.stage());
            let visible = person.reworded || person.named || moved;
            let standing = state.standing(given.now, lead, score, visible, dwells.get(&id).copied());
            // What came anew may count at the instant stored, though not now: that instant is then no longer true.
            let grown = state.stale || given.additions.contains_key(&id);
            let said = state.stored.as_ref().is_some_and(|row| row.says(&standing));
            if said && !visible && !grown {
                unchanged.insert(id);
            }
            standings.insert(id, standing);
        }
        let (changed, new): (Vec<&Standing>, Vec<&Standing>) = standings
            .values()
            .filter(|standing| !unchanged.contains(&standing.lead_id))
            .partition(|standing| self.states[&standing.lead_id].stored.is_some());
        if !new.is_empty() {
            store::insert(conn, self.version.id, &new).await?;
        }
        if !changed.is_empty() {
            store::update(conn, self.version.id, &changed).await?;
        }
        Ok(standings)
    }
}

impl State {
    fn add(&mut self, model: &Model, event: EventRef<'_>) {
        self.tally.add(model, event);
        if event.verdict != Verdict::Machine {
            let at = to_utc(event.occurred_at);
            self.first_seen_at = Some(self.first_seen_at.map_or(at, |first| first.min(at)));
        }
    }

    /// Now, or the instant of the stored score if another machine's clock was ahead of ours.
    pub(super) fn as_of(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.stored.as_ref().map_or(now, |stored| stored.as_of.max(now))
    }

    /// The tally as it is stored, if nobody has looked at the lead's stage since the version went live.
    pub(super) fn awaiting(&self, lead: LeadId, settling: &Settling) -> Option<&Tally> {
        (self.stored.is_some() && !self.stale && settling.awaits(lead)).then_some(&self.tally)
    }

    /// Whether the person was not to be contacted, by what is stored.
    pub(super) fn was_silent(&self) -> bool {
        self.stored.as_ref().is_some_and(|stored| stored.do_not_contact)
    }

    /// Whether the person did something that is not in what is stored.
    pub(super) fn is_active(&self) -> bool {
        let known = self.stored.as_ref().and_then(|stored| stored.last_activity_at);
        self.tally.last_human_activity().map(to_utc) > known
    }

    fn standing(
        &self,
        now: DateTime<Utc>,
        lead: &Lead,
        score: &Score,
        visible: bool,
        dwell_ends_at: Option<DateTime<Utc>>,
    ) -> Standing {
        let published = i32::try_from(score.score).unwrap_or(i32::MAX);
        let next_change_at = score.next_change_at.map(to_utc);
        let same = |row: &&store::StateRow| {
            row.score == published
                && (row.raw, row.fit, row.engagement) == (score.raw.0, score.fit.0, score.engagement.0)
        };
        let unseen = self.stored.as_ref().filter(same).filter(|_| !visible);
        Standing {
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

impl store::StateRow {
    /// Whether a standing says nothing that is not stored; the instant apart, for a score holds until it changes.
    fn says(&self, standing: &Standing) -> bool {
        self.tally == standing.tally
            && (self.score, self.raw) == (standing.score, standing.raw)
            && (self.fit, self.engagement) == (standing.fit, standing.engagement)
            && (self.next_change_at, self.due_at) == (standing.next_change_at, standing.due_at)
            && (self.first_seen_at, self.hand_raised) == (standing.first_seen_at, standing.hand_raised)
    }
}
