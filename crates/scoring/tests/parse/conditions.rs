//! Conditions: operators, lists, and what no value can meet.

use scoring::condition::Condition;
use serde_json::{Value, json};

use super::{mistakes_with, rule_mistakes};

#[test]
fn conditions_have_one_operator_and_eight_levels() {
    let when = |condition: Value| rule_mistakes(json!({"name": "r", "points": 1, "when": condition}));
    assert_eq!(when(json!({"field": "a", "eq": 1, "ne": 2})), ["/when not_one_operator"]);
    assert_eq!(when(json!({"field": "a"})), ["/when not_one_operator"]);
    assert_eq!(when(json!({"field": "a", "like": 1})), ["/when/like unknown_key", "/when not_one_operator"]);
    assert_eq!(when(json!({"field": "a..b", "eq": 1})), ["/when/field invalid_field"]);
    assert_eq!(when(json!({"field": "a", "lt": "soon"})), ["/when/lt not_ordered"]);
    assert_eq!(
        when(json!({"all": [{}, {"field": "a", "exists": 1}]})),
        ["/when/all/0 no_condition", "/when/all/1/exists wrong_type"]
    );
    let nested = |levels: usize| {
        let leaf = json!({"field": "a", "exists": true});
        (1..levels).fold(leaf, |condition, _| json!({"not": condition}))
    };
    assert!(when(nested(8)).is_empty());
    assert_eq!(when(nested(9)), [format!("/when{} too_deep", "/not".repeat(8))]);
}

/// The values of every JSON type that an operator takes; the others are refused.
const TAKEN: [(&str, &[&str]); 13] = [
    ("eq", &["number", "text", "boolean"]),
    ("ne", &["number", "text", "boolean"]),
    ("in", &["list"]),
    ("not_in", &["list"]),
    ("lt", &["number"]),
    ("lte", &["number"]),
    ("gt", &["number"]),
    ("gte", &["number"]),
    ("contains", &["number", "text", "boolean"]),
    ("starts_with", &["text"]),
    ("ends_with", &["text"]),
    ("glob", &["text"]),
    ("exists", &["boolean"]),
];

#[test]
fn an_operator_takes_values_of_its_types_and_says_of_every_other_what_to_write() {
    let values = [
        ("null", json!(null)),
        ("boolean", json!(true)),
        ("number", json!(3.5)),
        ("text", json!("chief")),
        ("list", json!(["chief", "director"])),
        ("object", json!({"a": 1})),
    ];
    for (operator, taken) in TAKEN {
        for (name, value) in &values {
            let condition = json!({"field": "title", operator: value});
            match Condition::parse(&condition) {
                Ok(_) => assert!(taken.contains(name), "{operator}: {name} is taken"),
                Err(mistakes) => {
                    let [mistake] = mistakes.as_slice() else { panic!("{mistakes:?}") };
                    assert!(!taken.contains(name), "{operator}: {name}: {mistake}");
                    assert_eq!(mistake.pointer, format!("/{operator}"));
                    let advises = ["write ", "remove "].iter().any(|verb| mistake.message.starts_with(verb));
                    assert!(advises, "{operator}: {name}: {mistake}");
                }
            }
        }
        let date = json!({"field": "renewal", operator: "2026-03-01T00:00:00Z"});
        let is_text = taken.contains(&"text") || ["lt", "lte", "gt", "gte"].contains(&operator);
        assert_eq!(Condition::parse(&date).is_ok(), is_text, "{operator}: a date-time");
    }
}

#[test]
fn the_values_of_a_list_are_texts_numbers_and_booleans() {
    for operator in ["in", "not_in"] {
        let with = |value: Value| Condition::parse(&json!({"field": "a", operator: ["x", value]}));
        for taken in [json!("y"), json!(1), json!(false)] {
            assert!(with(taken).is_ok());
        }
        for refused in [json!(null), json!(["y"]), json!({"y": 1})] {
            let mistakes = with(refused).unwrap_err();
            assert_eq!(mistakes[0].pointer, format!("/{operator}/1"));
        }
    }
}

#[test]
fn a_list_is_answered_with_what_it_was_meant_to_be() {
    let message = |condition: Value| Condition::parse(&condition).unwrap_err()[0].message.clone();
    let contains = message(json!({"field": "title", "contains": ["chief", "director"]}));
    assert!(contains.contains("any: [{field: title, contains: a}"), "{contains}");
    assert!(message(json!({"field": "title", "eq": ["a"]})).contains("`in`"));
    assert!(message(json!({"field": "title", "ne": ["a"]})).contains("`not_in`"));
    assert!(message(json!({"field": "title", "eq": null})).contains("{field: title, exists: false}"));
}

#[test]
fn a_list_of_nothing_is_refused_where_nothing_could_ever_meet_it() {
    let when = |condition: Value| rule_mistakes(json!({"name": "r", "points": 1, "when": condition}));
    assert_eq!(when(json!({"field": "a", "in": []})), ["/when/in empty"]);
    assert_eq!(when(json!({"field": "a", "not_in": []})), ["/when/not_in empty"]);
    assert_eq!(when(json!({"any": []})), ["/when/any empty"]);
    assert_eq!(when(json!({"not": {"any": []}})), ["/when/not/any empty"]);
    assert!(when(json!({"all": []})).is_empty(), "this is everybody");
    assert_eq!(rule_mistakes(json!({"name": "r", "points": 1, "event": []})), ["/event empty"]);
    assert!(mistakes_with("/hand_raise", json!([])).is_empty(), "nobody raises a hand");

    let message = |condition: Value| Condition::parse(&condition).unwrap_err()[0].message.clone();
    assert!(message(json!({"field": "title", "not_in": []})).contains("{field: title, exists: true}"));
}

#[test]
fn conditions_that_no_value_meets_together_are_refused_at_the_second() {
    let both = |a: Value, b: Value| {
        let mut conditions = [a, b];
        for condition in &mut conditions {
            condition["field"] = json!("a");
        }
        let found =
            |all: Value| Condition::parse(&json!({"all": all})).err().map(|mistakes| mistakes[0].clone());
        let (there, back) = (found(json!(conditions)), found(json!([&conditions[1], &conditions[0]])));
        assert_eq!(there, back, "the order does not matter: {conditions:?}");
        there.map(|mistake| format!("{} {}", mistake.pointer, mistake.code))
    };
    let never = [
        (json!({"gt": 10}), json!({"lt": 5})),
        (json!({"gt": 10}), json!({"lte": 10})),
        (json!({"gte": "2026-02-01T00:00:00Z"}), json!({"lt": "2026-01-01T00:00:00Z"})),
        (json!({"gte": 10}), json!({"lt": "2026-01-01T00:00:00Z"})),
        (json!({"eq": "x"}), json!({"eq": "y"})),
        (json!({"eq": 1}), json!({"eq": "2"})),
        (json!({"eq": true}), json!({"eq": "true"})),
        (json!({"eq": 1}), json!({"ne": 1})),
        (json!({"eq": "x"}), json!({"starts_with": "y"})),
        (json!({"in": ["x", "y"]}), json!({"not_in": ["y", "X", "z"]})),
        (json!({"in": [1, 2]}), json!({"in": [3, "x"]})),
        (json!({"in": [1, 2]}), json!({"gt": 2})),
        (json!({"exists": false}), json!({"ne": "x"})),
        (json!({"exists": false}), json!({"exists": true})),
    ];
    for (a, b) in never {
        assert_eq!(both(a.clone(), b.clone()), Some("/all/1 never_met".to_owned()), "{a} {b}");
    }
    let possible = [
        (json!({"gte": 10}), json!({"lte": 10})),
        (json!({"gt": 1}), json!({"lt": 2})),
        (json!({"gt": 10}), json!({"gt": 5})),
        (json!({"eq": 10}), json!({"eq": "10.0"})),
        (json!({"eq": 10}), json!({"starts_with": "1"})),
        (json!({"eq": "Acme"}), json!({"glob": "acm*"})),
        (json!({"eq": "2026-01-01T00:00:00Z"}), json!({"gt": "2025-01-01T00:00:00Z"})),
        (json!({"ne": "x"}), json!({"ne": "y"})),
        (json!({"contains": "x"}), json!({"contains": "y"})),
        (json!({"in": ["x", "y"]}), json!({"ne": "x"})),
        (json!({"exists": true}), json!({"eq": "x"})),
    ];
    for (a, b) in possible {
        assert_eq!(both(a.clone(), b.clone()), None, "{a} {b}");
    }
    let other_fields = json!({"all": [{"field": "a", "eq": 1}, {"field": "b", "eq": 2}]});
    assert!(Condition::parse(&other_fields).is_ok());
}
