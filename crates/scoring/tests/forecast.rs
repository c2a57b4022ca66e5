//! What must hold of every walk through every log.

mod arbitrary;

use arbitrary::{Arrival, DAY, START, log, model};
use proptest::prelude::*;
use scoring::forecast::{Walk, changes};
use scoring::{Event, Instant, Model, evaluate};
use serde_json::{Map, json};

/// The events in the order in which they arrived first.
fn as_arrived(mut log: Vec<Arrival>) -> Vec<Event> {
    log.sort_by_key(|arrival| arrival.at.iter().min().copied());
    log.into_iter().map(|arrival| arrival.event).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_walk_agrees_with_a_replay_at_every_instant(
        document in model(),
        log in log(),
        mut instants in prop::collection::vec(-5 * DAY..120 * DAY, 1..12),
    ) {
        let model = Model::parse(&document).expect("a model");
        let events = as_arrived(log);
        let profile = Map::from_iter([("size".to_owned(), json!(1))]);
        instants.extend(events.iter().map(|event| event.occurred_at.as_micros() - START));
        instants.sort_unstable();
        let mut walk = Walk::new(&model, &profile, &events);
        for at in instants {
            let at = Instant::from_micros(START + at);
            prop_assert_eq!(walk.at(at), evaluate(&model, &profile, &events, at).score);
        }
    }

    #[test]
    fn changes_lie_where_a_replay_changes_and_between_them_nothing_does(document in model(), log in log()) {
        let model = Model::parse(&document).expect("a model");
        let events = as_arrived(log);
        let profile = Map::new();
        let (from, to) = (Instant::from_micros(START - DAY), Instant::from_micros(START + 60 * DAY));
        let found = changes(&mut Walk::new(&model, &profile, &events), from, to, usize::MAX);
        prop_assert!(found.complete);
        let score = |at| evaluate(&model, &profile, &events, at).score;
        let mut standing = score(from);
        for change in found.found {
            let at = change.after.as_of;
            let just_before = score(Instant::from_micros(at.as_micros() - 1));
            prop_assert_eq!((just_before.score, &just_before.band, &just_before.grade), (standing.score, &standing.band, &standing.grade));
            standing = score(at);
            prop_assert_eq!(&change.after, &standing);
        }
        let end = score(to);
        prop_assert_eq!((end.score, end.band, end.grade), (standing.score, standing.band, standing.grade));
    }
}
