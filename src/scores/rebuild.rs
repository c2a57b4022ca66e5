//! Rebuild: makes the states of a version that is being prepared, from the log.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use scoring::{EventRef, Model, Tally, Verdict};
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::{
    Additions, Prepared,
    person::People,
    states::{ModelStates, StateInputs},
    store::{self, Asked},
};
use crate::{
    leads::LockedLeads,
    models::{Covers, Scored, Version},
    platform::{clock::to_instant, ids::LeadId, json::Stored},
};

/// Gives locked leads a state under a version. Uses the tally from `prepared` if the tally is complete, and
/// else replays the lead's log. Leads that have a current state keep it. Stages do not change.
pub async fn rebuild(
    conn: &mut PgConnection,
    scored: &Scored,
    version: &Version,
    now: DateTime<Utc>,
    leads: &LockedLeads,
    prepared: Prepared,
) -> sqlx::Result<()> {
    let nothing_new = Additions::new();
    let mut states = ModelStates::load(conn, version, Covers::All, leads).await?;
    let stale: BTreeSet<LeadId> = states.stale().collect();
    let whole = prepared.whole(conn, scored.live.id).await?;
    let apart: Vec<LeadId> = stale.iter().copied().filter(|lead| !whole.contains_key(lead)).collect();
    for (lead, tally) in whole {
        states.put(lead, tally);
    }
    replay(conn, &mut states, &apart).await?;
    states.saw_first(
        &store::first_seen(conn, scored.live.id, &stale.iter().copied().collect::<Vec<_>>()).await?,
    );
    let people = People::known(conn, leads, &stale).await?;
    let given = StateInputs { now, leads, people: &people, additions: &nothing_new };
    states.add_or_replay(given);
    states.write(conn, given, &BTreeMap::new()).await?;
    Ok(())
}

/// Adds the events of leads' logs to their tallies, in the order in which the database returns them. A tally
/// does not depend on the order.
async fn replay(conn: &mut PgConnection, states: &mut ModelStates<'_>, leads: &[LeadId]) -> sqlx::Result<()> {
    if leads.is_empty() {
        return Ok(());
    }
    let mut adding = Adding::under(&states.version.model);
    let asked = Asked::by(adding.model);
    let mut rows = store::counted_events_of(conn, leads, &asked);
    while let Some(row) = rows.try_next().await? {
        if let Some(tally) = states.tally(row.lead_id) {
            let event = Read {
                kind: &row.kind,
                at: row.occurred_at,
                human: row.human,
                found: [row.first, row.second, row.third].map(|field| field.map(Value::from)),
                all: row.properties.as_ref().and_then(Stored::fields),
            };
            adding.add(tally, event);
        }
    }
    Ok(())
}

/// An event as read from the log: with all its properties, or with up to three of them.
pub(super) struct Read<'a> {
    pub(super) kind: &'a str,
    pub(super) at: DateTime<Utc>,
    pub(super) human: bool,
    pub(super) found: [Option<Value>; 3],
    pub(super) all: Option<&'a Map<String, Value>>,
}

/// Adds events that were read from the log to tallies.
pub(super) struct Adding<'a> {
    pub(super) model: &'a Model,
    names: Vec<&'a str>,
    /// The properties of the current event. Reused for every event; a missing field is null, which means the
    /// same.
    properties: Map<String, Value>,
}

impl<'a> Adding<'a> {
    pub(super) fn under(model: &'a Model) -> Adding<'a> {
        let names = model.properties_read().into_iter().take(3).collect();
        Adding { model, names, properties: Map::new() }
    }

    /// Adds an event to a tally.
    pub(super) fn add(&mut self, tally: &mut Tally, event: Read<'_>) {
        for (name, value) in self.names.iter().zip(event.found) {
            let value = value.unwrap_or_default();
            match self.properties.get_mut(*name) {
                Some(place) => *place = value,
                None => drop(self.properties.insert((*name).to_owned(), value)),
            }
        }
        let event = EventRef {
            id: "",
            kind: event.kind,
            occurred_at: to_instant(event.at),
            verdict: if event.human { Verdict::Human } else { Verdict::Suspect },
            properties: event.all.unwrap_or(&self.properties),
            traits: None,
        };
        tally.add(self.model, event);
    }
}

impl Asked {
    /// The properties that the rules of a model read.
    pub(super) fn by(model: &Model) -> Asked {
        let mut read = model.properties_read().into_iter().map(str::to_owned);
        let fields = [read.next(), read.next(), read.next()];
        match read.next() {
            None => Asked { fields, all: false },
            Some(_) => Asked { fields: [None, None, None], all: true },
        }
    }
}
