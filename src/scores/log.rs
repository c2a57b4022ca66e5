//! Reads the events and attributes from which leads are replayed.

use std::collections::HashMap;

use scoring::{Event, Verdict, profile::Fold};
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::store;
use crate::platform::{clock::to_instant, ids::LeadId, json::Stored};

/// The events that count for a lead, and the attributes that follow from them.
#[derive(Debug, Default)]
pub struct History {
    /// The lead's events, oldest first.
    pub events: Vec<Event>,
    /// The lead's attributes, each with its date and event.
    pub profile: Fold,
}

/// Reads the whole logs of some leads. A lead without events gets an empty history.
pub async fn read(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<HashMap<LeadId, History>> {
    let mut histories: HashMap<LeadId, History> =
        leads.iter().map(|lead| (*lead, History::default())).collect();
    for row in store::events_of(conn, leads).await? {
        let history = histories.entry(row.lead_id).or_default();
        let event = row.event();
        if let Some(traits) = event.as_ref().facts() {
            history.profile.apply(traits, event.occurred_at, &event.id);
        }
        history.events.push(event);
    }
    Ok(histories)
}

/// Reads the whole log of a lead.
pub async fn read_one(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<History> {
    Ok(read(conn, &[lead]).await?.remove(&lead).expect("`read` returns a history for every given lead"))
}

impl store::LoggedEvent {
    fn event(self) -> Event {
        Event {
            properties: fields(self.lead_id, &self.id, Some(Stored(self.properties))).unwrap_or_default(),
            traits: fields(self.lead_id, &self.id, self.traits),
            id: self.id,
            kind: self.kind,
            occurred_at: to_instant(self.occurred_at),
            verdict: verdict(&self.verdict),
        }
    }
}

/// The fields of a stored object of an event. `None` if nothing is stored, or if the stored value is no
/// object. No call can store such a value.
fn fields(lead: LeadId, event: &str, stored: Option<Stored>) -> Option<Map<String, Value>> {
    let fields = stored?.into_fields();
    if fields.is_none() {
        tracing::warn!(lead = %lead.0, event, "the stored properties or traits of an event are not an object; they are ignored");
    }
    fields
}

/// Reads the column `verdict`, which holds only `human`, `suspect` or `machine`.
fn verdict(text: &str) -> Verdict {
    match text {
        "machine" => Verdict::Machine,
        "suspect" => Verdict::Suspect,
        _ => Verdict::Human,
    }
}
