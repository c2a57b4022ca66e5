//! The JSON Schema of a model document and the parser of model documents say the same.

#[expect(dead_code, reason = "shared with the laws, which use all of it")]
mod arbitrary;

use std::path::Path;

use arbitrary::model;
use jsonschema::Validator;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use scoring::{Mistake, Model, model::SCHEMA};
use serde_json::{Value, json};

fn validator() -> Validator {
    let schema = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("the schema is one")
}

/// Whether a schema can say it: a schema knows no neighbours, no order and no decimals.
fn sayable(mistake: &Mistake) -> bool {
    const UNSAYABLE: [&str; 9] = [
        "contradictory_range",
        "duplicate_label",
        "duplicate_name",
        "last_has_from",
        "never_met",
        "not_falling",
        "too_deep",
        "too_many_decimals",
        "too_many_rules",
    ];
    let only_the_last_has_none = mistake.code == "missing" && mistake.pointer.ends_with("/from");
    !UNSAYABLE.contains(&mistake.code) && !only_the_last_has_none
}

/// A random model with every part that a document may have.
fn whole() -> impl Strategy<Value = Value> {
    model().prop_map(|mut document| {
        document["description"] = json!("Random.");
        document["mql"] = json!({"enter": 60, "leave": 45.5, "min_fit": 1, "min_engagement": 2, "dwell": "7d", "cooldown": "4w"});
        document["tests"] = json!([{
            "name": "nobody", "profile": {"title": "VP"}, "as_of": "2026-03-01T00:00:00Z",
            "events": [{
                "id": "1", "type": "page_viewed", "occurred_at": "2026-02-01T00:00:00.5+02:00", "verdict": "suspect",
                "properties": {"n": 1}, "traits": {"size": null}
            }],
            "expect": {"score": 0, "raw": 0, "fit": 0, "engagement": 0, "adjustments": 0, "grade": "CC", "band": "C"}
        }]);
        document
    })
}

/// What is done to one place of a document.
#[derive(Debug, Clone)]
enum Change {
    /// A key that nobody knows.
    Add,
    /// The place is no longer there.
    Remove,
    /// Something else stands there.
    Replace(Value),
}

fn change() -> impl Strategy<Value = Change> {
    let other = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(2_000_000),
        json!(""),
        json!(" "),
        json!("x"),
        json!("a..b"),
        json!("30d"),
        json!("0d"),
        json!("3months"),
        json!("2026-03-01T00:00:00Z"),
        json!([]),
        json!([1]),
        json!({}),
        json!({"field": "x"}),
        json!({"field": "x", "eq": 1, "ne": 2}),
    ];
    prop_oneof![Just(Change::Add), Just(Change::Remove), select(other.to_vec()).prop_map(Change::Replace)]
}

/// Every place of a document but the whole, as pointers.
fn places(value: &Value, pointer: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(i, value)| (i.to_string(), value)).collect(),
        _ => return,
    };
    for (key, child) in children {
        let pointer = format!("{pointer}/{key}");
        places(child, &pointer, found);
        found.push(pointer);
    }
}

fn changed(mut document: Value, place: Index, change: &Change) -> Value {
    let mut pointers = Vec::new();
    places(&document, "", &mut pointers);
    let pointer = place.get(&pointers);
    match change {
        Change::Replace(other) => *document.pointer_mut(pointer).expect("a place") = other.clone(),
        Change::Add => {
            if let Some(Value::Object(map)) = document.pointer_mut(pointer) {
                map.insert("surprise".to_owned(), json!(1));
            }
        }
        Change::Remove => {
            let (parent, key) = pointer.rsplit_once('/').expect("no root");
            match document.pointer_mut(parent).expect("a place") {
                Value::Object(map) => drop(map.remove(key)),
                Value::Array(list) => drop(list.remove(key.parse().expect("a number"))),
                _ => unreachable!("what has children holds them"),
            }
        }
    }
    document
}

#[test]
fn the_model_of_every_vector_that_is_still_taken_fits_the_schema() {
    let validator = validator();
    let mut taken = 0;
    for file in ["worked.json", "random.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file);
        let text = std::fs::read_to_string(path).expect("the file is part of the crate");
        let cases: Vec<Value> = serde_json::from_str(&text).expect("the file holds cases");
        for case in cases.into_iter().filter(|case| Model::parse(&case["model"]).is_ok()) {
            taken += 1;
            let errors: Vec<_> =
                validator.iter_errors(&case["model"]).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{file}: {}: {errors:?}", case["name"]);
        }
    }
    assert!(taken >= 100, "{taken}");
}

#[test]
fn every_example_in_the_schema_fits_its_place() {
    fn check(part: &Value, whole: &Value) {
        if let Value::Object(map) = part {
            if let Some(Value::Array(examples)) = map.get("examples") {
                let mut schema = part.clone();
                schema["$defs"] = whole["$defs"].clone();
                let validator = jsonschema::options()
                    .should_validate_formats(true)
                    .build(&schema)
                    .expect("a part is a schema");
                for example in examples {
                    assert!(validator.is_valid(example), "{example} in {part}");
                }
            }
            map.values().for_each(|value| check(value, whole));
        } else if let Value::Array(list) = part {
            for value in list {
                check(value, whole);
            }
        }
    }
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    check(&schema, &schema);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_random_model_fits_and_a_changed_one_is_refused_by_both_or_by_neither(
        document in whole(), place: Index, change in change(),
    ) {
        let validator = validator();
        prop_assert_eq!(Model::parse(&document).err(), None);
        prop_assert!(validator.is_valid(&document), "{:?}", validator.validate(&document).err());

        let document = changed(document, place, &change);
        let errors: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        match Model::parse(&document) {
            Ok(_) => prop_assert!(errors.is_empty(), "only the schema refuses it: {:?}", errors),
            Err(mistakes) if mistakes.iter().any(sayable) => {
                prop_assert!(!errors.is_empty(), "only the parser refuses it: {:?}", mistakes);
            }
            Err(_) => {}
        }
    }
}
