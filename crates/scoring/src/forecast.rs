//! Forecast: walks forward in time through a lead's events, and on into a future without events.
//!
//! A walk is a replay that does not start again for every instant. [`Walk::at`] gives the same score as
//! [`crate::evaluate`] over the whole log. A caller that goes from each `next_change_at` to the next meets
//! every change of the score.

use serde_json::{Map, Value};

use crate::event::Event;
use crate::model::Model;
use crate::mql::{Entry, LeadState, Move, Stage, decide};
use crate::profile::Fold;
use crate::score::Score;
use crate::tally::Tally;
use crate::time::{Instant, Span};

/// How far ahead [`leaving`] looks for the end of an MQL: 730 days.
pub const HORIZON: Span = Span(730 * Span::DAY.0);
/// The most instants that one call of [`changes`] or [`leaving`] evaluates.
pub const MOST_STEPS: usize = 5_000;

/// A replay that goes forward in time.
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    model: &'a Model,
    profile: &'a Map<String, Value>,
    /// The events that count, oldest first.
    events: Vec<&'a Event>,
    /// How many of the events the walk has added so far.
    happened: usize,
    fold: Fold,
    tally: Tally,
}

/// A change of the published score, the band or the grade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The score before the change.
    pub before: Score,
    /// The score from the change on; `as_of` is the instant of the change.
    pub after: Score,
}

/// The changes in a stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The changes, oldest first.
    pub found: Vec<Change>,
    /// Whether `found` has every change. If not, there may be more changes after the last.
    pub complete: bool,
}

/// When a lead that became an MQL by score stops being an MQL, if nothing happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leaving {
    /// The first instant at which the score is below `leave`. The instant lies in the past if the score is
    /// below `leave` already. `None` if the score does not fall below `leave` within the [`HORIZON`].
    pub falls_below_at: Option<Instant>,
    /// When the dwell ends and the lead stops being an MQL; `None` if not within the [`HORIZON`].
    pub leaves_at: Option<Instant>,
}

impl<'a> Walk<'a> {
    /// A walk that has not begun. The events may come in any order, but each event only once. The traits of
    /// the events are folded onto `profile`.
    pub fn new(model: &'a Model, profile: &'a Map<String, Value>, events: &'a [Event]) -> Self {
        let mut events: Vec<&Event> = events.iter().filter(|event| event.as_ref().counts()).collect();
        events.sort_by_key(|event| event.occurred_at);
        let mut tally = Tally::new(model);
        tally.know(model, profile);
        Self { model, profile, events, happened: 0, fold: Fold::default(), tally }
    }

    /// Goes on to an instant and returns the score there. The instant must not be before that of the last
    /// call.
    pub fn at(&mut self, as_of: Instant) -> Score {
        let mut told = false;
        while let Some(event) = self.events.get(self.happened).filter(|event| event.occurred_at <= as_of) {
            self.tally.add(self.model, event.as_ref());
            if let Some(traits) = &event.traits {
                // The profile may change even where the fold reports no change: the fold does not know the
                // profile that it is laid on.
                self.fold.apply(traits, event.occurred_at, &event.id);
                told = true;
            }
            self.happened += 1;
        }
        if told {
            self.tally.know(self.model, &self.fold.onto(self.profile.clone()));
        }
        self.tally.prune(self.model, as_of);
        let mut score = self.tally.evaluate(self.model, as_of);
        score.next_change_at = self.next_event_at().into_iter().chain(score.next_change_at).min();
        score
    }

    /// The tally of the events up to the instant of the last call of [`at`](Self::at).
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// When the next event happens; `None` after the last event.
    pub fn next_event_at(&self) -> Option<Instant> {
        self.events.get(self.happened).map(|event| event.occurred_at)
    }

    pub(crate) fn model(&self) -> &'a Model {
        self.model
    }
}

/// The first `most` changes of the published score, the band or the grade, after `from` and up to `to`
/// inclusive.
pub fn changes(walk: &mut Walk<'_>, from: Instant, to: Instant, most: usize) -> Changes {
    let mut changes = Changes::default();
    let mut before = walk.at(from);
    for _ in 0..MOST_STEPS {
        let Some(next) = before.next_change_at.filter(|next| *next <= to) else {
            changes.complete = true;
            break;
        };
        let after = walk.at(next);
        if shown(&before) != shown(&after) {
            if changes.found.len() >= most {
                break;
            }
            changes.found.push(Change { before, after: after.clone() });
        }
        before = after;
    }
    changes
}

/// The parts of a score whose change counts as a [`Change`].
fn shown(score: &Score) -> (i64, &str, &str) {
    (score.score, &score.band, &score.grade)
}

/// When a lead that became an MQL by score stops being an MQL. Makes from `now` on the decisions that the
/// service would make. `below_since` is the value of the last decision.
pub fn leaving(walk: &mut Walk<'_>, now: Instant, below_since: Option<Instant>) -> Leaving {
    let mut leaving = Leaving::default();
    let Some(mql) = walk.model.mql() else { return leaving };
    let until = now.plus(HORIZON).unwrap_or(Instant::LAST);
    let (mut at, mut below_since) = (now, below_since);
    for _ in 0..MOST_STEPS {
        let score = walk.at(at);
        let decision = decide(Some(mql), &by_threshold(&score, below_since));
        if decision.passage == Some(Move::Leave) {
            let fell = leaving.falls_below_at.or(below_since).or(Some(at));
            return Leaving { falls_below_at: fell, leaves_at: Some(at) };
        }
        below_since = decision.below_since;
        leaving.falls_below_at = leaving.falls_below_at.or(below_since);
        let next = score.next_change_at.into_iter().chain(decision.due_at).min();
        let Some(next) = next.filter(|next| *next <= until) else { break };
        at = next;
    }
    leaving
}

/// The state of an MQL by score. Fields that matter only for entering have no meaning here.
fn by_threshold(score: &Score, below_since: Option<Instant>) -> LeadState<'_> {
    LeadState {
        stage: Stage::Mql { by: Entry::Threshold },
        score,
        identified: true,
        do_not_contact: false,
        last_human_activity: None,
        last_exit: None,
        hand_raised_at: None,
        recycled_at: None,
        recycled_until: None,
        below_since,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Each visit is 10 points and loses 1 point a day. A lead becomes an MQL at 8 and leaves below 5, after
    /// the dwell if there is one.
    fn model(dwell: Option<&str>) -> Model {
        let mut mql = json!({"enter": 8, "leave": 5});
        if let Some(dwell) = dwell {
            mql["dwell"] = json!(dwell);
        }
        Model::parse(&json!({
            "name": "visits",
            "score": {"min": 0, "max": 100},
            "dimensions": {
                "fit": {"min": 0, "max": 10, "groups": [{"name": "who", "rules": [
                    {"name": "known", "when": {"field": "title", "exists": true}, "points": 1}]}]},
                "engagement": {"min": 0, "max": 60, "groups": [{"name": "web", "rules": [{
                    "name": "visit", "event": "page_viewed",
                    "points": 10, "decay": {"curve": "linear", "every": "1d", "lose": 0.1}}]}]}
            },
            "grades": {"fit": [{"label": "A"}], "engagement": [{"label": "1", "from": 5}, {"label": "2"}]},
            "bands": [{"label": "hot", "from": 8}, {"label": "cold"}],
            "mql": mql
        }))
        .unwrap()
    }

    fn hour(n: i64) -> Instant {
        Instant::from_micros(n * Span::DAY.0 / 24)
    }

    fn day(n: i64) -> Instant {
        hour(24 * n)
    }

    fn event(id: &str, kind: &str, at: Instant, content: &Value) -> Event {
        let mut event = json!({"id": id, "type": kind, "occurred_at": at});
        event.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        serde_json::from_value(event).unwrap()
    }

    fn adjusted(id: &str, at: Instant, points: i64, until: Instant) -> Event {
        event(id, "score_adjusted", at, &json!({"properties": {"points": points, "expires_at": until}}))
    }

    fn visit() -> Event {
        event("1", "page_viewed", day(0), &json!({}))
    }

    fn leave(model: &Model, events: &[Event], now: Instant, since: Option<Instant>) -> Leaving {
        leaving(&mut Walk::new(model, &Map::new(), events), now, since)
    }

    #[test]
    fn a_walk_says_at_every_instant_what_a_replay_says() {
        let model = model(None);
        let traits = json!({"traits": {"title": "CEO"}});
        let events = [event("2", "identify", day(3), &traits), adjusted("3", hour(30), 3, day(4)), visit()];
        let profile = Map::new();
        let mut walk = Walk::new(&model, &profile, &events);
        for n in -5..260 {
            assert_eq!(walk.at(hour(n)), crate::evaluate(&model, &profile, &events, hour(n)).score, "{n}");
        }
    }

    #[test]
    fn changes_are_those_of_the_published_score_band_or_grade() {
        let model = model(None);
        let events = [visit()];
        let profile = Map::new();
        let all = changes(&mut Walk::new(&model, &profile, &events), day(-1), day(3), 10);
        let said: Vec<_> =
            all.found.iter().map(|one| (one.after.as_of, one.before.score, one.after.score)).collect();
        assert_eq!(said, [(day(0), 0, 10), (day(1), 10, 9), (day(2), 9, 8), (day(3), 8, 7)]);
        assert!(all.complete);
        let some = changes(&mut Walk::new(&model, &profile, &events), day(-1), day(3), 2);
        assert_eq!((some.found.len(), some.complete), (2, false));
    }

    #[test]
    fn an_mql_leaves_when_it_was_below_for_the_dwell() {
        let events = [visit()];
        let expected = Leaving { falls_below_at: Some(day(6)), leaves_at: Some(hour(180)) };
        assert_eq!(leave(&model(Some("36h")), &events, day(1), None), expected);
        assert_eq!(
            leave(&model(Some("36h")), &events, day(7), Some(day(6))),
            expected,
            "it is waiting already"
        );
        assert_eq!(leave(&model(Some("36h")), &events, day(6), None), expected, "it falls this instant");
        let at_once = Leaving { falls_below_at: Some(day(6)), leaves_at: Some(day(6)) };
        assert_eq!(leave(&model(None), &events, day(1), None), at_once);
    }

    #[test]
    fn an_mql_whose_dwell_is_over_already_leaves_now() {
        let expected = Leaving { falls_below_at: Some(day(6)), leaves_at: Some(day(9)) };
        assert_eq!(leave(&model(Some("36h")), &[visit()], day(9), Some(day(6))), expected);
    }

    #[test]
    fn a_dip_that_is_over_within_the_dwell_is_none() {
        let model = model(Some("36h"));
        let events = [visit(), adjusted("2", day(1), -8, day(2))];
        let expected = Leaving { falls_below_at: Some(day(1)), leaves_at: Some(hour(180)) };
        assert_eq!(leave(&model, &events, day(1), None), expected);
    }

    #[test]
    fn an_mql_whose_score_stays_never_leaves() {
        let model = model(Some("36h"));
        let events = [visit(), event("2", "score_adjusted", day(0), &json!({"properties": {"points": 5}}))];
        assert_eq!(leave(&model, &events, day(1), None), Leaving::default());
        let beyond = [visit(), adjusted("2", day(0), 5, day(800))];
        assert_eq!(leave(&model, &beyond, day(1), None), Leaving::default(), "it is too far to be said");
    }
}
