//! What a person says of an event.

use chrono::{DateTime, Utc};
use scoring::Verdict;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::store;
use crate::platform::ids::{EventKey, IdentityId, LeadId};

/// An event on which somebody has decided.
#[derive(Debug)]
pub struct Decided {
    /// On whom it hangs.
    pub identity_id: IdentityId,
    /// Its key.
    pub event_key: EventKey,
    /// What happened.
    pub kind: String,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// What is particular to it.
    pub properties: Map<String, Value>,
}

/// A person's verdict on an event, as the log has it: the properties of a `verdict_changed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The id of the event that it is about.
    pub event_id: String,
    /// Who caused that.
    pub verdict: Verdict,
    /// Who says so.
    pub author: String,
    /// Why.
    pub reason: String,
}

impl Decision {
    /// Reads the properties of a `verdict_changed`; none, if they are not what [`Decision::properties`] makes.
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

    /// As the log has it.
    pub fn properties(&self) -> Map<String, Value> {
        let fields = [
            ("event_id", json!(self.event_id)),
            ("verdict", json!(self.verdict)),
            ("author", json!(self.author)),
            ("reason", json!(self.reason)),
        ];
        fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
    }

    /// Carries it out on the lead's events of that id, unless somebody decided later. These events come back.
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
