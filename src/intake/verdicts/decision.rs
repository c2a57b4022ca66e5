//! Decisions: people's verdicts on events.

use chrono::{DateTime, Utc};
use scoring::Verdict;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::store;
use crate::platform::ids::{EventKey, IdentityId, LeadId};

/// An event whose verdict a person has decided.
#[derive(Debug)]
pub struct Decided {
    /// The identity of the event.
    pub identity_id: IdentityId,
    /// The key of the event.
    pub event_key: EventKey,
    /// The type of the event.
    pub kind: String,
    /// When the event happened.
    pub occurred_at: DateTime<Utc>,
    /// The properties of the event.
    pub properties: Map<String, Value>,
}

/// A person's verdict on an event. The log holds it as the properties of a `verdict_changed` event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The id of the event that is judged.
    pub event_id: String,
    /// Who caused the event, as the person says.
    pub verdict: Verdict,
    /// The person who decided.
    pub author: String,
    /// Why the person decided so.
    pub reason: String,
}

impl Decision {
    /// Reads a decision from the properties of a `verdict_changed` event. `None` if they do not have the
    /// shape that [`Decision::properties`] gives them.
    pub fn read(properties: &Map<String, Value>) -> Option<Decision> {
        let text = |field: &str| Some(properties.get(field)?.as_str()?.to_owned());
        let verdict = serde_json::from_value(properties.get("verdict")?.clone()).ok()?;
        Some(Decision {
            event_id: text("event_id")?,
            verdict,
            author: text("author")?,
            reason: text("reason")?,
        })
    }

    /// The properties of the `verdict_changed` event.
    pub fn properties(&self) -> Map<String, Value> {
        let fields = [
            ("event_id", json!(self.event_id)),
            ("verdict", json!(self.verdict)),
            ("author", json!(self.author)),
            ("reason", json!(self.reason)),
        ];
        fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
    }

    /// Sets the verdict of the lead's events with that id, unless there is a later decision. Returns the
    /// events that were changed.
    pub async fn carry_out(
        &self,
        conn: &mut PgConnection,
        lead: LeadId,
        at: DateTime<Utc>,
    ) -> sqlx::Result<Vec<Decided>> {
        let words = format!("{}: {}", self.author, self.reason);
        store::decide(conn, lead, EventKey::of(&self.event_id), self.verdict, (&words, at)).await
    }
}
