//! What a document must have, and how its mistakes are named.

use scoring::{Model, condition::Condition};
use serde_json::{Value, json};

use super::{document, mistakes_with};

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
