//! Events: immutable facts about a lead.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::time::Instant;

/// Adds points to the raw score until it expires.
pub const SCORE_ADJUSTED: &str = "score_adjusted";
/// Cuts off what is older from the rules on events.
pub const ENGAGEMENT_RESET: &str = "engagement_reset";
/// The person asked not to be contacted.
pub const DO_NOT_CONTACT_REQUESTED: &str = "do_not_contact_requested";
/// A person decided who caused an event.
pub const VERDICT_CHANGED: &str = "verdict_changed";

/// Types that are recorded as events but are nothing that a lead did: they never count as activity.
///
/// What people and the service decide (`score_adjusted`, `engagement_reset`, consent, verdicts, merges,
/// qualification, outcomes), and the events that carry nothing but traits. This is the only such list.
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

/// Types that many senders use: those that the service makes itself of what trackers, links and e-mail providers tell, and
/// those that its documentation and its default model name.
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

/// Activity that happens to a person rather than being done by one.
const NOT_BY_THE_PERSON: [&str; 2] = ["email_bounced", "email_delivered"];

/// Whether an event of this type counts as activity: all do but those in [`NOT_ACTIVITY`].
pub fn is_activity(kind: &str) -> bool {
    !NOT_ACTIVITY.contains(&kind)
}

/// Whether an event of this type is something that the person itself did.
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
    /// Perhaps a machine: it counts, but opens no MQL by itself.
    Suspect,
    /// A machine, such as a link scanner: it never counts.
    Machine,
}

/// One event, as it stands in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Unique among the lead's events; empty where nobody has to tell them apart.
    #[serde(default)]
    pub id: String,
    /// What happened, in `snake_case`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened, which may be long before it was received.
    pub occurred_at: Instant,
    /// Human unless said otherwise.
    #[serde(default)]
    pub verdict: Verdict,
    /// What the conditions of rules on events read.
    #[serde(default)]
    pub properties: Map<String, Value>,
    /// Attributes that the event sets on the profile; null removes one. What was derived from them when it arrived stands
    /// among them, under `derived`.
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

/// A borrowed event, for paths where copying would cost.
#[derive(Debug, Clone, Copy)]
pub struct EventRef<'a> {
    /// Unique among the lead's events.
    pub id: &'a str,
    /// What happened, in `snake_case`.
    pub kind: &'a str,
    /// When it happened.
    pub occurred_at: Instant,
    /// Who is thought to have caused it.
    pub verdict: Verdict,
    /// What the conditions of rules on events read.
    pub properties: &'a Map<String, Value>,
    /// Attributes that the event sets on the profile.
    pub traits: Option<&'a Map<String, Value>>,
}

impl<'a> EventRef<'a> {
    /// Whether it counts once it has occurred: what a machine did never does.
    pub fn counts(&self) -> bool {
        self.verdict != Verdict::Machine
    }

    /// What it states of the profile: its traits, if it counts.
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
