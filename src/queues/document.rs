//! A queue as people write it: checked, with the place of each mistake, and then ready to be used.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use scoring::{Mistake, Span, condition::Condition};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    hours::{Hours, OpeningHours},
    order::{Key, Order},
    selection::{Mark, Picker, Selection},
};
use crate::{http::problem::Violation, leads::Stage};

/// How many tiers a queue may have.
const MOST_TIERS: usize = 16;
/// How long a claim lasts, or a lead rests, at most.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// A queue: who is in it, in what order, and how its leads are handed out.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueueDocument)]
pub(super) struct Document {
    /// What the queue is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    /// Who is in it. Without `stage`: leads at stage `mql`. Never in any queue are those who asked not to be contacted,
    /// and those who are MQLs only because a newly published model counts otherwise.
    #[serde(default)]
    pub(super) filter: Selection,
    /// Tried in this order; a lead belongs to the first whose `when` it meets, and is not in the queue if it meets none.
    #[serde(default = "asked_first")]
    pub(super) tiers: Vec<Tier>,
    /// How leads are handed out.
    #[serde(default)]
    pub(super) claims: Claims,
    /// The IANA time zone in which a rep's day begins, and in which leads live who do not say where they do.
    #[serde(default = "utc")]
    pub(super) timezone: String,
    /// When leads may be called, in their own time; absent: at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hours: Option<OpeningHours>,
}

/// Some of a queue's leads, which come before those of the tiers after it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueueTier)]
pub(super) struct Tier {
    /// What the reasons for a place call it.
    pub(super) name: String,
    /// Whom it takes; absent: everybody.
    #[serde(default, skip_serializing_if = "Selection::is_empty")]
    pub(super) when: Selection,
    /// What its leads are ordered by: `score`, `raw`, `fit`, `engagement`, `hand_raised_at`, `first_seen_at`, `created_at`,
    /// `last_activity_at`, `waiting_since`, `contacted_at` or `callback_at`, with `-` in front for the greatest or latest
    /// first. A lead that has none comes last. Ties: the better score, then the higher raw score, then the lead that first
    /// did something last.
    #[serde(default = "default_keys")]
    #[schema(value_type = Vec<String>)]
    pub(super) order: Vec<Key>,
}

/// How a queue's leads are handed out.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = QueueClaims)]
pub(super) struct Claims {
    /// How long a claim lasts, such as `30m`.
    pub(super) length: String,
    /// How long a lead rests after it was worked, if no callback was promised.
    pub(super) rest: String,
    /// How many leads a rep may hold at once; absent: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) most_at_once: Option<u32>,
    /// How many leads a rep is handed a day, whatever became of them; absent: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) most_a_day: Option<u32>,
}

impl Default for Claims {
    fn default() -> Claims {
        Claims { length: "30m".to_owned(), rest: "1d".to_owned(), most_at_once: None, most_a_day: None }
    }
}

fn asked_first() -> Vec<Tier> {
    let asked = Selection { is: vec![Mark::HandRaised], ..Selection::default() };
    vec![
        Tier { name: "asked for sales".to_owned(), when: asked, order: vec![Key::NEWEST_ASKED] },
        Tier { name: "by score".to_owned(), when: Selection::default(), order: default_keys() },
    ]
}

fn default_keys() -> Vec<Key> {
    Key::DEFAULT.to_vec()
}

fn utc() -> String {
    "UTC".to_owned()
}

/// What is wrong with a document.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) found: Vec<Violation>,
    /// The document was accepted once, and its conditions mean what they meant then.
    stored: bool,
}

impl Faults {
    /// Reads a condition.
    pub(super) fn condition(&self, said: &Value) -> Result<Condition, Vec<Mistake>> {
        if self.stored { Condition::parse_stored(said) } else { Condition::parse(said) }
    }

    /// Notes a mistake and gives nothing back.
    pub(super) fn add<T>(
        &mut self,
        pointer: impl Into<String>,
        code: &str,
        message: impl Into<String>,
    ) -> Option<T> {
        self.found.push(Violation {
            pointer: pointer.into(),
            code: code.to_owned(),
            message: message.into(),
        });
        None
    }

    /// Reads a duration.
    pub(super) fn span(&mut self, text: &str, pointer: &str) -> Option<TimeDelta> {
        match text.parse::<Span>().map(|span| TimeDelta::microseconds(span.0)) {
            Ok(span) if span <= LONGEST => Some(span),
            Ok(_) => self.add(pointer, "out_of_range", "write a duration of at most 366d"),
            Err(error) => self.add(pointer, "invalid_duration", error.to_string()),
        }
    }

    /// Reads the name of a time zone.
    pub(super) fn zone(&mut self, text: &str, pointer: &str) -> Option<Tz> {
        text.parse().ok().or_else(|| {
            let message = format!("`{text}` is no IANA time zone; write one such as Europe/Berlin");
            self.add(pointer, "unknown_timezone", message)
        })
    }
}

/// A queue, ready to be used.
#[derive(Debug)]
pub(super) struct Queue {
    /// What it is called.
    pub(super) name: String,
    /// When its document was last changed.
    pub(super) updated_at: DateTime<Utc>,
    /// Who is in it.
    pub(super) filter: Picker,
    /// In the order in which they are tried.
    pub(super) tiers: Vec<ReadyTier>,
    /// How long a claim lasts.
    pub(super) length: TimeDelta,
    /// How long a lead rests after it was worked.
    pub(super) rest: TimeDelta,
    /// How many leads a rep may hold at once.
    pub(super) most_at_once: Option<u32>,
    /// How many leads a rep is handed a day.
    pub(super) most_a_day: Option<u32>,
    /// Where a rep's day begins.
    pub(super) zone: Tz,
    /// When leads may be called.
    pub(super) hours: Option<Hours>,
}

/// A tier, ready to be used.
#[derive(Debug)]
pub(super) struct ReadyTier {
    pub(super) name: String,
    pub(super) when: Picker,
    pub(super) order: Order,
}

impl Document {
    /// The document with what it leaves out written down, and the queue that it describes; or every mistake in it.
    pub(super) fn ready(self, name: &str, at: DateTime<Utc>) -> Result<(Document, Queue), Vec<Violation>> {
        self.ready_with(name, at, Faults::default())
    }

    /// The same of a document that was accepted once, perhaps when less was refused.
    pub(super) fn ready_as_stored(
        self,
        name: &str,
        at: DateTime<Utc>,
    ) -> Result<(Document, Queue), Vec<Violation>> {
        self.ready_with(name, at, Faults { stored: true, ..Faults::default() })
    }

    fn ready_with(
        mut self,
        name: &str,
        at: DateTime<Utc>,
        mut faults: Faults,
    ) -> Result<(Document, Queue), Vec<Violation>> {
        self.filter.stage.get_or_insert_with(|| vec![Stage::Mql]);
        let queue = self.read(name, at, &mut faults);
        match queue {
            Some(queue) if faults.found.is_empty() => Ok((self, queue)),
            _ => Err(faults.found),
        }
    }

    fn read(&self, name: &str, at: DateTime<Utc>, faults: &mut Faults) -> Option<Queue> {
        let filter = self.filter.ready("/filter", faults);
        let tiers = self.tiers(faults);
        let length = faults.span(&self.claims.length, "/claims/length");
        let rest = faults.span(&self.claims.rest, "/claims/rest");
        let caps = [("most_at_once", self.claims.most_at_once), ("most_a_day", self.claims.most_a_day)];
        for (key, _) in caps.iter().filter(|(_, cap)| *cap == Some(0)) {
            let message = "write a number above 0, or leave it out for any number";
            faults.add::<()>(format!("/claims/{key}"), "out_of_range", message);
        }
        let zone = faults.zone(&self.timezone, "/timezone");
        let hours = self.hours.as_ref().map(|hours| hours.ready(zone.unwrap_or(Tz::UTC), faults));
        Some(Queue {
            name: name.to_owned(),
            updated_at: at,
            filter: filter?,
            tiers: tiers?,
            length: length?,
            rest: rest?,
            most_at_once: self.claims.most_at_once,
            most_a_day: self.claims.most_a_day,
            zone: zone?,
            hours: hours.map_or(Some(None), |hours| hours.map(Some))?,
        })
    }

    /// Notes why no lead can be of a tier: the filter leaves out all whom it takes, or the tier before it takes everybody.
    fn never_reached(&self, n: usize, tier: &Tier, faults: &mut Faults) {
        if faults.stored {
            return;
        }
        for key in tier.when.apart_from(&self.filter) {
            let message = format!("name some of those in /filter/{key}; no other lead is in the queue");
            faults.add::<()>(format!("/tiers/{n}/when/{key}"), "never_met", message);
        }
        let before = n.checked_sub(1).and_then(|before| self.tiers.get(before));
        if before.is_some_and(|before| before.when.is_empty()) {
            let message = format!("write this tier before /tiers/{}, which takes everybody", n - 1);
            faults.add::<()>(format!("/tiers/{n}"), "never_met", message);
        }
    }

    fn tiers(&self, faults: &mut Faults) -> Option<Vec<ReadyTier>> {
        if self.tiers.is_empty() || self.tiers.len() > MOST_TIERS {
            return faults.add("/tiers", "out_of_range", format!("write 1 to {MOST_TIERS} tiers"));
        }
        let mut names = BTreeSet::new();
        let mut ready = Vec::with_capacity(self.tiers.len());
        for (n, tier) in self.tiers.iter().enumerate() {
            if tier.name.trim().is_empty() || !names.insert(tier.name.as_str()) {
                let message = "give the tier a name of its own";
                faults.add::<()>(format!("/tiers/{n}/name"), "invalid_name", message);
            }
            self.never_reached(n, tier, faults);
            let when = tier.when.ready(&format!("/tiers/{n}/when"), faults);
            let order = Order::of(&tier.order).or_else(|message| {
                faults.add(format!("/tiers/{n}/order"), "invalid_order", message).ok_or(())
            });
            if let (Some(when), Ok(order)) = (when, order) {
                ready.push(ReadyTier { name: tier.name.clone(), when, order });
            }
        }
        (ready.len() == self.tiers.len()).then_some(ready)
    }
}
