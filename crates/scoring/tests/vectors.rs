//! The vectors in `tests/vectors`: computed by an independent implementation, met to the milli-point.

use std::path::Path;

use scoring::profile::Fold;
use scoring::{Event, Instant, Model, evaluate, replay};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Case {
    name: Option<String>,
    model: Value,
    profile: Map<String, Value>,
    events: Vec<Event>,
    as_of: Instant,
    expect: Map<String, Value>,
    next_different_at: Option<Instant>,
}

#[derive(Deserialize)]
struct ProfileCase {
    name: String,
    events: Vec<Event>,
    as_of: Instant,
    expect: Known,
}

#[derive(Deserialize)]
struct Known {
    profile: Map<String, Value>,
    provenance: Map<String, Value>,
}

fn cases<C: DeserializeOwned>(file: &str) -> Vec<C> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file);
    let text = std::fs::read_to_string(path).expect("the file is part of the crate");
    serde_json::from_str(&text).expect("the file holds cases")
}

fn meet(case: &Case, name: &str) {
    // Some name conditions that a model could once have.
    let model = Model::parse_stored(&case.model).unwrap_or_else(|mistakes| panic!("{name}: {mistakes:?}"));
    let evaluation = evaluate(&model, &case.profile, &case.events, case.as_of);
    let found = serde_json::to_value(&evaluation.score).expect("a score is plain data");
    for (key, expected) in &case.expect {
        assert_eq!(&found[key], expected, "{name}: {key}");
    }
    let lines: i64 = evaluation.receipt.lines.iter().map(|line| line.points.0).sum();
    assert_eq!(lines, evaluation.score.score * 1000, "{name}: the receipt");
    let tally = replay(&model, &case.profile, &case.events, case.as_of);
    let mut from_tally = tally.evaluate(&model, case.as_of);
    from_tally.next_change_at = evaluation.score.next_change_at;
    assert_eq!(from_tally, evaluation.score, "{name}: the tally");
    if let Some(different_at) = case.next_different_at {
        let next = evaluation.score.next_change_at;
        assert!(next.is_some_and(|next| next <= different_at), "{name}: {next:?} after {different_at}");
    }
}

#[test]
fn every_worked_vector_is_met() {
    let cases: Vec<Case> = cases("worked.json");
    assert_eq!(cases.len(), 60);
    for case in &cases {
        meet(case, case.name.as_deref().unwrap_or_default());
    }
}

#[test]
fn every_random_vector_is_met() {
    let cases: Vec<Case> = cases("random.json");
    assert_eq!(cases.len(), 60);
    for (i, case) in cases.iter().enumerate() {
        meet(case, &format!("random {i}"));
    }
}

#[test]
fn every_profile_vector_is_met() {
    let cases: Vec<ProfileCase> = cases("profile.json");
    assert_eq!(cases.len(), 21);
    for ProfileCase { name, events, as_of, expect } in &cases {
        let mut fold = Fold::default();
        for event in events.iter().filter(|event| event.occurred_at <= *as_of) {
            if let Some(facts) = event.as_ref().facts() {
                fold.apply(facts, event.occurred_at, &event.id);
            }
        }
        assert_eq!(&fold.to_profile(), &expect.profile, "{name}");
        let provenance: Map<String, Value> = fold
            .known()
            .map(|(attribute, fact)| (attribute, json!({"at": fact.at, "event_id": fact.event_id})))
            .collect();
        assert_eq!(&provenance, &expect.provenance, "{name}: the provenance");
    }
}
