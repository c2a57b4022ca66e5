//! Scores kept: what is stored of a lead equals a replay of its log, always.
//!
//! *Tally*: the bounded state that a lead's events are added to, one a model. *Standing*: what is stored of a
//! lead under the live model, the tally included. [`apply`] is the one way in which standings change: by new
//! events, by identities that moved, or because an instant was reached at which the score changes by itself. It
//! runs in the caller's transaction, on leads that the caller has locked.

pub mod api;
pub mod jobs;
mod log;
mod store;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use scoring::{EventRef, Score, Tally, profile::Fold};
use serde_json::{Map, Value};
use sqlx::PgConnection;

pub use log::{History, read as read_log};

use crate::{
    clock::{to_instant, to_utc},
    ids::LeadId,
    leads::{self, Resolved, Stage},
    qualification::{self, Frame},
};

/// An event that has just entered the log.
#[derive(Debug, Clone, Copy)]
pub struct Addition<'a> {
    /// What counts.
    pub event: EventRef<'a>,
    /// What it says of the person.
    pub traits: Option<&'a Map<String, Value>>,
}

/// A lead's standing under a model, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Whose.
    pub lead_id: LeadId,
    /// The lead's stage.
    pub stage: Stage,
    /// Whether the person asked not to be contacted, and has not asked for contact since.
    pub do_not_contact: bool,
    /// As published.
    pub score: i32,
    /// In milli-points, before the score's own bounds.
    pub raw: i64,
    /// In milli-points.
    pub fit: i64,
    /// In milli-points.
    pub engagement: i64,
    /// Such as `A1`.
    pub grade: String,
    /// Such as `hot`.
    pub band: String,
    /// The instant for which the numbers hold.
    pub as_of: DateTime<Utc>,
    /// When the score changes if nothing happens.
    pub next_change_at: Option<DateTime<Utc>>,
    /// When to look again: then, or when a dwell ends.
    pub due_at: Option<DateTime<Utc>>,
    /// When the person last did something.
    pub last_activity_at: Option<DateTime<Utc>>,
    /// When anything changed that a reader sees.
    pub updated_at: DateTime<Utc>,
    tally: Vec<u8>,
}

/// Brings the standings of locked leads up to date: adds what is new, replays what moved, decides on stages, and
/// writes it all back.
pub async fn apply(
    conn: &mut PgConnection,
    frame: Frame<'_>,
    resolved: &mut Resolved,
    additions: &HashMap<LeadId, Vec<Addition<'_>>>,
) -> sqlx::Result<BTreeMap<LeadId, Standing>> {
    let mut states = load(conn, frame, resolved, additions).await?;
    let mut standings = BTreeMap::new();
    let mut transitions = Vec::new();
    for (lead_id, state) in &mut states {
        let Some(before) = resolved.before(*lead_id).cloned() else { continue };
        let Some(lead) = resolved.leads.get_mut(lead_id) else { continue };
        if !state.replayed {
            additions.get(lead_id).into_iter().flatten().for_each(|addition| state.add(frame, addition));
        }
        if state.profile_changed {
            state.tally.know(&frame.live.model, &state.profile.to_profile());
        }
        let as_of = frame.now.max(state.stored.as_ref().map_or(frame.now, |stored| stored.as_of));
        state.tally.prune(&frame.live.model, to_instant(as_of));
        let score = state.tally.evaluate(&frame.live.model, to_instant(as_of));
        let decided = qualification::advance(frame, lead, &before, &score, &state.tally);
        transitions.extend(decided.transitions);
        let standing =
            state.standing(frame, lead.id, lead.stage, before.stage, &score, decided.dwell_ends_at);
        standings.insert(*lead_id, standing);
    }
    write(conn, frame, resolved, &states, &standings).await?;
    qualification::record(conn, &transitions).await?;
    Ok(standings)
}

/// For how long the score that is due longest has been waiting to be brought up to date.
pub async fn overdue(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<TimeDelta> {
    let oldest = store::oldest_due(conn).await?;
    Ok(oldest.map_or(TimeDelta::zero(), |due| (now - due).max(TimeDelta::zero())))
}

/// What a lead's standing is made from while it is brought up to date.
struct State {
    tally: Tally,
    profile: Fold,
    /// A value changed: attribute rules must be asked again.
    profile_changed: bool,
    /// Something was said, if only the same again later: the date counts when an older event comes late.
    described: bool,
    /// The tally came from the log, which holds the additions already.
    replayed: bool,
    stored: Option<store::StateRow>,
}

impl State {
    fn add(&mut self, frame: Frame<'_>, addition: &Addition<'_>) {
        self.tally.add(&frame.live.model, addition.event);
        if let Some(traits) = addition.traits {
            self.described = true;
            self.profile_changed |= self.profile.apply(traits, addition.event.occurred_at, addition.event.id);
        }
    }

    fn standing(
        &self,
        frame: Frame<'_>,
        lead_id: LeadId,
        stage: Stage,
        stage_before: Stage,
        score: &Score,
        dwell_ends_at: Option<DateTime<Utc>>,
    ) -> Standing {
        let published = i32::try_from(score.score).unwrap_or(i32::MAX);
        let next_change_at = score.next_change_at.map(to_utc);
        let same = |row: &store::StateRow| {
            row.score == published
                && (row.raw, row.fit, row.engagement) == (score.raw.0, score.fit.0, score.engagement.0)
        };
        let visible =
            self.profile_changed || stage != stage_before || !self.stored.as_ref().is_some_and(same);
        let updated_at = self.stored.as_ref().map_or(frame.now, |row| row.updated_at);
        Standing {
            lead_id,
            stage,
            do_not_contact: self.tally.do_not_contact(),
            score: published,
            raw: score.raw.0,
            fit: score.fit.0,
            engagement: score.engagement.0,
            grade: score.grade.clone(),
            band: score.band.clone(),
            as_of: to_utc(score.as_of),
            next_change_at,
            due_at: [next_change_at, dwell_ends_at].into_iter().flatten().min(),
            last_activity_at: self.tally.last_activity().map(to_utc),
            updated_at: if visible { frame.now } else { updated_at },
            tally: self.tally.encode(),
        }
    }
}

/// Loads what the leads' standings are made from: stored tallies, and logs of leads whose identities moved or
/// whose tally cannot be read.
async fn load(
    conn: &mut PgConnection,
    frame: Frame<'_>,
    resolved: &Resolved,
    additions: &HashMap<LeadId, Vec<Addition<'_>>>,
) -> sqlx::Result<BTreeMap<LeadId, State>> {
    let present: Vec<LeadId> =
        resolved.leads.keys().copied().filter(|id| !resolved.gone.contains(id)).collect();
    let existing: Vec<LeadId> = present.iter().copied().filter(|id| !resolved.created.contains(id)).collect();
    let mut stored: HashMap<LeadId, store::StateRow> = store::states_of(conn, frame.live.id, &existing)
        .await?
        .into_iter()
        .map(|row| (row.lead_id, row))
        .collect();
    let mut states = BTreeMap::new();
    let mut replay = Vec::new();
    for lead_id in present {
        let tally = stored.get(&lead_id).and_then(|row| Tally::decode(&frame.live.model, &row.tally).ok());
        let usable =
            !resolved.moved.contains(&lead_id) && (tally.is_some() || resolved.created.contains(&lead_id));
        if !usable {
            replay.push(lead_id);
        }
        let state = State {
            // An empty profile decides attribute rules too.
            profile_changed: tally.is_none(),
            tally: tally.unwrap_or_else(|| Tally::new(&frame.live.model)),
            profile: Fold::default(),
            described: false,
            replayed: false,
            stored: stored.remove(&lead_id),
        };
        states.insert(lead_id, state);
    }
    load_profiles(conn, additions, &mut states).await?;
    for (lead_id, history) in log::read(conn, &replay).await? {
        let Some(state) = states.get_mut(&lead_id) else { continue };
        state.tally = Tally::new(&frame.live.model);
        for event in &history.events {
            state.tally.add(&frame.live.model, event.as_ref());
        }
        state.described = history.profile.iter().next().is_some();
        (state.profile, state.profile_changed, state.replayed) = (history.profile, true, true);
    }
    Ok(states)
}

/// Only leads of whom something new is said need their attributes at hand.
async fn load_profiles(
    conn: &mut PgConnection,
    additions: &HashMap<LeadId, Vec<Addition<'_>>>,
    states: &mut BTreeMap<LeadId, State>,
) -> sqlx::Result<()> {
    let described: Vec<LeadId> = additions
        .iter()
        .filter(|(_, news)| news.iter().any(|addition| addition.traits.is_some()))
        .map(|(lead, _)| *lead)
        .collect();
    if described.is_empty() {
        return Ok(());
    }
    for row in leads::store::profiles_of(conn, &described).await? {
        if let Some(state) = states.get_mut(&row.lead_id) {
            state.profile = serde_json::from_value(row.attributes)
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        }
    }
    Ok(())
}

async fn write(
    conn: &mut PgConnection,
    frame: Frame<'_>,
    resolved: &Resolved,
    states: &BTreeMap<LeadId, State>,
    standings: &BTreeMap<LeadId, Standing>,
) -> sqlx::Result<()> {
    let (known, new): (Vec<&Standing>, Vec<&Standing>) =
        standings.values().partition(|standing| states[&standing.lead_id].stored.is_some());
    if !new.is_empty() {
        store::insert(conn, frame.live.id, &new).await?;
    }
    if !known.is_empty() {
        store::update(conn, frame.live.id, &known).await?;
    }
    let described: Vec<(LeadId, &Fold)> = states
        .iter()
        .filter(|(_, state)| state.described)
        .map(|(lead, state)| (*lead, &state.profile))
        .collect();
    if !described.is_empty() {
        let leads: Vec<LeadId> = described.iter().map(|(lead, _)| *lead).collect();
        let attributes: Vec<Value> =
            described.iter().map(|(_, profile)| serde_json::to_value(profile).unwrap_or_default()).collect();
        leads::store::upsert_profiles(conn, &leads, &attributes).await?;
    }
    if !resolved.gone.is_empty() {
        let gone: Vec<LeadId> = resolved.gone.iter().copied().collect();
        store::delete(conn, &gone).await?;
    }
    resolved.save(conn).await
}
