//! Passages: when a lead would have become an MQL if a model had decided from the first event on.
//!
//! The simulation makes the service's decisions ([`decide`]) at the instant of every event. While the lead is
//! an MQL by score, it also decides when the score changes or a dwell ends. Decisions of sales, such as
//! accepting a lead or sending it back, are left out, because they are not in the log.

use crate::forecast::{MOST_STEPS, Walk};
use crate::mql::{Entry, LeadState, Move, Stage, decide};
use crate::score::Score;
use crate::time::Instant;

/// The state of a lead in the simulation.
struct Life {
    stage: Stage,
    below_since: Option<Instant>,
    last_exit: Option<Instant>,
}

/// The instants up to `until` inclusive at which the lead would have become an MQL, oldest first. The walk
/// must not have begun. `known_from` is the instant from which the lead is identified; no decision is made
/// before.
///
/// After a hand-raise the lead stays an MQL, because the simulation has no sales decisions that would end
/// that.
pub fn entries(walk: &mut Walk<'_>, known_from: Instant, until: Instant) -> Vec<Instant> {
    Life::begin(None).live(walk, known_from, until)
}

/// Whether a lead would be an MQL at `until`. `last_exit` is when the lead last stopped being an MQL, if
/// ever. The walk must not have begun.
pub fn is_mql(walk: &mut Walk<'_>, known_from: Instant, last_exit: Option<Instant>, until: Instant) -> bool {
    let mut life = Life::begin(last_exit);
    let begins = last_exit.map_or(known_from, |exit| exit.max(known_from));
    life.live(walk, begins, until);
    life.stage != Stage::Lead
}

impl Life {
    fn begin(last_exit: Option<Instant>) -> Life {
        Life { stage: Stage::Lead, below_since: None, last_exit }
    }

    /// Simulates from one instant to another. Returns the instants at which the lead became an MQL.
    fn live(&mut self, walk: &mut Walk<'_>, from: Instant, until: Instant) -> Vec<Instant> {
        let (mut entries, mut steps) = (Vec::new(), 0);
        let mut next = walk.next_event_at().map(|first| first.max(from));
        while let Some(at) = next.filter(|at| *at <= until) {
            let score = walk.at(at);
            let (entered, look_again) = self.go_on(walk, &score);
            entries.extend(entered.then_some(at));
            next = match self.stage {
                Stage::Mql { by: Entry::HandRaise } => None,
                Stage::Mql { by: Entry::Threshold } if steps < MOST_STEPS => {
                    steps += 1;
                    look_again.into_iter().chain(score.next_change_at).min()
                }
                _ => walk.next_event_at(),
            };
        }
        entries
    }

    /// Makes the decision at the score's instant. Returns whether the lead became an MQL, and when to decide
    /// again even without events.
    fn go_on(&mut self, walk: &Walk<'_>, score: &Score) -> (bool, Option<Instant>) {
        let tally = walk.tally();
        let hand_raised_at = tally.hand_raised_at();
        // An MQL by score that raises a hand no longer leaves by score, just as an MQL by hand-raise.
        if matches!(self.stage, Stage::Mql { .. }) && hand_raised_at > self.last_exit {
            self.stage = Stage::Mql { by: Entry::HandRaise };
        }
        let state = LeadState {
            stage: self.stage,
            score,
            identified: true,
            do_not_contact: tally.do_not_contact(),
            last_human_activity: tally.last_human_activity(),
            last_exit: self.last_exit,
            hand_raised_at,
            recycled_at: None,
            recycled_until: None,
            below_since: self.below_since,
        };
        let decision = decide(walk.model().mql(), &state);
        self.below_since = decision.below_since;
        match decision.passage {
            Some(Move::Enter { by }) => self.stage = Stage::Mql { by },
            Some(Move::Leave) => (self.stage, self.last_exit) = (Stage::Lead, Some(score.as_of)),
            None => {}
        }
        (matches!(decision.passage, Some(Move::Enter { .. })), decision.due_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::model::Model;
    use crate::time::Span;
    use serde_json::{Map, Value, json};

    /// Ten points a visit, one less a day; an MQL from 8 on, until it was below 5 for a day.
    fn model(mql: &Value) -> Model {
        Model::parse(&json!({
            "name": "visits",
            "score": {"min": 0, "max": 100},
            "dimensions": {
                "fit": {"min": 0, "max": 0, "groups": []},
                "engagement": {"min": 0, "max": 60, "groups": [{"name": "web", "rules": [{
                    "name": "visit", "event": "page_viewed", "limit": {"count": 1},
                    "points": 10, "decay": {"curve": "linear", "every": "1d", "lose": 0.1}}]}]}
            },
            "grades": {"fit": [{"label": "A"}], "engagement": [{"label": "1"}]},
            "bands": [{"label": "all"}],
            "mql": mql,
            "hand_raise": ["demo_requested"]
        }))
        .unwrap()
    }

    fn day(n: i64) -> Instant {
        Instant::from_micros(n * Span::DAY.0)
    }

    fn log(events: &[(i64, &str)]) -> Vec<Event> {
        let event = |(on, kind): &(i64, &str)| json!({"id": format!("{on} {kind}"), "type": kind, "occurred_at": day(*on)});
        serde_json::from_value(events.iter().map(event).collect()).unwrap()
    }

    fn entered(events: &[(i64, &str)], known_from: Instant) -> Vec<Instant> {
        let model = model(&json!({"enter": 8, "leave": 5, "dwell": "1d"}));
        let (profile, events) = (Map::new(), log(events));
        entries(&mut Walk::new(&model, &profile, &events), known_from, day(60))
    }

    const ALWAYS: Instant = Instant::from_micros(0);

    #[test]
    fn a_lead_enters_with_the_event_that_makes_it_ripe_and_again_after_it_has_left() {
        let visits = [(1, "page_viewed"), (3, "page_viewed"), (20, "page_viewed"), (70, "page_viewed")];
        assert_eq!(entered(&visits, ALWAYS), [day(1), day(20)]);
    }

    #[test]
    fn who_comes_back_before_the_dwell_is_over_has_not_left() {
        // Below 5 from day 7 on; the dwell is over on day 8.
        assert_eq!(entered(&[(1, "page_viewed"), (7, "page_viewed")], ALWAYS), [day(1)]);
        assert_eq!(entered(&[(1, "page_viewed"), (9, "page_viewed")], ALWAYS), [day(1), day(9)]);
    }

    #[test]
    fn nobody_enters_before_it_is_known_who_it_is() {
        assert_eq!(entered(&[(1, "page_viewed")], day(2)), [day(2)], "still 9 points");
        assert_eq!(entered(&[(1, "page_viewed")], day(4)), [], "7 points by then");
    }

    #[test]
    fn who_raises_a_hand_enters_once_also_when_ripe_already() {
        assert_eq!(entered(&[(1, "demo_requested"), (30, "demo_requested")], ALWAYS), [day(1)]);
        let asks_later = [(1, "page_viewed"), (2, "demo_requested"), (30, "page_viewed")];
        assert_eq!(entered(&asks_later, ALWAYS), [day(1)]);
    }

    #[test]
    fn who_does_not_want_to_be_contacted_does_not_enter() {
        assert_eq!(entered(&[(1, "do_not_contact_requested"), (2, "page_viewed")], ALWAYS), []);
    }

    #[test]
    fn nothing_happens_to_a_lead_without_events() {
        assert_eq!(entered(&[], ALWAYS), []);
    }

    #[test]
    fn who_would_be_an_mql_now_has_entered_since_its_last_exit_and_not_left() {
        let model = model(&json!({"enter": 8, "leave": 5, "dwell": "1d"}));
        let profile = Map::new();
        let stands = |events: &[(i64, &str)], last_exit: Option<Instant>, until: i64| {
            let events = log(events);
            is_mql(&mut Walk::new(&model, &profile, &events), ALWAYS, last_exit, day(until))
        };
        let visits = [(1, "page_viewed"), (3, "page_viewed")];

        assert!(!stands(&visits, None, 0));
        assert!(stands(&visits, None, 8), "below 5 since this day");
        assert!(!stands(&visits, None, 10));
        assert!(stands(&visits, Some(day(2)), 4), "the second visit opened it again");
        assert!(!stands(&visits, Some(day(3)), 4), "nothing has been done since");
        assert!(stands(&[(1, "demo_requested")], None, 60), "a raised hand does not leave by score");
    }
}
