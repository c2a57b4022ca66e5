//! Rules: their kinds, points, durations, limits and types of events.

use scoring::Model;
use serde_json::{Value, json};

use super::{document, mistakes_with, rule_mistakes};

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
