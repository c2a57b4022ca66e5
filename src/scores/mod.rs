//! Scores kept: what is stored of a lead equals a replay of its log, always.
//!
//! *Tally*: the bounded state that a lead's events are added to, one a model. *Standing*: what is stored of a
//! lead under the live model, the tally included. [`apply`] is the one way in which standings change: by new
//! events, by identities that moved, or because an instant was reached at which the score changes by itself. It
//! runs in the caller's transaction, on leads that the caller has locked.

pub mod api;
pub mod jobs;
mod log;
mod state;
mod store;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use scoring::{EventRef, Tally, profile::Fold};
use serde_json::{Map, Value};
use sqlx::PgConnection;

pub use log::{History, read as read_log};

use state::{Changed, State};

use crate::{
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

/// What is new, by the lead for which it counts.
pub type Additions<'a> = BTreeMap<LeadId, Vec<Addition<'a>>>;

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
    additions: &Additions<'_>,
) -> sqlx::Result<BTreeMap<LeadId, Standing>> {
    let mut states = load(conn, frame, resolved, additions).await?;
    let mut standings = BTreeMap::new();
    let mut transitions = Vec::new();
    for (lead_id, state) in &mut states {
        let Some(before) = resolved.before(*lead_id).cloned() else { continue };
        let Some(lead) = resolved.leads.get_mut(lead_id) else { continue };
        state.changed.name = resolved.named.contains(lead_id);
        if !state.replayed {
            additions.get(lead_id).into_iter().flatten().for_each(|addition| state.add(frame, addition));
        }
        let score = state.evaluate(frame);
        let decided = qualification::advance(frame, lead, &before, &score, &state.tally);
        state.changed.stage = lead.stage != before.stage;
        transitions.extend(decided.transitions);
        let standing = state.standing(frame, lead, &score, decided.dwell_ends_at);
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

/// Loads what the leads' standings are made from: stored tallies, and logs of leads whose identities moved or
/// whose tally cannot be read.
async fn load(
    conn: &mut PgConnection,
    frame: Frame<'_>,
    resolved: &Resolved,
    additions: &Additions<'_>,
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
            changed: Changed { profile: tally.is_none(), ..Changed::default() },
            tally: tally.unwrap_or_else(|| Tally::new(&frame.live.model)),
            profile: Fold::default(),
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
        // What moved away may have left nothing behind, and that is to be written too.
        (state.changed.provenance, state.changed.profile) = (true, true);
        (state.profile, state.replayed) = (history.profile, true);
    }
    Ok(states)
}

/// Only leads of whom something new is said need their attributes at hand.
async fn load_profiles(
    conn: &mut PgConnection,
    additions: &Additions<'_>,
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
    for row in leads::profiles_of(conn, &described).await? {
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
        .filter(|(_, state)| state.changed.provenance)
        .map(|(lead, state)| (*lead, &state.profile))
        .collect();
    if !described.is_empty() {
        let leads: Vec<LeadId> = described.iter().map(|(lead, _)| *lead).collect();
        let attributes: Vec<Value> =
            described.iter().map(|(_, profile)| serde_json::to_value(profile).unwrap_or_default()).collect();
        leads::upsert_profiles(conn, &leads, &attributes).await?;
    }
    if !resolved.gone.is_empty() {
        let gone: Vec<LeadId> = resolved.gone.iter().copied().collect();
        store::delete(conn, &gone).await?;
    }
    resolved.save(conn).await
}
