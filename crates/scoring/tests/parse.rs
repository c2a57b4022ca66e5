//! Mistakes in a model document: all of them, each with its place.

use scoring::{Model, condition::Condition};
use serde_json::{Value, json};

fn document() -> Value {
    json!({
        "name": "small",
        "score": {"min": 0, "max": 100},
        "dimensions": {
            "fit": {"min": -40, "max": 40, "groups": []},
            "engagement": {"min": -60, "max": 60, "groups": [{"name": "web", "rules": [
                {"name": "visits", "event": "page_viewed", "points": 10},
            ]}]},
        },
        "grades": {"fit": [{"label": "A"}], "engagement": [{"label": "1"}]},
        "bands": [{"label": "hot", "from": 60}, {"label": "cold"}],
    })
}

/// The mistakes of the small model when the value at a pointer is another, as `pointer code`.
fn mistakes_with(pointer: &str, value: Value) -> Vec<String> {
    let mut document = document();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer has a slash");
    document.pointer_mut(parent).expect("the parent is there")[key] = value;
    match Model::parse(&document) {
        Ok(_) => Vec::new(),
        Err(mistakes) => {
            mistakes.iter().map(|mistake| format!("{} {}", mistake.pointer, mistake.code)).collect()
        }
    }
}

/// The mistakes of a rule that replaces the only one, with pointers from the rule on.
fn rule_mistakes(rule: Value) -> Vec<String> {
    let place = "/dimensions/engagement/groups/0/rules";
    let mistakes = mistakes_with(place, Value::Array(vec![rule]));
    let rule = format!("{place}/0");
    mistakes.iter().map(|mistake| mistake.strip_prefix(&rule).expect("it is the rule's").to_owned()).collect()
}

#[test]
fn the_small_model_has_no_mistakes() {
    assert_eq!(Model::parse(&document()).map(|model| model.name().to_owned()), Ok("small".to_owned()));
}

#[test]
fn everything_that_is_missing_is_named() {
    let mistakes = Model::parse(&json!({})).unwrap_err();
    let pointers: Vec<_> = mistakes.iter().map(|mistake| mistake.pointer.as_str()).collect();
    assert_eq!(pointers, ["/name", "/score", "/dimensions", "/grades", "/bands"]);
    assert!(mistakes.iter().all(|mistake| mistake.code == "missing"));
    assert_eq!(Model::parse(&json!([])).unwrap_err()[0].pointer, "");
}

#[test]
fn mistakes_in_far_places_are_found_together() {
    let mut document = document();
    document["score"] = json!({"min": 0});
    document["bands"] = json!([{"label": "hot", "from": 1.0005}, {"label": "cold"}]);
    document["mql"] = json!({"enter": 60, "dwell": "1month", "patience": 3});
    document["dimensions"]["engagement"]["groups"][0]["rules"][0] =
        json!({"name": "", "event": "x", "point": 1});
    let mistakes = Model::parse(&document).unwrap_err();
    let found: Vec<_> =
        mistakes.iter().map(|mistake| format!("{} {}", mistake.pointer, mistake.code)).collect();
    assert_eq!(
        found,
        [
            "/score/max missing",
            "/dimensions/engagement/groups/0/rules/0/name empty",
            "/dimensions/engagement/groups/0/rules/0/points missing",
            "/dimensions/engagement/groups/0/rules/0/point unknown_key",
            "/bands/0/from too_many_decimals",
            "/mql/patience unknown_key",
            "/mql/dwell invalid_duration",
        ]
    );
}

#[test]
fn an_unknown_key_is_named_and_its_pointer_escaped() {
    assert_eq!(mistakes_with("/a", json!(1)), ["/a unknown_key"]);
    let mut document = document();
    document["a/b~c"] = json!(1);
    let mistakes = Model::parse(&document).unwrap_err();
    assert_eq!(mistakes[0].pointer, "/a~1b~0c");
    assert!(mistakes[0].message.starts_with("remove `a/b~c`"));
}

#[test]
fn a_rule_is_of_one_kind_with_the_keys_of_that_kind() {
    assert_eq!(rule_mistakes(json!({"name": "r", "points": 1})), [" unknown_kind"]);
    assert_eq!(
        rule_mistakes(json!({"name": "r", "points": 1, "event": "x", "when": {"all": []}})),
        [" ambiguous_kind"]
    );
    assert_eq!(
        rule_mistakes(json!({"name": "r", "points": 1, "when": {"all": []}, "window": "1d"})),
        ["/window unknown_key"]
    );
    assert_eq!(
        rule_mistakes(json!({"name": "r", "points": 1, "event": "x", "at_least": {"count": 2}, "decay": {}})),
        ["/decay unknown_key"]
    );
    assert!(
        rule_mistakes(json!({"name": "r", "points": 1, "event": ["outcome_won", "identify"]})).is_empty()
    );
}

#[test]
fn points_weights_and_caps_have_their_ranges() {
    assert_eq!(
        rule_mistakes(json!({"name": "r", "event": "x", "points": 1_000_000.001})),
        ["/points out_of_range"]
    );
    assert_eq!(
        rule_mistakes(json!({"name": "r", "event": "x", "points": 0.1234})),
        ["/points too_many_decimals"]
    );
    assert_eq!(
        rule_mistakes(json!({"name": "r", "event": "x", "points": 1, "min": 3, "max": 2})),
        ["/min contradictory_range"]
    );
    let weight = "/dimensions/engagement/groups/0/weight";
    assert_eq!(mistakes_with(weight, json!(-1)), [format!("{weight} out_of_range")]);
    assert_eq!(mistakes_with(weight, json!(1000.001)), [format!("{weight} out_of_range")]);
    assert!(mistakes_with(weight, json!(1000)).is_empty());
}

#[test]
fn durations_limits_and_curves_are_checked() {
    let event = |key: &str, value: Value| {
        let mut rule = json!({"name": "r", "event": "x", "points": 1});
        rule[key] = value;
        rule_mistakes(rule)
    };
    assert_eq!(event("window", json!("0d")), ["/window invalid_duration"]);
    assert_eq!(event("window", json!(7)), ["/window wrong_type"]);
    assert_eq!(event("limit", json!({"count": 0})), ["/limit/count out_of_range"]);
    assert!(event("limit", json!({"count": 1000, "per": "1d"})).is_empty());
    assert_eq!(
        event("decay", json!({"curve": "compound", "every": "1d", "keep": 1})),
        ["/decay/keep out_of_range"]
    );
    assert!(event("decay", json!({"curve": "compound", "every": "1d", "keep": 0})).is_empty());
    assert_eq!(
        event("decay", json!({"curve": "linear", "every": "1d", "lose": 0})),
        ["/decay/lose out_of_range"]
    );
    assert!(event("decay", json!({"curve": "linear", "every": "1d", "lose": 1})).is_empty());
    assert_eq!(event("decay", json!({"curve": "cliff"})), ["/decay/curve unknown_value"]);
    assert_eq!(event("decay", json!({"curve": "half_life"})), ["/decay/half_life missing"]);
}

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

#[test]
fn scales_fall_and_end_without_a_from() {
    let bands = |bands: Value| mistakes_with("/bands", bands);
    assert_eq!(bands(json!([])), ["/bands empty"]);
    assert_eq!(bands(json!([{"label": "hot", "from": 3}])), ["/bands/0/from last_has_from"]);
    assert_eq!(bands(json!([{"label": "hot"}, {"label": "cold"}])), ["/bands/0/from missing"]);
    assert_eq!(
        bands(json!([{"label": "a", "from": 3}, {"label": "b", "from": 3}, {"label": "a"}])),
        ["/bands/2/label duplicate_label", "/bands/1/from not_falling"]
    );
}

#[test]
fn names_are_unique_and_rules_at_most_five_hundred() {
    let rule = |i: usize| json!({"name": format!("r{i}"), "event": "x", "points": 1});
    let groups = |count: usize| json!([{"name": "g", "rules": (0..count).map(rule).collect::<Vec<_>>()}]);
    assert!(mistakes_with("/dimensions/fit/groups", groups(499)).is_empty());
    assert_eq!(mistakes_with("/dimensions/fit/groups", groups(500)), ["/dimensions too_many_rules"]);
    assert_eq!(
        mistakes_with("/dimensions/fit/groups", json!([{"name": "web", "rules": [rule(1), rule(1)]}])),
        [
            "/dimensions/fit/groups/0/rules/1/name duplicate_name",
            "/dimensions/engagement/groups/0/name duplicate_name"
        ]
    );
}

#[test]
fn the_tests_of_a_document_are_read_as_strictly() {
    let tests = json!([{
        "name": "t", "as_of": "today", "expect": {"score": 1.5, "points": 3},
        "events": [{"occurred_at": "2026-01-01T00:00:00Z", "verdict": "robot"}],
    }]);
    assert_eq!(
        mistakes_with("/tests", tests),
        [
            "/tests/0/events/0/type missing",
            "/tests/0/events/0/verdict unknown_value",
            "/tests/0/as_of invalid_instant",
            "/tests/0/expect/points unknown_key",
            "/tests/0/expect/score not_an_integer",
        ]
    );
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
fn what_was_accepted_once_is_still_read_with_its_meaning() {
    let older = [
        (json!({"field": "tags", "contains": ["A", 1]}), json!({"tags": [["a", 1.0]]}), true),
        (json!({"field": "tags", "contains": ["a"]}), json!({"tags": ["a"]}), false),
        (json!({"field": "title", "contains": ["a"]}), json!({"title": "a"}), false),
        (json!({"field": "size", "eq": {"N": 1}}), json!({"size": {"N": 1}}), true),
        (json!({"field": "size", "ne": [1]}), json!({"size": [2]}), true),
        (json!({"field": "size", "in": [null, [1]]}), json!({"size": [1]}), true),
        (json!({"field": "size", "not_in": [null]}), json!({"size": 1}), true),
        (json!({"field": "size", "eq": null}), json!({"size": null}), false),
        (json!({"field": "size", "in": []}), json!({"size": 1}), false),
        (json!({"field": "size", "not_in": []}), json!({"size": 1}), true),
        (json!({"any": []}), json!({"size": 1}), false),
        (json!({"all": [{"field": "size", "gt": 2}, {"field": "size", "lt": 2}]}), json!({"size": 2}), false),
    ];
    for (condition, profile, holds) in older {
        assert!(Condition::parse(&condition).is_err(), "{condition} is refused");
        let read = Condition::parse_stored(&condition).expect("it was accepted once");
        assert_eq!(read.holds(profile.as_object().unwrap()), holds, "{condition} of {profile}");
    }
    let mut document = document();
    document["dimensions"]["fit"]["groups"] = json!([{"name": "g", "rules": [
        {"name": "r", "points": 1, "when": {"field": "title", "contains": ["a"]}},
    ]}]);
    assert!(Model::parse(&document).is_err() && Model::parse_stored(&document).is_ok());
    for event in [json!([]), json!("Page Viewed")] {
        let mut document = self::document();
        document["dimensions"]["engagement"]["groups"][0]["rules"][0]["event"] = event;
        assert!(Model::parse(&document).is_err() && Model::parse_stored(&document).is_ok());
    }
    document["bands"] = json!([]);
    assert!(Model::parse_stored(&document).is_err(), "other mistakes were never accepted");
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

#[test]
fn a_type_is_read_in_its_form_and_refused_if_no_event_can_have_it() {
    let event = |event: Value| rule_mistakes(json!({"name": "r", "points": 1, "event": event}));
    for taken in ["page_viewed", "gepru\u{308}ft", "हिन्दी_फ़ॉर्म", "ที่", "đăng_ký", "ｄｅｍｏ"]
    {
        assert!(event(json!(taken)).is_empty(), "{taken}");
    }
    for refused in ["Content Downloaded", "demo-requested", "", " ", "Ａ", &"x".repeat(101)] {
        assert_eq!(event(json!(refused)), ["/event invalid_event_type"], "{refused}");
        assert_eq!(event(json!(["a", refused])), ["/event/1 invalid_event_type"], "{refused}");
        assert_eq!(mistakes_with("/hand_raise", json!([refused])), ["/hand_raise/0 invalid_event_type"]);
    }
    let mut document = document();
    document["hand_raise"] = json!(["gepru\u{308}ft", "geprüft"]);
    assert_eq!(Model::parse(&document).unwrap().hand_raise(), ["geprüft"]);
}
