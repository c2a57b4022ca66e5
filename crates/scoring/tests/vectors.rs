//! The vectors in `tests/vectors`: computed by an independent implementation, met to the milli-point.

use std::path::Path;

use scoring::{Event, Instant, Model, evaluate, replay};
use serde::Deserialize;
use serde_json::{Map, Value};

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

fn cases(file: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file);
    let text = std::fs::read_to_string(path).expect("the file is part of the crate");
    serde_json::from_str(&text).expect("the file holds cases")
}

fn meet(case: &Case, name: &str) {
    let model = Model::parse(&case.model).unwrap_or_else(|mistakes| panic!("{name}: {mistakes:?}"));
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
    let cases = cases("worked.json");
    assert_eq!(cases.len(), 37);
    for case in &cases {
        meet(case, case.name.as_deref().unwrap_or_default());
    }
}

#[test]
fn every_random_vector_is_met() {
    let cases = cases("random.json");
    assert_eq!(cases.len(), 60);
    for (i, case) in cases.iter().enumerate() {
        meet(case, &format!("random {i}"));
    }
}
