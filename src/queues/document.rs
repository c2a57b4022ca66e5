//! A queue as people write it: checked, with the place of each mistake, and then ready to be used.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use scoring::{Mistake, Mistakes, Span, condition::Condition};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    hours::{Hours, OpeningHours},
    order::{Key, Order},
    selection::{Mark, Picker, Selection},
};
use crate::leads::Stage;

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

/// Reads a condition. One of a document that was accepted once means what it meant then.
pub(super) fn condition(said: &Value, pointer: &str, mistakes: &mut Mistakes) -> Option<Condition> {
    let read = if mistakes.are_of_stored() { Condition::parse_stored(said) } else { Condition::parse(said) };
    read.map_err(|found| mistakes.add_below(pointer, found)).ok()
}

/// Reads a duration.
pub(super) fn span(text: &str, pointer: &str, mistakes: &mut Mistakes) -> Option<TimeDelta> {
    match text.parse::<Span>().map(|span| TimeDelta::microseconds(span.0)) {
        Ok(span) if span <= LONGEST => Some(span),
        Ok(_) => mistakes.wrong(pointer, "out_of_range", "write a duration of at most 366d"),
        Err(error) => mistakes.wrong(pointer, "invalid_duration", error.to_string()),
    }
}

/// Reads the name of a time zone.
pub(super) fn zone(text: &str, pointer: &str, mistakes: &mut Mistakes) -> Option<Tz> {
    text.parse().ok().or_else(|| {
        let message = format!("`{text}` is no IANA time zone; write one such as Europe/Berlin");
        mistakes.wrong(pointer, "unknown_timezone", message)
    })
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
    pub(super) fn ready(self, name: &str, at: DateTime<Utc>) -> Result<(Document, Queue), Vec<Mistake>> {
        self.ready_with(name, at, Mistakes::default())
    }

    /// The same of a document that was accepted once, perhaps when less was refused.
    pub(super) fn ready_as_stored(
        self,
        name: &str,
        at: DateTime<Utc>,
    ) -> Result<(Document, Queue), Vec<Mistake>> {
        self.ready_with(name, at, Mistakes::of_stored())
    }

    fn ready_with(
        mut self,
        name: &str,
        at: DateTime<Utc>,
        mut mistakes: Mistakes,
    ) -> Result<(Document, Queue), Vec<Mistake>> {
        self.filter.stage.get_or_insert_with(|| vec![Stage::Mql]);
        let queue = self.read(name, at, &mut mistakes);
        mistakes.unless_any(queue).map(|queue| (self, queue))
    }

    fn read(&self, name: &str, at: DateTime<Utc>, mistakes: &mut Mistakes) -> Option<Queue> {
        let filter = self.filter.ready("/filter", mistakes);
        let tiers = self.tiers(mistakes);
        let length = span(&self.claims.length, "/claims/length", mistakes);
        let rest = span(&self.claims.rest, "/claims/rest", mistakes);
        let caps = [("most_at_once", self.claims.most_at_once), ("most_a_day", self.claims.most_a_day)];
        for (key, _) in caps.iter().filter(|(_, cap)| *cap == Some(0)) {
            let message = "write a number above 0, or leave it out for any number";
            mistakes.add(format!("/claims/{key}"), "out_of_range", message);
        }
        let zone = zone(&self.timezone, "/timezone", mistakes);
        let hours = self.hours.as_ref().map(|hours| hours.ready(zone.unwrap_or(Tz::UTC), mistakes));
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
    fn never_reached(&self, n: usize, tier: &Tier, mistakes: &mut Mistakes) {
        if mistakes.are_of_stored() {
            return;
        }
        for key in tier.when.apart_from(&self.filter) {
            let message = format!("name some of those in /filter/{key}; no other lead is in the queue");
            mistakes.add(format!("/tiers/{n}/when/{key}"), "never_met", message);
        }
        let before = n.checked_sub(1).and_then(|before| self.tiers.get(before));
        if before.is_some_and(|before| before.when.is_empty()) {
            let message = format!("write this tier before /tiers/{}, which takes everybody", n - 1);
            mistakes.add(format!("/tiers/{n}"), "never_met", message);
        }
    }

    fn tiers(&self, mistakes: &mut Mistakes) -> Option<Vec<ReadyTier>> {
        if self.tiers.is_empty() || self.tiers.len() > MOST_TIERS {
            return mistakes.wrong("/tiers", "out_of_range", format!("write 1 to {MOST_TIERS} tiers"));
        }
        let mut names = BTreeSet::new();
        let mut ready = Vec::with_capacity(self.tiers.len());
        for (n, tier) in self.tiers.iter().enumerate() {
            if tier.name.trim().is_empty() || !names.insert(tier.name.as_str()) {
                let message = "give the tier a name of its own";
                mistakes.add(format!("/tiers/{n}/name"), "invalid_name", message);
            }
            self.never_reached(n, tier, mistakes);
            let when = tier.when.ready(&format!("/tiers/{n}/when"), mistakes);
            let order = Order::of(&tier.order).or_else(|message| {
                mistakes.wrong(format!("/tiers/{n}/order"), "invalid_order", message).ok_or(())
            });
            if let (Some(when), Ok(order)) = (when, order) {
                ready.push(ReadyTier { name: tier.name.clone(), when, order });
            }
        }
        (ready.len() == self.tiers.len()).then_some(ready)
    }
}
