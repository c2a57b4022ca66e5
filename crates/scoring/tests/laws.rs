//! What must hold of every model and every log.

mod arbitrary;

use std::collections::BTreeSet;

use arbitrary::{Arrival, DAY, START, company, log, model};
use proptest::prelude::*;
use proptest::{collection::btree_map, option, sample::select};
use scoring::profile::Fold;
use scoring::{Event, Instant, Model, Tally, Verdict, evaluate, is_activity, replay};
use serde_json::{Map, Value, json};

fn parse(document: &Value) -> Model {
    Model::parse(document).unwrap_or_else(|mistakes| panic!("{mistakes:?} in {document}"))
}

fn events(log: &[Arrival]) -> Vec<Event> {
    log.iter().map(|arrival| arrival.event.clone()).collect()
}

/// Every arrival in order: when, and of which event.
fn arrivals(log: &[Arrival]) -> Vec<(i64, usize)> {
    let mut arrivals: Vec<_> =
        log.iter().enumerate().flat_map(|(i, arrival)| arrival.at.iter().map(move |at| (*at, i))).collect();
    arrivals.sort_unstable();
    arrivals
}

/// A lead as a service keeps it: a tally in bytes, a profile in JSON, and the ids that it has seen.
struct Kept {
    bytes: Vec<u8>,
    profile: Value,
    seen: Vec<Event>,
    ids: BTreeSet<String>,
}

impl Kept {
    fn new(model: &Model, profile: &Map<String, Value>) -> Self {
        let mut tally = Tally::new(model);
        tally.know(model, profile);
        Self { bytes: tally.encode(), profile: json!({}), seen: Vec::new(), ids: BTreeSet::new() }
    }

    /// Takes a batch in, once each, and holds the tally to the whole log.
    fn take(
        &mut self,
        model: &Model,
        base: &Map<String, Value>,
        batch: &[&Event],
        now: Instant,
        prune: bool,
    ) {
        let mut tally = Tally::decode(model, &self.bytes).expect("just encoded");
        let mut fold: Fold = serde_json::from_value(self.profile.clone()).expect("just serialised");
        for event in batch {
            if !self.ids.insert(event.id.clone()) {
                continue;
            }
            self.seen.push((*event).clone());
            tally.add(model, event.as_ref());
            if let Some(traits) = event.as_ref().facts() {
                fold.apply(traits, event.occurred_at, &event.id);
            }
        }
        tally.know(model, &fold.onto(base.clone()));
        if prune {
            tally.prune(model, now);
        }
        assert_eq!(tally.evaluate(model, now), evaluate(model, base, &self.seen, now).score, "at {now}");
        self.bytes = tally.encode();
        self.profile = serde_json::to_value(&fold).expect("a fold is plain data");
    }
}

/// What an event says of a person.
fn traits() -> impl Strategy<Value = Map<String, Value>> {
    let value = || select(vec![json!(null), json!(0), json!(1), json!(1.0), json!(1e21), json!("x")]);
    let attributes = btree_map("[abc]|derived\\.[ab]|company\\.a", value(), 0..3);
    (attributes, option::of(btree_map("[ab]", value(), 0..2)), option::of(company())).prop_map(
        |(attributes, derived, company)| {
            let derived = derived.map(|derived| ("derived".to_owned(), json!(derived)));
            let company = company.map(|company| ("company".to_owned(), company));
            attributes.into_iter().chain(derived).chain(company).collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the order, lateness, duplication and batching, and though it was written, read and pruned in
    /// between, a tally says what a replay of the log says: then, and at any instant later.
    #[test]
    fn a_tally_is_a_replay_of_the_log(
        document in model(),
        log in log(),
        breaks in prop::collection::vec((any::<bool>(), any::<bool>()), 60),
        wait in prop_oneof![0..3 * DAY, 0..80 * DAY],
    ) {
        let model = parse(&document);
        let base = Map::from_iter([("size".to_owned(), json!(1))]);
        let mut kept = Kept::new(&model, &base);
        let mut batch = Vec::new();
        for ((now, event), (ends, prune)) in arrivals(&log).into_iter().zip(breaks) {
            batch.push(&log[event].event);
            if ends {
                kept.take(&model, &base, &batch, Instant::from_micros(now), prune);
                batch.clear();
            }
        }
        let end = log.iter().flat_map(|arrival| &arrival.at).max().copied().unwrap_or(START);
        kept.take(&model, &base, &batch, Instant::from_micros(end), true);
        let later = Instant::from_micros(end + wait);
        let tally = Tally::decode(&model, &kept.bytes).expect("just encoded");
        prop_assert_eq!(tally.evaluate(&model, later), evaluate(&model, &base, &kept.seen, later).score);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_commutes(document in model(), (log, shuffled) in log().prop_flat_map(|log| {
        (Just(log.clone()), Just(log).prop_shuffle())
    })) {
        let model = parse(&document);
        let end = Instant::LAST;
        let tally = replay(&model, &Map::new(), &events(&log), end);
        prop_assert_eq!(&tally, &replay(&model, &Map::new(), &events(&shuffled), end));
        prop_assert_eq!(Tally::decode(&model, &tally.encode()), Ok(tally));
    }

    #[test]
    fn the_lines_of_a_receipt_add_up(document in model(), log in log(), days in 0..90_i64) {
        let model = parse(&document);
        let as_of = Instant::from_micros(START + days * DAY);
        let evaluation = evaluate(&model, &Map::new(), &events(&log), as_of);
        let total: i64 = evaluation.receipt.lines.iter().map(|line| line.points.0).sum();
        prop_assert_eq!(total, evaluation.score.score * 1000);
        for line in &evaluation.receipt.lines {
            let worth: i64 = line.occurrences.iter().map(|occurrence| occurrence.worth.0).sum();
            prop_assert!(worth == 0 || worth == line.points.0, "{:?}", line);
        }
    }

    /// From its instant until `next_change_at` a score stays what it is, to the last microsecond.
    #[test]
    fn a_score_is_constant_until_its_next_change(
        document in model(),
        log in log(),
        days in 0..70_i64,
        share in 0..1_000_i64,
    ) {
        let model = parse(&document);
        let events = events(&log);
        let mut score = evaluate(&model, &Map::new(), &events, Instant::from_micros(START + days * DAY)).score;
        for _ in 0..6 {
            let from = score.as_of.as_micros();
            let end = score.next_change_at.map_or(from + 400 * DAY, Instant::as_micros);
            prop_assert!(end > from);
            for at in [from + (end - from - 1) / 1_000 * share, end - 1] {
                let mut between = evaluate(&model, &Map::new(), &events, Instant::from_micros(at)).score;
                prop_assert_eq!(between.next_change_at, score.next_change_at);
                between.as_of = score.as_of;
                prop_assert_eq!(&between, &score);
            }
            let Some(next) = score.next_change_at else { break };
            score = evaluate(&model, &Map::new(), &events, next).score;
        }
    }

    #[test]
    fn what_the_lifecycle_asks_for_is_read_off_the_log(document in model(), log in log()) {
        let model = parse(&document);
        let events = events(&log);
        let tally = replay(&model, &Map::new(), &events, Instant::LAST);
        let newest = |wanted: &dyn Fn(&Event) -> bool| {
            let counted = events.iter().filter(|event| event.verdict != Verdict::Machine && wanted(event));
            counted.map(|event| event.occurred_at).max()
        };
        prop_assert_eq!(tally.last_activity(), newest(&|event| is_activity(&event.kind)));
        prop_assert_eq!(tally.hand_raised_at(), newest(&|event| event.kind == "demo_requested"));
        prop_assert_eq!(tally.do_not_contact_at(), newest(&|event| event.kind == "do_not_contact_requested"));
        let own = |event: &Event| {
            let passive = ["identify", "score_adjusted", "engagement_reset", "email_delivered"];
            event.verdict == Verdict::Human && !passive.contains(&event.kind.as_str())
        };
        prop_assert_eq!(tally.last_human_activity(), newest(&own));
    }

    #[test]
    fn a_profile_is_the_same_in_whatever_order_traits_come(
        (facts, shuffled) in prop::collection::vec((traits(), 0..4_i64, 0..3_u8), 0..12)
            .prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle())),
    ) {
        let fold = |facts: &[(Map<String, Value>, i64, u8)]| {
            let mut fold = Fold::default();
            for (traits, at, id) in facts {
                let before = fold.to_profile();
                let changed = fold.apply(traits, Instant::from_micros(*at), &format!("e{id}"));
                prop_assert_eq!(changed, fold.to_profile() != before);
                let stored = serde_json::to_value(&fold).expect("a fold is plain data");
                prop_assert_eq!(&serde_json::from_value::<Fold>(stored).expect("just serialised"), &fold);
            }
            Ok(fold)
        };
        prop_assert_eq!(fold(&facts)?, fold(&shuffled)?);
    }

    /// A key of the company has the newest value that was said of it, or that null was said of all keys: by instant, id and
    /// text.
    #[test]
    fn a_company_is_what_the_newest_fact_of_each_key_says(
        facts in prop::collection::vec((company(), 0..4_i64, 0..3_u8), 0..12),
    ) {
        let mut fold = Fold::default();
        for (company, at, id) in &facts {
            let traits = Map::from_iter([("company".to_owned(), company.clone())]);
            fold.apply(&traits, Instant::from_micros(*at), &format!("e{id}"));
        }
        let newest = |said: &dyn Fn(&Value) -> Option<Value>| {
            let said = facts.iter().filter_map(|(company, at, id)| Some((*at, *id, said(company)?.to_string())));
            let newest = said.max().map(|(.., text)| serde_json::from_str::<Value>(&text).expect("just written"));
            newest.filter(|value| !value.is_null())
        };
        let key = |key: &'static str| move |company: &Value| match company {
            Value::Null => Some(Value::Null),
            company => company.get(key).cloned(),
        };
        let keys = ["a", "b"].into_iter().filter_map(|name| Some((name.to_owned(), newest(&key(name))?)));
        let keys: Map<String, Value> = keys.collect();
        let whole = || newest(&|company| (!company.is_object()).then(|| company.clone()));
        let expected = if keys.is_empty() { whole() } else { Some(Value::Object(keys)) };
        prop_assert_eq!(fold.to_profile().remove("company"), expected);
    }
}
