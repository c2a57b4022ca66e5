//! What people decide about a lead: points for a reason, a new beginning, who caused an event, whether the lead may
//! be contacted.
//!
//! Nobody overwrites a score. An *adjustment* adds points until it expires. A *reset* cuts off older events. A
//! *verdict* says whether a person or a machine caused an event. Each is an event with author and reason, so the
//! receipt shows it, and a replay of the log includes it. Each goes through the writers like every event, and is
//! scored before the answer.
//!
//! The event hangs on the lead's strongest identity. Its id is the caller's idempotency key. The same call again is
//! the same event, even if the lead was joined with another in between. Another call under the key is a conflict.

pub mod api;
mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    http::problem::{Code, Problem},
    intake::ingest::{
        Intake, Submission,
        event::{Arrival, Found, NewEvent},
        submit,
    },
    leads::{self, identity::Named},
    platform::ids::{EventKey, KeyId, LeadId},
};

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LoggedEvent {
    /// The sender's id of it.
    pub id: String,
    /// What happened, in snake case.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// What is particular to the type.
    pub properties: Value,
    /// Who is thought to have caused it: `human`, `suspect` or `machine`.
    pub verdict: String,
    /// Why it is not simply a person's: what gave a machine away, or the words of whoever decided.
    pub verdict_reason: Option<String>,
    /// Until when it is to wait before it counts.
    pub held_until: Option<DateTime<Utc>>,
}

/// What a person has decided about a lead.
#[derive(Debug)]
pub(crate) struct Correction {
    /// `score_adjusted`, `engagement_reset`, `verdict_changed`, `consent_changed` or `do_not_contact_requested`.
    pub(crate) kind: &'static str,
    /// Reason and author, and what is particular to the type, in the one form in which they are compared.
    pub(crate) properties: Map<String, Value>,
    /// The caller's idempotency key.
    pub(crate) id: Option<String>,
    /// With which key the call was made.
    pub(crate) api_key: KeyId,
}

/// What a correction has led to.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The event, as it is in the log.
    pub(crate) event: LoggedEvent,
    /// Whether this call brought it.
    pub(crate) new: bool,
}

/// What was recorded under an idempotency key, if the key was used for this lead before.
pub(crate) async fn recorded(
    intake: &Intake,
    lead: LeadId,
    correction: &Correction,
) -> Result<Option<Recorded>, Problem> {
    let Some(id) = &correction.id else { return Ok(None) };
    let found = store::event(&mut *intake.db.acquire().await?, lead, EventKey::of(id)).await?;
    found.map(|event| correction.is(event)).transpose()
}

/// Records a correction of a lead that was `asked` for, or was merged into this one; it is scored when this returns.
pub(crate) async fn record(
    intake: &Intake,
    (lead, asked): (LeadId, LeadId),
    correction: Correction,
) -> Result<Recorded, Problem> {
    let named = leads::named(&mut *intake.db.acquire().await?, lead, asked).await?;
    let named = named.ok_or_else(|| Problem::not_found("lead"))?;
    let id = correction.id.clone().unwrap_or_else(|| intake.ids.next().to_string());
    let key = EventKey::of(&id);
    let arrival = Arrival { at: intake.clock.now(), api_key: Some(correction.api_key) };
    let event = correction
        .found(id, named)
        .into_event(arrival, String::new)
        .map_err(|why| Problem::invalid(why.detail, Vec::new()))?;
    let written = LoggedEvent::of(&event);
    let submission =
        Submission { arrival, events: vec![(0, event)], refused: Vec::new(), want_leads: false, size: 0 };
    let answer = submit(&intake.writers, submission).await?;
    match answer.rejected.into_iter().next() {
        Some(rejected) if rejected.code == "id_conflict" => return Err(taken()),
        Some(rejected) => return Err(Problem::invalid(rejected.detail, Vec::new())),
        None if answer.accepted == 1 => return Ok(Recorded { event: written, new: true }),
        None => {}
    }
    // The same call came twice at once, and the other was first.
    let event = store::event(&mut *intake.db.acquire().await?, lead, key).await?.ok_or_else(taken)?;
    Ok(Recorded { event, new: false })
}

impl LoggedEvent {
    /// An event as the writers append it.
    fn of(event: &NewEvent) -> LoggedEvent {
        LoggedEvent {
            id: event.id.clone(),
            kind: event.kind.clone(),
            occurred_at: event.occurred_at,
            received_at: event.received_at,
            properties: Value::Object(event.properties.clone()),
            verdict: "human".to_owned(),
            verdict_reason: None,
            held_until: None,
        }
    }
}

impl Correction {
    /// The event of an earlier call under the same key, if that call was this one.
    fn is(&self, event: LoggedEvent) -> Result<Recorded, Problem> {
        let same = event.kind == self.kind && event.properties.as_object() == Some(&self.properties);
        if same { Ok(Recorded { event, new: false }) } else { Err(taken()) }
    }

    /// The event that this makes. Its time is that of its arrival and not part of what is said, so that the same
    /// call again says the same.
    fn found(self, id: String, named: Named) -> Found {
        Found {
            id: Some(id),
            kind: self.kind.to_owned(),
            name: None,
            named,
            original_at: None,
            sent_at: None,
            corrected: true,
            properties: self.properties,
            traits: None,
            context: None,
            hint: None,
        }
    }
}

fn taken() -> Problem {
    Problem::new(
        Code::Conflict,
        "This Idempotency-Key belongs to another event of this lead. Send a new event under a new key.",
    )
}
