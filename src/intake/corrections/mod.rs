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

/// An event of the log.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LoggedEvent {
    /// The id that the sender gave the event.
    pub id: String,
    /// The type of the event, in `snake_case`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When the event happened.
    pub occurred_at: DateTime<Utc>,
    /// When the service received the event.
    pub received_at: DateTime<Utc>,
    /// What the event says about itself.
    pub properties: Value,
    /// Who caused the event, as the service or a person judged: `human`, `suspect` or `machine`.
    pub verdict: String,
    /// Why the verdict is this one: the name of the finding, or author and reason of a person's decision.
    /// Null if there is neither.
    pub verdict_reason: Option<String>,
    /// Until when the event waits before it counts. Null if it does not wait.
    pub held_until: Option<DateTime<Utc>>,
}

/// A correction of a lead by a person.
#[derive(Debug)]
pub(crate) struct Correction {
    /// The type of the event: `score_adjusted`, `engagement_reset`, `verdict_changed`, `consent_changed` or
    /// `do_not_contact_requested`.
    pub(crate) kind: &'static str,
    /// The properties of the event: author, reason, and what belongs to the type. They are in a normal form,
    /// so that repetitions compare equal.
    pub(crate) properties: Map<String, Value>,
    /// The caller's idempotency key.
    pub(crate) id: Option<String>,
    /// The API key of the call.
    pub(crate) api_key: KeyId,
}

/// The result of a correction.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The event in the log.
    pub(crate) event: LoggedEvent,
    /// Whether this call recorded it. False for a repetition.
    pub(crate) new: bool,
}

/// Returns what was recorded under the correction's idempotency key, if the key was used for this lead
/// before.
///
/// # Errors
/// A conflict if another correction was recorded under the key.
pub(crate) async fn recorded(
    intake: &Intake,
    lead: LeadId,
    correction: &Correction,
) -> Result<Option<Recorded>, Problem> {
    let Some(id) = &correction.id else { return Ok(None) };
    let found = store::event(&mut *intake.db.acquire().await?, lead, EventKey::of(id)).await?;
    found.map(|event| correction.is(event)).transpose()
}

/// Records a correction of a lead. The lead is scored when this returns.
///
/// `asked` is the lead that the caller named: the lead itself, or a lead that was merged into it.
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
    // The same call came twice at the same time, and the other call was first.
    let event = store::event(&mut *intake.db.acquire().await?, lead, key).await?.ok_or_else(taken)?;
    Ok(Recorded { event, new: false })
}

impl LoggedEvent {
    /// The event as the writers append it, with the verdict `human`.
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
    /// Returns the event of an earlier call under the same key, if that call said the same. Otherwise fails
    /// with a conflict.
    fn is(&self, event: LoggedEvent) -> Result<Recorded, Problem> {
        let same = event.kind == self.kind && event.properties.as_object() == Some(&self.properties);
        if same { Ok(Recorded { event, new: false }) } else { Err(taken()) }
    }

    /// The event of this correction. Its time is the time of arrival. The caller does not give a time, so a
    /// repeated call says the same.
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
