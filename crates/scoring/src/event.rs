//! Events: immutable facts about a lead.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::time::Instant;

/// The type of an event that adds points to the raw score: see [`crate::Adjustment`].
pub const SCORE_ADJUSTED: &str = "score_adjusted";
/// The type of an event from which on older events no longer count for rules on events, counts and
/// inactivity.
pub const ENGAGEMENT_RESET: &str = "engagement_reset";
/// The type of an event by which a person asks not to be contacted.
pub const DO_NOT_CONTACT_REQUESTED: &str = "do_not_contact_requested";
/// The type of an event by which somebody decides who caused another event.
pub const VERDICT_CHANGED: &str = "verdict_changed";

/// Types that never count as activity, because the lead itself did nothing.
///
/// They are decisions of people or of the service (`score_adjusted`, `engagement_reset`, consent, verdicts,
/// merges, qualification, outcomes) and events that carry only traits. Every other type counts as activity.
pub const NOT_ACTIVITY: [&str; 16] = [
    "alias",
    "consent_changed",
    ENGAGEMENT_RESET,
    "group",
    "identify",
    "lead_imported",
    "lead_merged",
    "lead_unmerged",
    "lead_updated",
    "lead_upserted",
    "outcome_lost",
    "outcome_opportunity",
    "outcome_won",
    "qualification_changed",
    SCORE_ADJUSTED,
    VERDICT_CHANGED,
];

/// Types that many senders use. The service itself makes some of them from reports of trackers, links and
/// e-mail providers. The others are named in its documentation and its default model.
pub const COMMON_TYPES: [&str; 28] = [
    "chat_started",
    "consultation_requested",
    "contact_sales_requested",
    "content_downloaded",
    "demo_requested",
    "do_not_contact_requested",
    "email_bounced",
    "email_clicked",
    "email_complained",
    "email_delivered",
    "email_opened",
    "email_subscribed",
    "email_unsubscribed",
    "event_attended",
    "event_registered",
    "form_submitted",
    "identify",
    "meeting_held",
    "page_left",
    "page_viewed",
    "proposal_requested",
    "referral_received",
    "screen_viewed",
    "signed_in",
    "signed_up",
    "trial_started",
    "webinar_attended",
    "webinar_registered",
];

/// Types that count as activity, although the person did nothing.
const NOT_BY_THE_PERSON: [&str; 2] = ["email_bounced", "email_delivered"];

/// Whether an event of this type counts as activity. All types but those in [`NOT_ACTIVITY`] do.
pub fn is_activity(kind: &str) -> bool {
    !NOT_ACTIVITY.contains(&kind)
}

/// Whether an event of this type is something that the person did.
pub fn is_own_activity(kind: &str) -> bool {
    is_activity(kind) && !NOT_BY_THE_PERSON.contains(&kind)
}

/// Who is thought to have caused an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A person.
    #[default]
    Human,
    /// Perhaps a machine. The event counts, but does not make a lead an MQL on its own.
    Suspect,
    /// A machine, such as a link scanner. The event never counts.
    Machine,
}

/// One event, as it stands in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Unique among the events of an identity; empty where events need not be told apart.
    #[serde(default)]
    pub id: String,
    /// What happened, in `snake_case`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When the event happened. The service may have received it much later.
    pub occurred_at: Instant,
    /// Who is thought to have caused the event; `human` if not given.
    #[serde(default)]
    pub verdict: Verdict,
    /// What the event says about itself. The conditions of rules on events read the properties.
    #[serde(default)]
    pub properties: Map<String, Value>,
    /// Attributes that the event sets on the profile; null removes an attribute. The key `derived` has what
    /// the service derived from the other traits when the event arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traits: Option<Map<String, Value>>,
}

impl Event {
    /// The same event, borrowed.
    pub fn as_ref(&self) -> EventRef<'_> {
        EventRef {
            id: &self.id,
            kind: &self.kind,
            occurred_at: self.occurred_at,
            verdict: self.verdict,
            properties: &self.properties,
            traits: self.traits.as_ref(),
        }
    }
}

/// A borrowed event: an [`Event`] without copies.
#[derive(Debug, Clone, Copy)]
pub struct EventRef<'a> {
    /// Unique among the events of an identity.
    pub id: &'a str,
    /// What happened, in `snake_case`.
    pub kind: &'a str,
    /// When the event happened.
    pub occurred_at: Instant,
    /// Who is thought to have caused the event.
    pub verdict: Verdict,
    /// What the event says about itself.
    pub properties: &'a Map<String, Value>,
    /// Attributes that the event sets on the profile; null removes an attribute.
    pub traits: Option<&'a Map<String, Value>>,
}

impl<'a> EventRef<'a> {
    /// Whether the event counts once it has occurred. An event with the verdict `machine` never counts.
    pub fn counts(&self) -> bool {
        self.verdict != Verdict::Machine
    }

    /// The event's traits; `None` if the event has no traits or does not count.
    pub fn facts(&self) -> Option<&'a Map<String, Value>> {
        self.traits.filter(|_| self.counts())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_and_traits_are_no_activity_and_a_delivery_is_not_the_persons_own() {
        assert!(is_activity("page_viewed") && is_own_activity("page_viewed"));
        assert!(is_activity("email_delivered") && !is_own_activity("email_delivered"));
        assert!(!is_activity("score_adjusted") && !is_own_activity("identify"));
    }

    #[test]
    fn an_event_is_human_and_bare_unless_said_otherwise() {
        let event: Event = serde_json::from_str(
            r#"{"id": "1", "type": "page_viewed", "occurred_at": "2026-03-01T00:00:00Z"}"#,
        )
        .unwrap();
        assert_eq!(event.verdict, Verdict::Human);
        assert!(event.properties.is_empty() && event.traits.is_none());
    }
}
