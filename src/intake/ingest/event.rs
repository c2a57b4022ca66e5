//! An event on its way to the log: what every shape that arrives is turned into.

use chrono::{DateTime, TimeDelta, Utc};
use scoring::event_type;
use serde_json::{Map, Value};

use super::{items::DEEPEST, rejection::Rejection};
use crate::{
    intake::verdicts::{self, Finding},
    leads::{identity::Named, validity},
    platform::{
        clock::to_instant,
        ids::{EventKey, IdentityId, KeyId, digest},
        json,
    },
};

/// How long an event's id may be, in bytes.
pub const LONGEST_EVENT_ID: usize = 512;
/// How far ahead of the service's clock an event may say it happened; up to this it counts as happening now.
pub const MOST_AHEAD_HOURS: i64 = 24;

/// In the place of a digest: what was said cannot be compared any more, so whatever comes under the event's id is taken for a
/// repetition.
pub const UNCOMPARED: i64 = 0;

/// What people give an address for: they send a form, sign up, ask for something. Of all else an address is not looked at where
/// nothing more is said of the person: a page view describes nobody, nor does what only happens to somebody, and attributes
/// with each of them would have the lead's profile written anew with each.
const HANDS_OVER: [&str; 12] = [
    "chat_started",
    "consultation_requested",
    "contact_sales_requested",
    "content_downloaded",
    "demo_requested",
    "email_subscribed",
    "event_registered",
    "form_submitted",
    "proposal_requested",
    "signed_up",
    "trial_started",
    "webinar_registered",
];

/// A valid event, ready for the log.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The sender's id of it.
    pub id: String,
    /// The id's hash: with the principal's, the key in the log.
    pub key: EventKey,
    /// What happened, in snake case.
    pub kind: String,
    /// What the sender called it, where that differs.
    pub name: Option<String>,
    /// Whom it names.
    pub named: Named,
    /// When it happened, corrected for the sender's clock, never after `received_at`.
    pub occurred_at: DateTime<Utc>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// When it happened, by the sender's clock.
    pub original_at: Option<DateTime<Utc>>,
    /// When it was sent, by the sender's clock.
    pub sent_at: Option<DateTime<Utc>>,
    /// Of what the sender said: tells a repetition from another event under the same id.
    pub digest: i64,
    /// What is particular to the type.
    pub properties: Map<String, Value>,
    /// What it says of the person, with what was derived from it.
    pub traits: Option<Map<String, Value>>,
    /// Circumstances: user agent, address, page.
    pub context: Option<Map<String, Value>>,
    /// What it gives away by itself of a machine that caused it.
    pub finding: Option<Finding>,
    /// Until when it is to wait before it counts.
    pub held_until: Option<DateTime<Utc>>,
    /// The key with which it came; none: it came by a signed link or from an e-mail provider.
    pub api_key: Option<KeyId>,
}

/// What a shape's parser found, before times are corrected and the digest is made.
#[derive(Debug)]
pub struct Found {
    /// The sender's id; none: one is made.
    pub id: Option<String>,
    /// What happened, in snake case.
    pub kind: String,
    /// What the sender called it, where that differs.
    pub name: Option<String>,
    /// Whom it names.
    pub named: Named,
    /// When it happened, by the sender's clock.
    pub original_at: Option<DateTime<Utc>>,
    /// When it was sent, by the sender's clock.
    pub sent_at: Option<DateTime<Utc>>,
    /// Whether the sender has corrected the clock already.
    pub corrected: bool,
    /// What is particular to the type.
    pub properties: Map<String, Value>,
    /// What it says of the person.
    pub traits: Option<Map<String, Value>>,
    /// Circumstances.
    pub context: Option<Map<String, Value>>,
    /// What whoever brought it knows of a machine that caused it, beside what the circumstances say.
    pub hint: Option<Finding>,
}

/// With which key and when something arrived.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// When.
    pub at: DateTime<Utc>,
    /// With which key, if with one.
    pub api_key: Option<KeyId>,
}

impl Found {
    /// Checks the times, corrects them, seals what was said with a digest, and records what follows from it.
    pub fn into_event(
        mut self,
        arrival: Arrival,
        fresh_id: impl FnOnce() -> String,
    ) -> Result<NewEvent, Rejection> {
        self.keep()?;
        let occurred_at = occurred_at(&self, arrival.at)?;
        let finding = self.hint.max(verdicts::of_event(&self.kind, &self.properties, self.context.as_ref()));
        let held_until =
            verdicts::held_until(&self.kind, verdicts::verdict(finding), occurred_at, arrival.at);
        let said = self.said();
        let address = self.named.email().filter(|_| self.describes());
        let traits = validity::record(self.traits, address);
        let id = match self.id {
            Some(id) => id,
            None => fresh_id(),
        };
        Ok(NewEvent {
            key: EventKey::of(&id),
            id,
            kind: self.kind,
            name: self.name,
            named: self.named,
            occurred_at,
            received_at: arrival.at,
            original_at: self.original_at,
            sent_at: self.sent_at,
            digest: i64::from_be_bytes([
                said[0], said[1], said[2], said[3], said[4], said[5], said[6], said[7],
            ]),
            properties: self.properties,
            traits,
            context: self.context,
            finding,
            held_until,
            api_key: arrival.api_key,
        })
    }

    /// Checks that what was said can be kept, whoever brought it, and puts it into the form in which it is read back: what
    /// is scored now is what a replay scores.
    fn keep(&mut self) -> Result<(), Rejection> {
        let objects = [Some(&mut self.properties), self.traits.as_mut(), self.context.as_mut()];
        objects.into_iter().flatten().try_for_each(|fields| json::storable_fields(fields, DEEPEST))?;
        Ok(())
    }

    /// Whether it says of a person who that is. Who is only named in passing, as an e-mail provider names whom it reports on,
    /// has not given an address here, not even by an `email_subscribed`; and a group's call describes the company.
    fn describes(&self) -> bool {
        let gives = self.named.creates() && HANDS_OVER.contains(&self.kind.as_str());
        gives || self.kind == "identify" || (self.traits.is_some() && self.kind != "group")
    }

    /// A digest of type, identities, time, properties and traits. Not of when it was sent or of circumstances:
    /// a retry may differ in those and is still the same event.
    pub fn said(&self) -> [u8; 32] {
        let named: Vec<String> = self.named.all().map(ToString::to_string).collect();
        let at = self.original_at.map(|at| at.timestamp_micros());
        let content = serde_json::json!([self.kind, self.name, named, at, self.properties, self.traits]);
        digest(&[content.to_string().as_bytes()])
    }
}

/// Refuses what has a call of its own, and what is no type in its form ([`event_type::form`]).
pub fn check_kind(kind: &str) -> Result<(), Rejection> {
    if kind == "alias" {
        let detail =
            "to join two ids, send an `identify` that names both, or use Segment's call, POST /v1/alias";
        return Err(Rejection::new("reserved_event_type", detail));
    }
    if !scoring::is_activity(kind) && !["identify", "group"].contains(&kind) {
        return Err(Rejection::new(
            "reserved_event_type",
            format!("`{kind}` has a call of its own, which asks for author and reason"),
        ));
    }
    if !event_type::is_type(kind) {
        let longest = event_type::LONGEST;
        return Err(Rejection::new(
            "invalid_event_type",
            format!("`type` is in snake_case (letters, digits and underscores), 1 to {longest} bytes"),
        ));
    }
    Ok(())
}

/// Refuses ids that could not be stored or shown.
pub fn check_id(id: &str) -> Result<(), Rejection> {
    if id.is_empty() || id.len() > LONGEST_EVENT_ID || id.chars().any(char::is_control) {
        let detail = format!("`id` has 1 to {LONGEST_EVENT_ID} bytes and no control characters");
        return Err(Rejection::new("invalid_id", detail));
    }
    Ok(())
}

/// Reads a date-time as RFC 3339 has it.
pub fn parse_time(field: &str, text: &str) -> Result<DateTime<Utc>, Rejection> {
    let instant = scoring::Instant::parse_rfc3339(text).map_err(|_| {
        Rejection::new("invalid_time", format!("`{field}` is a date-time such as 2026-11-21T10:00:00Z"))
    })?;
    let at = crate::platform::clock::to_utc(instant);
    let latest = DateTime::from_timestamp(4_102_444_800, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
    if at < DateTime::UNIX_EPOCH || at >= latest {
        return Err(Rejection::new(
            "time_out_of_range",
            format!("`{field}` lies between the years 1970 and 2100"),
        ));
    }
    Ok(at)
}

/// `received - (sent - original)`, so that a wrong clock cancels out; without a time of sending, what the
/// sender's clock said; without that, now. Never later than now.
fn occurred_at(found: &Found, received: DateTime<Utc>) -> Result<DateTime<Utc>, Rejection> {
    let at = match (found.original_at, found.sent_at) {
        (Some(original), Some(sent)) if !found.corrected => received - (sent - original),
        (Some(original), _) => original,
        (None, _) => received,
    };
    if found.sent_at.is_none() && at > received + TimeDelta::hours(MOST_AHEAD_HOURS) {
        return Err(Rejection::new(
            "time_out_of_range",
            format!("the event lies more than {MOST_AHEAD_HOURS} hours ahead"),
        ));
    }
    if at < DateTime::UNIX_EPOCH {
        return Err(Rejection::new("time_out_of_range", "the event happened before 1970".to_owned()));
    }
    Ok(at.min(received))
}

impl NewEvent {
    /// About how many bytes it says of the person.
    pub fn traits_size(&self) -> usize {
        let sizes = self.traits.iter().flatten().map(|(name, value)| name.len() + json::size(value));
        sizes.sum()
    }

    /// The mail of which the event says something, if it is of one.
    pub(super) fn mail(&self) -> Option<(IdentityId, &str)> {
        let message = self.properties.get("message_id")?.as_str()?;
        verdicts::is_of_mail(&self.kind).then_some((self.named.principal().id(), message))
    }

    /// The same event, of which whatever comes under its id later is taken for a repetition.
    #[must_use]
    pub fn uncompared(self) -> NewEvent {
        NewEvent { digest: UNCOMPARED, ..self }
    }

    /// Whether the event in the log that has its id and this digest is the same.
    pub(super) fn repeats(&self, digest: i64) -> bool {
        digest == self.digest || digest == UNCOMPARED
    }

    /// The event as the scoring core sees it.
    pub fn as_scored(&self) -> scoring::EventRef<'_> {
        scoring::EventRef {
            id: &self.id,
            kind: &self.kind,
            occurred_at: to_instant(self.occurred_at),
            verdict: verdicts::verdict(self.finding),
            properties: &self.properties,
            traits: self.traits.as_ref(),
        }
    }
}
