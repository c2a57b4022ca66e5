//! Replay: computes a score from the whole log, for any instant.

use serde_json::{Map, Value};

use crate::breakdown::Breakdown;
use crate::event::Event;
use crate::model::Model;
use crate::profile::Fold;
use crate::receipt::Receipt;
use crate::score::Score;
use crate::tally::Tally;
use crate::time::Instant;

/// A score with its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The score.
    pub score: Score,
    /// The lines that add up to it.
    pub receipt: Receipt,
}

/// Computes the score and the receipt of a lead at any instant, from all its events.
///
/// Events later than `as_of` do not count. But `next_change_at` is never later than the first of them. The
/// traits of the events are folded onto `profile`, which counts as older than every event. The events may
/// come in any order, but each event only once.
pub fn evaluate(model: &Model, profile: &Map<String, Value>, events: &[Event], as_of: Instant) -> Evaluation {
    let mut tally = Tally::labelled(model);
    for event in events.iter().filter(|event| event.occurred_at <= as_of) {
        tally.add_labelled(model, event.as_ref(), event.id.as_str());
    }
    tally.know(model, &profile_at(profile, events, as_of));
    let breakdown = Breakdown::of(model, &tally, as_of);
    let mut score = breakdown.score(model);
    let ahead = events
        .iter()
        .filter(|event| event.as_ref().counts())
        .map(|event| event.occurred_at)
        .filter(|at| *at > as_of);
    score.next_change_at = ahead.chain(score.next_change_at).min();
    Evaluation { score, receipt: Receipt::of(model, &tally, &breakdown) }
}

/// Computes the tally of a lead at an instant, from its events and its profile up to then.
pub fn replay(model: &Model, profile: &Map<String, Value>, events: &[Event], as_of: Instant) -> Tally {
    let mut tally = Tally::new(model);
    for event in events.iter().filter(|event| event.occurred_at <= as_of) {
        tally.add(model, event.as_ref());
    }
    tally.know(model, &profile_at(profile, events, as_of));
    tally
}

/// The given profile with the traits of the events up to an instant folded onto it.
fn profile_at(profile: &Map<String, Value>, events: &[Event], as_of: Instant) -> Map<String, Value> {
    let mut fold = Fold::default();
    for event in events.iter().filter(|event| event.occurred_at <= as_of) {
        if let Some(traits) = event.as_ref().facts() {
            fold.apply(traits, event.occurred_at, &event.id);
        }
    }
    fold.onto(profile.clone())
}
