//! Who caused an event: a person, perhaps a machine, or a machine.
//!
//! *Finding*: a sign that shows a machine, or makes one likely. An event without a sign is a person's. Each finding
//! means one verdict, and of several the gravest counts. An event that a machine caused stays in the log and counts
//! for nothing.
//!
//! One event alone is judged by its user agent, by how it was fetched and by what its sender says of it: [`agents`].
//! The clicks that one address made in one mail are judged together: [`mails`]. The result is a function of the set
//! of the mail's events, so their order does not matter. With each new event the mail is judged again. If an event
//! gets another verdict, its lead is replayed in the same transaction.
//!
//! *Quarantine*: a suspect click waits for a moment ([`QUARANTINE`]) before it counts, because the signs of a machine
//! may still arrive. While it waits it counts for nothing. The sweep [`jobs::Release`] lets it go.
//!
//! *Decision*: what a person says about who caused an event. A decision is an event of its own in the log, and beats
//! every finding before or after it. Of two decisions the later one holds.

pub mod agents;
mod decision;
pub mod jobs;
mod mails;
mod store;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use scoring::Verdict;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use strum::{EnumString, IntoStaticStr};

pub use decision::{Decided, Decision};
pub use mails::is_of_mail;

use crate::platform::ids::{EventKey, IdentityId};

/// How long a suspect click waits, counted from when it happened.
pub const QUARANTINE: TimeDelta = TimeDelta::minutes(2);

/// A sign that a machine may have caused an event, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Finding {
    /// A link was followed without a user agent.
    NoAgent,
    /// A link was followed so soon after the delivery that few people could have read the mail.
    SoonAfterDelivery,
    /// A link was followed before or right at the delivery of the mail.
    BeforeDelivery,
    /// Several links of a mail were followed at the same time.
    SeveralLinks,
    /// A hidden link was followed, or another link of the same mail at about the same time.
    Honeypot,
    /// The sender says that a machine caused the event. E-mail providers know their proxies and scanners.
    Provider,
    /// A program prefetched the page or link before a person looked at it.
    Prefetch,
    /// A proxy fetched the pictures of a mail, whether or not a person reads the mail.
    MailProxy,
    /// The user agent belongs to a machine.
    Bot,
}

impl Finding {
    /// The verdict that the finding means.
    pub fn verdict(self) -> Verdict {
        match self {
            Finding::NoAgent | Finding::SoonAfterDelivery => Verdict::Suspect,
            _ => Verdict::Machine,
        }
    }

    /// The name of the finding, as stored and as in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Returns the finding of an event by itself: by its user agent, or because it is a click on a hidden link.
pub fn of_event(
    kind: &str,
    properties: &Map<String, Value>,
    context: Option<&Map<String, Value>>,
) -> Option<Finding> {
    let trapped = mails::is_click(kind) && properties.get("honeypot") == Some(&Value::Bool(true));
    trapped.then_some(Finding::Honeypot).max(agents::find(kind, agents::named(context)))
}

/// Returns until when an event with this verdict waits before it counts. `None` if it does not wait.
pub fn held_until(
    kind: &str,
    verdict: Verdict,
    occurred_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let waits = verdict == Verdict::Suspect && mails::is_click(kind);
    Some(occurred_at + QUARANTINE).filter(|end| waits && *end > now)
}

/// An event that counts differently than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// The identity of the event.
    pub identity_id: IdentityId,
    /// When the event happened.
    pub occurred_at: DateTime<Utc>,
}

/// Judges mails again whose events have just entered the log. Each mail is named by the address that got it
/// and by its id. Returns the events that count differently than before.
pub async fn judge_mails(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    mails: &[(IdentityId, &str)],
) -> sqlx::Result<Vec<Changed>> {
    let (mut changed, mut judged) = (Vec::new(), Vec::new());
    let mut by_mail: BTreeMap<(IdentityId, String), Vec<store::MailEvent>> = BTreeMap::new();
    for event in store::events_of_mails(conn, mails).await? {
        by_mail.entry((event.identity_id, event.message_id.clone())).or_default().push(event);
    }
    for events in by_mail.values() {
        let traces: Vec<mails::Trace<'_>> = events.iter().map(store::MailEvent::trace).collect();
        for (event, found) in events.iter().zip(mails::findings(&traces)) {
            let Some(judgement) = event.judgement(found, now) else { continue };
            if judgement.counts_otherwise(event) {
                changed.push(Changed { identity_id: event.identity_id, occurred_at: event.occurred_at });
            }
            judged.push(judgement);
        }
    }
    store::judge(conn, &judged).await?;
    Ok(changed)
}

/// The new judgement of a stored event.
#[derive(Debug)]
struct Judgement {
    identity_id: IdentityId,
    event_key: EventKey,
    finding: Option<Finding>,
    held_until: Option<DateTime<Utc>>,
}

impl store::MailEvent {
    /// Returns the new judgement of the event: the gravest of its own finding and the mail's. `None` if
    /// nothing changes, or if a person has decided.
    fn judgement(&self, found: Option<Finding>, now: DateTime<Utc>) -> Option<Judgement> {
        let finding = self.found.as_deref().and_then(|word| word.parse().ok()).max(found);
        let held_until = held_until(&self.kind, verdict(finding), self.occurred_at, now);
        let known = finding.map(Finding::as_str) == self.verdict_reason.as_deref();
        let new = !known || held_until != self.held_until;
        (new && !self.decided).then_some(Judgement {
            identity_id: self.identity_id,
            event_key: self.event_key,
            finding,
            held_until,
        })
    }
}

impl Judgement {
    /// Whether the event counts differently under this judgement.
    fn counts_otherwise(&self, before: &store::MailEvent) -> bool {
        word(verdict(self.finding)) != before.verdict
            || self.held_until.is_some() != before.held_until.is_some()
    }
}

/// Returns the verdict that a finding means. Without a finding, the verdict is `human`.
pub fn verdict(finding: Option<Finding>) -> Verdict {
    finding.map_or(Verdict::Human, Finding::verdict)
}

/// The name of a verdict, as stored and as in the API.
pub fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Human => "human",
        Verdict::Suspect => "suspect",
        Verdict::Machine => "machine",
    }
}
