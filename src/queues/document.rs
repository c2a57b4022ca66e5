//! The document of a queue as people write it, and the queue that is made of it. Each mistake is reported
//! with its place.

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
/// The longest duration that a document may name.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// The document of a queue: which leads are in it, in which order, and how they are handed out.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueueDocument)]
pub(super) struct Document {
    /// What the queue is for, as a text for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    /// Which leads are in the queue. If `stage` is absent, leads at the stage `mql`. Two kinds of leads are
    /// never in a queue: leads that asked not to be contacted, and leads that are MQLs only because of a new
    /// model.
    #[serde(default)]
    pub(super) filter: Selection,
    /// The tiers, 1 to 16, in their order. A lead belongs to the first tier whose `when` it meets. A lead
    /// that meets none is not in the queue.
    #[serde(default = "asked_first")]
    pub(super) tiers: Vec<Tier>,
    /// The terms on which leads are handed out.
    #[serde(default)]
    pub(super) claims: Claims,
    /// An IANA time zone, such as `Europe/Berlin`. A rep's day begins at midnight in this zone. A lead whose
    /// own zone is not known is taken to live in it.
    #[serde(default = "utc")]
    pub(super) timezone: String,
    /// When leads may be called, in their local time. Absent: at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hours: Option<OpeningHours>,
}

/// A part of a queue. Its leads come before the leads of later tiers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueueTier)]
pub(super) struct Tier {
    /// The name of the tier. The reasons for a lead's place contain it. Each tier has another name.
    pub(super) name: String,
    /// Which leads the tier takes. Absent: all leads.
    #[serde(default, skip_serializing_if = "Selection::is_empty")]
    pub(super) when: Selection,
    /// What the tier orders its leads by: up to three of `score`, `raw`, `fit`, `engagement`,
    /// `hand_raised_at`, `first_seen_at`, `created_at`, `last_activity_at`, `waiting_since`, `contacted_at`
    /// and `callback_at`. With `-` in front, the greatest or latest comes first. A lead without the value
    /// comes last. Equal leads are ordered by the higher score, then the higher raw score, then the later
    /// first activity.
    #[serde(default = "default_keys")]
    #[schema(value_type = Vec<String>)]
    pub(super) order: Vec<Key>,
}

/// The terms on which a queue hands out leads.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = QueueClaims)]
pub(super) struct Claims {
    /// How long a claim lasts, such as `30m`. At most `366d`.
    pub(super) length: String,
    /// How long a lead rests after its claim is completed, if no callback is promised. At most `366d`.
    pub(super) rest: String,
    /// How many leads of this queue a rep may hold at once. Absent: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) most_at_once: Option<u32>,
    /// How many leads of this queue a rep may get in a day, whether or not the claims have ended. Absent: any
    /// number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) most_a_day: Option<u32>,
}

impl Default for Claims {
    fn default() -> Claims {
        Claims { length: "30m".to_owned(), rest: "1d".to_owned(), most_at_once: None, most_a_day: None }
    }
}

/// The default tiers: leads that asked for sales, the latest first; then all others by score.
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

/// Parses a condition on attributes. The conditions of a document that was accepted before are read by the
/// rules of that time.
pub(super) fn condition(said: &Value, pointer: &str, mistakes: &mut Mistakes) -> Option<Condition> {
    let read = if mistakes.are_of_stored() { Condition::parse_stored(said) } else { Condition::parse(said) };
    read.map_err(|found| mistakes.add_below(pointer, found)).ok()
}

/// Parses a duration of at most 366 days. Notes a mistake otherwise.
pub(super) fn span(text: &str, pointer: &str, mistakes: &mut Mistakes) -> Option<TimeDelta> {
    match text.parse::<Span>().map(|span| TimeDelta::microseconds(span.0)) {
        Ok(span) if span <= LONGEST => Some(span),
        Ok(_) => mistakes.wrong(pointer, "out_of_range", "write a duration of at most 366d"),
        Err(error) => mistakes.wrong(pointer, "invalid_duration", error.to_string()),
    }
}

/// Parses the IANA name of a time zone. Notes a mistake otherwise.
pub(super) fn zone(text: &str, pointer: &str, mistakes: &mut Mistakes) -> Option<Tz> {
    text.parse().ok().or_else(|| {
        let message = format!("`{text}` is not an IANA time zone; write one such as Europe/Berlin");
        mistakes.wrong(pointer, "unknown_timezone", message)
    })
}

/// A queue: its document, parsed and checked.
#[derive(Debug)]
pub(super) struct Queue {
    /// The name of the queue.
    pub(super) name: String,
    /// When the document was last replaced.
    pub(super) updated_at: DateTime<Utc>,
    /// Which leads are in the queue.
    pub(super) filter: Picker,
    /// The tiers, in their order.
    pub(super) tiers: Vec<ReadyTier>,
    /// How long a claim lasts.
    pub(super) length: TimeDelta,
    /// How long a lead rests after its claim is completed.
    pub(super) rest: TimeDelta,
    /// How many leads of this queue a rep may hold at once.
    pub(super) most_at_once: Option<u32>,
    /// How many leads of this queue a rep may get in a day.
    pub(super) most_a_day: Option<u32>,
    /// The time zone in which a rep's day begins.
    pub(super) zone: Tz,
    /// When leads may be called. `None`: at any time.
    pub(super) hours: Option<Hours>,
}

/// A tier, parsed and checked.
#[derive(Debug)]
pub(super) struct ReadyTier {
    pub(super) name: String,
    pub(super) when: Picker,
    pub(super) order: Order,
}

impl Document {
    /// Checks the document and makes the queue of it. Returns the document with its defaults filled in, and
    /// the queue.
    ///
    /// # Errors
    /// Every mistake in the document.
    pub(super) fn ready(self, name: &str, at: DateTime<Utc>) -> Result<(Document, Queue), Vec<Mistake>> {
        self.ready_with(name, at, Mistakes::default())
    }

    /// Does what [`Document::ready`] does, for a stored document. Checks that may be newer than the document
    /// are left out.
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

    /// Notes a mistake if no lead can belong to a tier: the filter leaves out all leads that the tier takes,
    /// or the tier before takes all leads.
    fn never_reached(&self, n: usize, tier: &Tier, mistakes: &mut Mistakes) {
        if mistakes.are_of_stored() {
            return;
        }
        for key in tier.when.apart_from(&self.filter) {
            let message = format!("name some of the values in /filter/{key}; the queue has no other leads");
            mistakes.add(format!("/tiers/{n}/when/{key}"), "never_met", message);
        }
        let before = n.checked_sub(1).and_then(|before| self.tiers.get(before));
        if before.is_some_and(|before| before.when.is_empty()) {
            let message = format!("write this tier before /tiers/{}, which takes all leads", n - 1);
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
                let message = "give the tier a name that no other tier has";
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
