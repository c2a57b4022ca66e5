//! Events on their way to the log. Every shape that arrives is turned into a [`NewEvent`].

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
/// How many hours ahead of the service's clock an event's time may be. An event up to that far ahead counts
/// as happening now.
pub const MOST_AHEAD_HOURS: i64 = 24;

/// The digest of an event whose content can no longer be compared. Whatever arrives under such an event's id
/// counts as a repetition.
pub const UNCOMPARED: i64 = 0;

/// The types by which people give their address: they send a form, sign up or ask for something.
///
/// Attributes are derived from the address of these events. For other types they are not, unless the event
/// has traits: a page view does not describe the person, and deriving attributes each time would write the
/// lead's profile each time.
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
    /// The id that the sender gave the event.
    pub id: String,
    /// The hash of the id. With the id of the principal identity, it is the key in the log.
    pub key: EventKey,
    /// The type, in `snake_case`.
    pub kind: String,
    /// The name that the sender gave the event, if that differs from the type.
    pub name: Option<String>,
    /// The identities that the event names.
    pub named: Named,
    /// When the event happened, corrected for the sender's clock. Never after `received_at`.
    pub occurred_at: DateTime<Utc>,
    /// When the service received the event.
    pub received_at: DateTime<Utc>,
    /// When the event happened, by the sender's clock.
    pub original_at: Option<DateTime<Utc>>,
    /// When the event was sent, by the sender's clock.
    pub sent_at: Option<DateTime<Utc>>,
    /// A digest of the content. It tells a repetition from another event under the same id.
    pub digest: i64,
    /// What the event says about itself.
    pub properties: Map<String, Value>,
    /// What the event says about the person, with derived attributes.
    pub traits: Option<Map<String, Value>>,
    /// The circumstances: user agent, IP address, page.
    pub context: Option<Map<String, Value>>,
    /// The sign of a machine that the event shows by itself.
    pub finding: Option<Finding>,
    /// Until when the event waits before it counts.
    pub held_until: Option<DateTime<Utc>>,
    /// The API key of the request. `None`: the event came by a signed link or from an e-mail provider.
    pub api_key: Option<KeyId>,
}

/// A parsed event, before its times are corrected and its digest is made.
#[derive(Debug)]
pub struct Found {
    /// The id that the sender gave. `None`: a new id is made.
    pub id: Option<String>,
    /// The type, in `snake_case`.
    pub kind: String,
    /// The name that the sender gave the event, if that differs from the type.
    pub name: Option<String>,
    /// The identities that the event names.
    pub named: Named,
    /// When the event happened, by the sender's clock.
    pub original_at: Option<DateTime<Utc>>,
    /// When the event was sent, by the sender's clock.
    pub sent_at: Option<DateTime<Utc>>,
    /// Whether `original_at` is right already, so that it must not be corrected by `sent_at`.
    pub corrected: bool,
    /// What the event says about itself.
    pub properties: Map<String, Value>,
    /// What the event says about the person.
    pub traits: Option<Map<String, Value>>,
    /// The circumstances.
    pub context: Option<Map<String, Value>>,
    /// The sign of a machine that the reader of the request knows, besides what the context shows.
    pub hint: Option<Finding>,
}

/// When a request arrived, and with which key.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// When the request arrived.
    pub at: DateTime<Utc>,
    /// The API key of the request, if it had one.
    pub api_key: Option<KeyId>,
}

impl Found {
    /// Makes the event for the log: checks and corrects the times, makes the digest, judges the event by
    /// itself, and derives attributes.
    ///
    /// # Errors
    /// A [`Rejection`] if a time is out of range or the content cannot be stored.
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

    /// Checks that the content can be stored, and brings it into the form in which it is read back. So what
    /// is scored now is what a replay scores.
    fn keep(&mut self) -> Result<(), Rejection> {
        let objects = [Some(&mut self.properties), self.traits.as_mut(), self.context.as_mut()];
        objects.into_iter().flatten().try_for_each(|fields| json::storable_fields(fields, DEEPEST))?;
        Ok(())
    }

    /// Whether the event describes the person, so that attributes are derived from the address.
    ///
    /// A person named in passing, as in a provider's report, has not given an address here. A `group` call
    /// describes the company.
    fn describes(&self) -> bool {
        let gives = self.named.creates() && HANDS_OVER.contains(&self.kind.as_str());
        gives || self.kind == "identify" || (self.traits.is_some() && self.kind != "group")
    }

    /// A digest of type, name, identities, time, properties and traits. The time of sending and the context
    /// are left out, because a retry may differ in them and is still the same event.
    pub fn said(&self) -> [u8; 32] {
        let named: Vec<String> = self.named.all().map(ToString::to_string).collect();
        let at = self.original_at.map(|at| at.timestamp_micros());
        let content = serde_json::json!([self.kind, self.name, named, at, self.properties, self.traits]);
        digest(&[content.to_string().as_bytes()])
    }
}

/// Refuses types that have their own call, and texts that are not a type in normal form
/// ([`event_type::form`]).
pub fn check_kind(kind: &str) -> Result<(), Rejection> {
    if kind == "alias" {
        let detail =
            "to join two ids, send an `identify` that names both, or use Segment's call, POST /v1/alias";
        return Err(Rejection::new("reserved_event_type", detail));
    }
    if !scoring::is_activity(kind) && !["identify", "group"].contains(&kind) {
        return Err(Rejection::new(
            "reserved_event_type",
            format!(
                "`{kind}` cannot be sent as an event; use its own call, which asks for author and reason"
            ),
        ));
    }
    if !event_type::is_type(kind) {
        let longest = event_type::LONGEST;
        return Err(Rejection::new(
            "invalid_event_type",
            format!("`type` must be in snake_case (letters, digits and underscores), 1 to {longest} bytes"),
        ));
    }
    Ok(())
}

/// Refuses ids that cannot be stored or shown.
pub fn check_id(id: &str) -> Result<(), Rejection> {
    if id.is_empty() || id.len() > LONGEST_EVENT_ID || id.chars().any(char::is_control) {
        let detail = format!("`id` must have 1 to {LONGEST_EVENT_ID} bytes and no control characters");
        return Err(Rejection::new("invalid_id", detail));
    }
    Ok(())
}

/// Parses a date-time in the format of RFC 3339. It must lie in the years 1970 to 2099.
pub fn parse_time(field: &str, text: &str) -> Result<DateTime<Utc>, Rejection> {
    let instant = scoring::Instant::parse_rfc3339(text).map_err(|_| {
        Rejection::new("invalid_time", format!("`{field}` must be a date-time such as 2026-11-21T10:00:00Z"))
    })?;
    let at = crate::platform::clock::to_utc(instant);
    let latest = DateTime::from_timestamp(4_102_444_800, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
    if at < DateTime::UNIX_EPOCH || at >= latest {
        return Err(Rejection::new(
            "time_out_of_range",
            format!("`{field}` must lie in the years 1970 to 2099"),
        ));
    }
    Ok(at)
}

/// Returns when the event happened, never later than `received`.
///
/// With a time of sending, this is `received - (sent - original)`, so an error of the sender's clock cancels
/// out. Without a time of sending, it is what the sender's clock said. Without any time, it is `received`.
fn occurred_at(found: &Found, received: DateTime<Utc>) -> Result<DateTime<Utc>, Rejection> {
    let at = match (found.original_at, found.sent_at) {
        (Some(original), Some(sent)) if !found.corrected => received - (sent - original),
        (Some(original), _) => original,
        (None, _) => received,
    };
    if found.sent_at.is_none() && at > received + TimeDelta::hours(MOST_AHEAD_HOURS) {
        return Err(Rejection::new(
            "time_out_of_range",
            format!("the event's time is more than {MOST_AHEAD_HOURS} hours in the future"),
        ));
    }
    if at < DateTime::UNIX_EPOCH {
        return Err(Rejection::new(
            "time_out_of_range",
            "the event's time, corrected by `sent_at`, is before 1970".to_owned(),
        ));
    }
    Ok(at.min(received))
}

impl NewEvent {
    /// The approximate size of the traits, in bytes.
    pub fn traits_size(&self) -> usize {
        let sizes = self.traits.iter().flatten().map(|(name, value)| name.len() + json::size(value));
        sizes.sum()
    }

    /// The mail that the event belongs to, if it belongs to one: the address that got it, and the id of the
    /// mail.
    pub(super) fn mail(&self) -> Option<(IdentityId, &str)> {
        let message = self.properties.get("message_id")?.as_str()?;
        verdicts::is_of_mail(&self.kind).then_some((self.named.principal().id(), message))
    }

    /// The same event without its digest: whatever arrives under its id later counts as a repetition.
    #[must_use]
    pub fn uncompared(self) -> NewEvent {
        NewEvent { digest: UNCOMPARED, ..self }
    }

    /// Whether the event in the log with the same id and this digest is the same event.
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
