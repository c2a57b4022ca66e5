//! What a check says of documents that are models but not what was meant.

use scoring::check::{Report, check};
use serde_json::{Value, json};

fn document(rules: &Value) -> Value {
    json!({
        "name": "small",
        "score": {"min": 0, "max": 100},
        "dimensions": {
            "fit": {"min": -40, "max": 40, "groups": [{"name": "who", "rules": [
                {"name": "lead", "when": {"field": "title", "contains": "lead"}, "points": 20},
            ]}]},
            "engagement": {"min": -60, "max": 60, "groups": [{"name": "web", "rules": rules}]},
        },
        "grades": {"fit": [{"label": "A", "from": 20}, {"label": "B"}], "engagement": [{"label": "1"}]},
        "bands": [{"label": "hot", "from": 60}, {"label": "cold"}],
    })
}

fn visits() -> Value {
    json!([{"name": "visits", "event": "page_viewed", "points": 10}])
}

fn warnings(document: &Value) -> Vec<String> {
    let Report { errors, warnings, .. } = check(document, None);
    assert_eq!(errors, []);
    warnings.iter().map(|warning| format!("{} {}", warning.pointer, warning.code)).collect()
}

fn rule_warnings(rules: &Value) -> Vec<String> {
    let place = "/dimensions/engagement/groups/0/rules/";
    let warnings = warnings(&document(rules));
    warnings.iter().filter_map(|warning| warning.strip_prefix(place)).map(str::to_owned).collect()
}

#[test]
fn a_sound_model_has_no_warnings() {
    assert_eq!(check(&document(&visits()), None), Report::default());
}

#[test]
fn mistakes_are_errors_and_nothing_else_is_looked_at() {
    let report = check(&json!({"name": "x"}), None);
    assert!(!report.passed() && !report.errors.is_empty() && report.warnings.is_empty());
}

#[test]
fn rules_that_can_never_pay_are_warned_of() {
    let rules = json!([
        {"name": "a", "event": "x", "points": 10},
        {"name": "b", "event": "x", "points": 0},
        {"name": "c", "event": "x", "points": 1, "at_least": {"count": 201}},
        {"name": "d", "event": "x", "points": 1, "limit": {"count": 201}},
        {"name": "e", "event": "x", "points": 1, "at_least": {"count": 200}},
        {"name": "f", "event": "x", "points": 1, "limit": {"count": 200}},
    ]);
    assert_eq!(
        rule_warnings(&rules),
        [
            "1/points zero_points",
            "2/at_least/count count_never_reached",
            "3/limit/count limit_without_effect",
        ]
    );
}

#[test]
fn negative_points_that_expire_are_warned_of() {
    let rules = json!([
        {"name": "a", "event": "x", "points": -10, "window": "30d"},
        {"name": "b", "event": "x", "points": -10, "decay": {"curve": "half_life", "half_life": "7d"}},
        {"name": "c", "event": "x", "points": -10},
        {"name": "d", "event": "x", "points": -10, "at_least": {"count": 5, "within": "7d"}},
    ]);
    assert_eq!(
        rule_warnings(&rules),
        ["0/window negative_expires", "1/decay negative_expires", "3/at_least/within negative_expires"]
    );
}

#[test]
fn caps_that_never_or_always_hold_are_warned_of() {
    let rules = json!([
        {"name": "a", "event": "x", "points": 10, "limit": {"count": 2}, "max": 21},
        {"name": "b", "event": "x", "points": 10, "limit": {"count": 2}, "max": 20, "min": 0},
        {"name": "c", "event": "x", "points": 10, "limit": {"count": 2}, "max": -1},
        {"name": "d", "event": "x", "points": 10, "limit": {"count": 2}, "min": -5},
        {"name": "e", "event": "x", "points": 10, "limit": {"count": 2}, "max": 0},
        {"name": "f", "event": "x", "points": -10, "limit": {"count": 2}, "max": 0},
    ]);
    assert_eq!(
        rule_warnings(&rules),
        ["0/max cap_never_met", "2/max cap_always_met", "3/min cap_never_met", "4/max cap_always_met"]
    );
}

#[test]
fn a_rule_that_another_of_a_best_group_always_outweighs_is_warned_of() {
    let mut document = document(&json!([
        {"name": "a", "when": {"field": "b2b", "eq": true}, "points": 5},
        {"name": "b", "when": {"field": "b2b", "eq": true}, "points": -8},
        {"name": "c", "when": {"field": "vip", "eq": true}, "points": 5},
        {"name": "d", "event": "x", "points": 1, "limit": {"count": 3}},
    ]));
    document["dimensions"]["engagement"]["groups"][0]["take"] = json!("best");
    document["bands"] = json!([{"label": "all"}]);
    assert_eq!(warnings(&document), ["/dimensions/engagement/groups/0/rules/0 never_best"]);
    document["dimensions"]["engagement"]["groups"][0]["rules"][2]["min"] = json!(4);
    assert_eq!(
        warnings(&document),
        [
            "/dimensions/engagement/groups/0/rules/0 never_best",
            "/dimensions/engagement/groups/0/rules/3 never_best"
        ]
    );
}

#[test]
fn labels_out_of_reach_are_warned_of() {
    let mut document = document(&visits());
    document["bands"] = json!([
        {"label": "fire", "from": 101}, {"label": "hot", "from": 60}, {"label": "warm", "from": 0},
        {"label": "cold"},
    ]);
    document["grades"]["fit"] = json!([{"label": "A", "from": 41}, {"label": "B"}]);
    assert_eq!(
        warnings(&document),
        [
            "/grades/fit/0/from unreachable_label",
            "/bands/0/from unreachable_label",
            "/bands/3 unreachable_label"
        ]
    );
}

#[test]
fn thresholds_out_of_reach_or_in_the_wrong_order_are_warned_of() {
    let mut document = document(&visits());
    document["mql"] = json!({"enter": 80, "leave": 70, "min_fit": 20, "min_engagement": 60, "dwell": "1d"});
    assert!(warnings(&document).is_empty());
    document["mql"] =
        json!({"enter": 81, "leave": 82, "min_fit": 20.001, "min_engagement": 60.5, "dwell": "1d"});
    assert_eq!(
        warnings(&document),
        [
            "/mql/enter threshold_unreachable",
            "/mql/min_fit threshold_unreachable",
            "/mql/min_engagement threshold_unreachable",
            "/mql/leave leave_above_enter",
        ]
    );
}

#[test]
fn a_label_that_no_lead_can_have_by_the_rules_is_warned_of() {
    let mut document =
        document(&json!([{"name": "once", "event": "x", "points": 30, "limit": {"count": 1}}]));
    document["bands"] =
        json!([{"label": "hot", "from": 51}, {"label": "warm", "from": 0}, {"label": "cold"}]);
    document["grades"]["engagement"] =
        json!([{"label": "1", "from": 30}, {"label": "2", "from": 0.5}, {"label": "3"}]);

    assert_eq!(warnings(&document), ["/bands/0/from unreachable_label", "/bands/2 unreachable_label"]);
}

#[test]
fn a_condition_on_what_is_never_derived_is_warned_of() {
    let rule = |name: usize, when: Value| json!({"name": name.to_string(), "when": when, "points": 1});
    let rules = |conditions: &[Value]| {
        conditions.iter().enumerate().map(|(i, when)| rule(i, when.clone())).collect::<Value>()
    };
    let meant = [
        json!({"field": "derived.email_kind", "in": ["Work", "role"]}),
        json!({"field": "derived.email_kind", "starts_with": "dis"}),
        json!({"field": "derived.email_valid", "eq": false}),
        json!({"field": "derived.phone_valid", "exists": false}),
        json!({"field": "derived.company_domain", "ends_with": ".example"}),
        json!({"field": "derived.email_domain", "in": ["acme.example"]}),
        json!({"field": "derived", "exists": true}),
        json!({"field": "email_kind", "eq": "throwaway"}),
    ];
    let never = [
        json!({"field": "derived.email_kind", "eq": "throwaway"}),
        json!({"field": "derived.email_kind", "in": ["free", "throwaway"]}),
        json!({"all": [{"field": "a", "eq": 1}, {"not": {"field": "derived.email_valid", "eq": "false"}}]}),
        json!({"field": "derived.phone_valid", "contains": "true"}),
        json!({"field": "derived.email_kind", "glob": "work?"}),
        json!({"field": "derived.company_domain", "eq": true}),
        json!({"field": "derived.email_domain", "gte": 1}),
        json!({"any": [{"field": "derived.kind", "eq": "work"}]}),
        json!({"field": "derived.email_domain.tld", "eq": "com"}),
    ];

    assert_eq!(rule_warnings(&rules(&meant)), Vec::<String>::new());
    assert_eq!(
        rule_warnings(&rules(&never)),
        [
            "0/when never_derived",
            "1/when never_derived",
            "2/when/all/1/not never_derived",
            "3/when never_derived",
            "4/when never_derived",
            "5/when never_derived",
            "6/when never_derived",
            "7/when/any/0/field unknown_derived",
            "8/when/field unknown_derived",
        ]
    );
}

#[test]
fn the_documents_tests_are_run() {
    let mut document = document(&visits());
    document["tests"] = json!([
        {
            "name": "one visit of a lead",
            "profile": {"title": "Tech Lead"},
            "events": [
                {"type": "page_viewed", "occurred_at": "2026-01-01T00:00:00Z"},
                {"type": "page_viewed", "occurred_at": "2026-01-01T00:00:00Z", "verdict": "machine"},
            ],
            "as_of": "2026-01-02T00:00:00Z",
            "expect": {"score": 30, "raw": 30_000, "fit": 20_000, "engagement": 10_000, "adjustments": 0,
                       "grade": "A1", "band": "cold"},
        },
        {"name": "wrong", "as_of": "2026-01-02T00:00:00Z", "expect": {"score": 1, "fit": 20, "band": "cold"}},
    ]);
    let report = check(&document, None);
    assert!(report.tests[0].passed && !report.tests[1].passed && !report.passed());
    assert_eq!(
        report.tests[1].failures,
        [
            "score should be 1 but is 0",
            "fit should be 20 milli-points (0.02 points) but is 0 milli-points (0 points)"
        ]
    );
}

#[test]
fn what_holds_without_leave_and_dwell_is_said() {
    let mut document = document(&visits());
    document["mql"] = json!({"enter": 80});
    assert_eq!(warnings(&document), ["/mql no_leave", "/mql no_dwell"]);
    let said = check(&document, None).warnings;
    assert!(said.iter().all(|warning| warning.message.contains("80")), "{said:?}");
    document["mql"] = json!({"enter": 80, "leave": 70, "dwell": "1d"});
    assert!(warnings(&document).is_empty());
}

#[test]
fn a_type_that_the_log_has_never_held_is_warned_of_with_the_nearest_that_it_has() {
    let rules = json!([
        {"name": "visits", "event": ["pageview", "page_viewed"], "points": 10},
        {"name": "twice", "event": "trial_start", "at_least": {"count": 2}, "points": 10},
        {"name": "unlike any", "event": "zzz", "points": 10},
    ]);
    let mut document = document(&rules);
    document["hand_raise"] = json!(["demo_request"]);
    let seen = ["page_viewed", "trial_started", "demo_requested"].map(str::to_owned).into();
    let said =
        |seen| check(&document, seen).warnings.into_iter().filter(|warning| warning.code == "never_seen");

    let messages: Vec<String> =
        said(Some(&seen)).map(|warning| format!("{} {}", warning.pointer, warning.message)).collect();
    let rule = |i: usize| format!("/dimensions/engagement/groups/0/rules/{i}/event");
    assert_eq!(messages.len(), 4, "{messages:?}");
    assert!(messages[0].starts_with(&rule(0)) && messages[0].contains("`page_viewed`"), "{messages:?}");
    assert!(messages[1].starts_with(&rule(1)) && messages[1].contains("`trial_started`"), "{messages:?}");
    assert!(
        messages[2].starts_with(&rule(2)) && messages[2].contains("a sender sends this type"),
        "{messages:?}"
    );
    assert!(
        messages[3].starts_with("/hand_raise") && messages[3].contains("`demo_requested`"),
        "{messages:?}"
    );

    assert_eq!(said(None).count(), 0, "no log was asked");
    assert_eq!(said(Some(&std::collections::BTreeSet::new())).count(), 0, "nothing has come at all yet");
}

#[test]
fn a_slip_in_a_common_type_is_known_before_the_first_such_event_has_come() {
    let seen = ["page_viewed", "démarré"].map(str::to_owned).into();
    let said = |event: &str| {
        let rules = json!([{"name": "a", "event": event, "points": 10}]);
        let warnings = check(&document(&rules), Some(&seen)).warnings;
        warnings.into_iter().find(|warning| warning.code == "never_seen").map(|warning| warning.message)
    };

    assert!(said("email_open").unwrap().contains("write `email_opened`"));
    assert!(said("email_opened").unwrap().contains("a sender sends this type"), "the word itself is right");
    assert_eq!(said("de\u{301}marre\u{301}"), None, "another spelling of what has come");
}

#[test]
fn exists_is_warned_of_where_a_blank_would_meet_it() {
    let rule = |when: Value| json!([{"name": "phone", "when": when, "points": 5}]);
    let of = |when: Value| rule_warnings(&rule(when));
    assert_eq!(of(json!({"field": "phone", "exists": true})), ["0/when exists_if_blank"]);
    let beside = json!({"all": [{"field": "phone", "exists": true}, {"field": "title", "eq": "a"}]});
    assert_eq!(of(beside), ["0/when/all/0 exists_if_blank"]);
    let said = json!({"all": [{"field": "phone", "exists": true}, {"field": "phone", "glob": "?*"}]});
    assert!(of(said).is_empty());
    assert!(of(json!({"field": "phone", "exists": false})).is_empty());
    assert!(of(json!({"field": "derived.phone_valid", "exists": true})).is_empty());
}
