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

/// For how long after it happened a suspect click waits.
pub const QUARANTINE: TimeDelta = TimeDelta::minutes(2);

/// What speaks against a person, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Finding {
    /// A link was followed by something that does not say what it is.
    NoAgent,
    /// A link was followed so soon after the mail came in that hardly anybody can have read it.
    SoonAfterDelivery,
    /// A link was followed before the mail had come in, or at that moment.
    BeforeDelivery,
    /// Several links of a mail were followed at once.
    SeveralLinks,
    /// A link was followed that no person sees, or one of the same mail at about that time.
    Honeypot,
    /// The sender says that it was a machine: a mail provider knows its proxies and scanners.
    Provider,
    /// Fetched before anybody looked at it.
    Prefetch,
    /// A proxy that fetches a mail's pictures, whether anybody reads the mail or not.
    MailProxy,
    /// The user agent is that of a machine.
    Bot,
}

impl Finding {
    /// What it means.
    pub fn verdict(self) -> Verdict {
        match self {
            Finding::NoAgent | Finding::SoonAfterDelivery => Verdict::Suspect,
            _ => Verdict::Machine,
        }
    }

    /// The word for it, as stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What an event gives away by itself: by its user agent, or because only a machine sees the link that it followed.
pub fn of_event(
    kind: &str,
    properties: &Map<String, Value>,
    context: Option<&Map<String, Value>>,
) -> Option<Finding> {
    let trapped = mails::is_click(kind) && properties.get("honeypot") == Some(&Value::Bool(true));
    trapped.then_some(Finding::Honeypot).max(agents::find(kind, agents::named(context)))
}

/// Until when an event waits of which this is thought, if it has to.
pub fn held_until(
    kind: &str,
    verdict: Verdict,
    occurred_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let waits = verdict == Verdict::Suspect && mails::is_click(kind);
    Some(occurred_at + QUARANTINE).filter(|end| waits && *end > now)
}

/// An event that is judged otherwise than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// On whom it hangs.
    pub identity_id: IdentityId,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
}

/// Looks again at mails of which events have just entered the log, each as an address got it and by its id. What comes
/// back are the events that count otherwise than they did.
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

/// What is thought of a stored event now.
#[derive(Debug)]
struct Judgement {
    identity_id: IdentityId,
    event_key: EventKey,
    finding: Option<Finding>,
    held_until: Option<DateTime<Utc>>,
}

impl store::MailEvent {
    /// What is to be thought of the event, if that is anything new: the gravest of what it and its mail give away.
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
    fn counts_otherwise(&self, before: &store::MailEvent) -> bool {
        word(verdict(self.finding)) != before.verdict
            || self.held_until.is_some() != before.held_until.is_some()
    }
}

/// The verdict that a finding means; a person's, if there is none.
pub fn verdict(finding: Option<Finding>) -> Verdict {
    finding.map_or(Verdict::Human, Finding::verdict)
}

/// The word for a verdict, as stored.
pub fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Human => "human",
        Verdict::Suspect => "suspect",
        Verdict::Machine => "machine",
    }
}
