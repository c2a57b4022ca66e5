//! The tally beyond the laws: its bounds, its bytes, and what it remembers.

use scoring::{Event, Instant, Model, SEMANTICS, Tally, TallyError, Verdict, evaluate};
use serde_json::{Map, Value, json};

const DAY: i64 = 86_400_000_000;
/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000_000;

fn model(rules: &[Value]) -> Model {
    let document = json!({
        "name": "small",
        "score": {"min": 0, "max": 1000},
        "dimensions": {
            "fit": {"min": 0, "max": 0, "groups": []},
            "engagement": {"min": -1000, "max": 1000, "groups": [{"name": "web", "rules": rules}]},
        },
        "grades": {"fit": [{"label": "A"}], "engagement": [{"label": "1"}]},
        "bands": [{"label": "all"}],
        "hand_raise": ["demo_requested"],
    });
    Model::parse(&document).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn event(id: usize, kind: &str, at: i64) -> Event {
    Event {
        id: id.to_string(),
        kind: kind.to_owned(),
        occurred_at: Instant::from_micros(at),
        verdict: Verdict::Human,
        properties: Map::new(),
        traits: None,
    }
}

fn tally_of(model: &Model, events: &[Event]) -> Tally {
    let mut tally = Tally::new(model);
    for event in events {
        tally.add(model, event.as_ref());
    }
    tally
}

#[test]
fn of_many_events_only_the_newest_two_hundred_are_considered_in_any_order() {
    let model = model(&[
        json!({"name": "default", "event": "page_viewed", "points": 1}),
        json!({"name": "all", "event": "page_viewed", "points": 1, "limit": {"count": 1000}}),
        json!({"name": "hourly", "event": "page_viewed", "points": 1, "limit": {"count": 3, "per": "1h"}}),
        json!({"name": "enough", "event": "page_viewed", "points": 1, "at_least": {"count": 200}}),
        json!({"name": "too many", "event": "page_viewed", "points": 1, "at_least": {"count": 201}}),
    ]);
    let minute = 60_000_000;
    let at = |i: i64| START + (i * 7 % 300) * minute;
    let events: Vec<_> = (0..300).zip(0..).map(|(id, i)| event(id, "page_viewed", at(i))).collect();
    let as_of = Instant::from_micros(START + DAY);
    let score = tally_of(&model, &events).evaluate(&model, as_of);
    // The newest 200 lie within 200 minutes: three for each of four hours, of which the last is begun.
    assert_eq!(score.engagement.0, 100_000 + 200_000 + 12_000 + 1_000);
    assert_eq!(score, evaluate(&model, &Map::new(), &events, as_of).score);
}

#[test]
fn a_typical_lead_takes_well_under_two_hundred_bytes() {
    let kinds = ["page_viewed", "form_submitted", "email_opened", "email_clicked", "webinar_attended"];
    let rules: Vec<_> = (0..15)
        .map(|i| match i {
            0..10 => json!({"name": format!("r{i}"), "event": kinds[i % 5], "points": 3}),
            10..13 => json!({"name": format!("r{i}"), "when": {"field": "a", "exists": true}, "points": 3}),
            _ => json!({"name": format!("r{i}"), "inactive": {"for": "7d"}, "points": -3}),
        })
        .collect();
    let model = model(&rules);
    let events = |precision: i64| -> Vec<_> {
        let at = |i: i64| START + (i * 37 % 50) * DAY / 7 / precision * precision + i * precision * 12_345;
        (0..20_usize).zip(0..).map(|(id, i)| event(id, kinds[id % 5], at(i))).collect()
    };
    let milliseconds = tally_of(&model, &events(1_000)).encode();
    assert!(milliseconds.len() < 160, "{} bytes", milliseconds.len());
    let microseconds = tally_of(&model, &events(1)).encode();
    assert!(microseconds.len() < 200, "{} bytes", microseconds.len());
}

#[test]
fn bytes_of_another_model_another_version_or_cut_short_are_refused() {
    let visits = json!({"name": "a", "event": "page_viewed", "points": 1});
    let model_of_visits = model(std::slice::from_ref(&visits));
    let bytes =
        tally_of(&model_of_visits, &[event(0, "page_viewed", START), event(1, "x", START + 5)]).encode();
    assert!(Tally::decode(&model_of_visits, &bytes).is_ok());
    let longer = model(&[visits, json!({"name": "b", "event": "x", "points": 1})]);
    assert_eq!(Tally::decode(&longer, &bytes), Err(TallyError::OtherModel));
    let mut newer = bytes.clone();
    newer[0] = SEMANTICS + 1;
    assert_eq!(Tally::decode(&model_of_visits, &newer), Err(TallyError::UnknownVersion(SEMANTICS + 1)));
    for length in 0..bytes.len() {
        assert_eq!(Tally::decode(&model_of_visits, &bytes[..length]), Err(TallyError::Corrupt));
    }
    assert_eq!(Tally::decode(&model_of_visits, &[bytes, vec![0]].concat()), Err(TallyError::Corrupt));
}

#[test]
fn a_tally_of_older_semantics_says_what_it_said_and_is_known_as_outdated() {
    let model = model(&[json!({"name": "a", "event": "page_viewed", "points": 1})]);
    let tally = tally_of(&model, &[event(0, "page_viewed", START)]);
    let bytes = tally.encode();
    let mut older = bytes.clone();
    older[0] = SEMANTICS - 1;
    assert_eq!(Tally::decode(&model, &older), Ok(tally));
    assert!(Tally::is_outdated(&older) && Tally::is_outdated(&[]) && !Tally::is_outdated(&bytes));
}

#[test]
fn an_event_meets_the_rule_that_names_its_type_in_another_spelling() {
    let (one, two) = ("geprüft", "gepru\u{308}ft");
    for (named, came) in [(one, two), (two, one), (one, one), (two, two)] {
        let model = model(&[json!({"name": "a", "event": named, "points": 1})]);
        let tally = tally_of(&model, &[event(0, came, START)]);
        assert_eq!(tally.evaluate(&model, Instant::from_micros(START)).score, 1, "{named} {came}");
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let model = model(&[json!({"name": "a", "event": "page_viewed", "points": 1})]);
    let bytes =
        tally_of(&model, &[event(0, "page_viewed", START), event(1, "page_viewed", START + 5)]).encode();
    for place in 5..bytes.len() {
        for value in [0, 1, 2, 0x7f, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[place] = value;
            if let Ok(tally) = Tally::decode(&model, &damaged) {
                tally.evaluate(&model, Instant::from_micros(START));
                tally.encode();
            }
        }
    }
}

#[test]
fn pruning_makes_a_tally_smaller() {
    let model = model(&[json!({"name": "a", "event": "page_viewed", "points": 1, "window": "7d"})]);
    let mut events: Vec<_> = (0..50).zip(START..).map(|(id, at)| event(id, "page_viewed", at)).collect();
    for id in 50..60 {
        let mut adjustment = event(id, "score_adjusted", START);
        adjustment.properties.insert("points".to_owned(), json!(2));
        if id >= 55 {
            adjustment.properties.insert("expires_at".to_owned(), json!("2026-01-09T00:00:00Z"));
        }
        events.push(adjustment);
    }
    let mut tally = tally_of(&model, &events);
    let later = Instant::from_micros(START + 8 * DAY);
    let before = (tally.evaluate(&model, later), tally.encode().len());
    tally.prune(&model, later);
    assert_eq!(tally.evaluate(&model, later), before.0);
    assert_eq!(tally.evaluate(&model, later).adjustments.0, 10_000);
    assert!(tally.encode().len() < 36 && before.1 > 90, "{} after {}", tally.encode().len(), before.1);
}

#[test]
fn a_reset_cuts_off_what_is_older_but_not_what_happened_with_it() {
    let model = model(&[
        json!({"name": "visits", "event": "page_viewed", "points": 1}),
        json!({"name": "quiet", "inactive": {"for": "1d"}, "points": 100}),
    ]);
    let reset = event(0, "engagement_reset", START);
    let points = |events: &[Event]| {
        tally_of(&model, events).evaluate(&model, Instant::from_micros(START + 2 * DAY)).engagement.0
    };
    assert_eq!(points(&[reset.clone(), event(1, "page_viewed", START - 1)]), 0);
    assert_eq!(points(&[event(1, "page_viewed", START), reset]), 101_000);
}

#[test]
fn an_event_that_lies_ahead_is_waited_for() {
    let model = model(&[json!({"name": "a", "event": "page_viewed", "points": 1})]);
    let tally = tally_of(&model, &[event(0, "page_viewed", START + 1)]);
    let now = tally.evaluate(&model, Instant::from_micros(START));
    assert_eq!((now.score, now.next_change_at), (0, Some(Instant::from_micros(START + 1))));
    assert_eq!(tally.evaluate(&model, Instant::from_micros(START + 1)).score, 1);
}

#[test]
fn a_raised_hand_lifts_an_older_wish_not_to_be_contacted() {
    let model = model(&[]);
    let (asked, raised) = ("do_not_contact_requested", "demo_requested");
    let do_not_contact = |events: &[Event]| tally_of(&model, events).do_not_contact();
    assert!(!do_not_contact(&[]));
    assert!(do_not_contact(&[event(0, asked, START)]));
    assert!(!do_not_contact(&[event(0, asked, START), event(1, raised, START + 1)]));
    assert!(do_not_contact(&[event(0, asked, START), event(1, raised, START)]));
    assert!(do_not_contact(&[event(1, raised, START), event(0, asked, START + 1)]));
    assert!(do_not_contact(&[event(0, asked, START), event(1, "engagement_reset", START + 1)]));
}

#[test]
fn contributions_name_the_rules_that_give_or_take_within_their_bounds() {
    let model = model(&[
        json!({"name": "visits", "event": "page_viewed", "points": 10, "max": 15}),
        json!({"name": "never", "event": "trial_started", "points": 20}),
        json!({"name": "bounced", "event": "email_bounced", "points": -3}),
    ]);
    let events = [(1, "page_viewed"), (2, "page_viewed"), (3, "email_bounced")]
        .map(|(id, kind)| event(id, kind, START));

    let tally = tally_of(&model, &events);

    let given = tally.contributions(&model, Instant::from_micros(START));
    let given: Vec<_> = given.iter().map(|one| (one.rule, one.points.0)).collect();
    assert_eq!(given, [("visits", 15_000), ("bounced", -3_000)]);
}
