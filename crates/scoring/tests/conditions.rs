//! Conditions, asked through a model of one attribute rule.

use proptest::prelude::*;
use proptest::sample::select;
use scoring::condition::Condition;
use scoring::{Instant, Model, Tally};
use serde_json::{Value, json};

fn holds(condition: &Value, profile: &Value) -> bool {
    let document = json!({
        "name": "one rule",
        "score": {"min": 0, "max": 1},
        "dimensions": {
            "fit": {"min": 0, "max": 1, "groups": [{"name": "g", "rules": [
                {"name": "r", "points": 1, "when": condition},
            ]}]},
            "engagement": {"min": 0, "max": 0, "groups": []},
        },
        "grades": {"fit": [{"label": "A"}], "engagement": [{"label": "1"}]},
        "bands": [{"label": "all"}],
    });
    let model = Model::parse(&document).expect("the condition has no mistakes");
    let mut tally = Tally::new(&model);
    tally.know(&model, profile.as_object().expect("a profile is an object"));
    tally.evaluate(&model, Instant::from_micros(0)).score == 1
}

#[test]
fn equality_ignores_case_and_the_form_of_numbers() {
    let profile = json!({"country": "ÖsterReich", "size": 250, "vip": true});
    assert!(holds(&json!({"field": "country", "eq": "österreich"}), &profile));
    assert!(holds(&json!({"field": "size", "eq": 250.0}), &profile));
    assert!(holds(&json!({"field": "vip", "eq": true}), &profile));
    assert!(holds(&json!({"field": "size", "in": ["x", 250]}), &profile));
    assert!(!holds(&json!({"field": "size", "eq": "250"}), &profile));
    assert!(holds(&json!({"field": "size", "not_in": ["250"]}), &profile));
}

#[test]
fn what_is_unknown_fails_every_test_but_exists() {
    for profile in [json!({}), json!({"a": null}), json!({"a": "text"})] {
        for test in [
            json!({"eq": "text"}),
            json!({"ne": 1}),
            json!({"in": ["text"]}),
            json!({"not_in": [1]}),
            json!({"lt": 1}),
            json!({"contains": ""}),
            json!({"starts_with": ""}),
            json!({"ends_with": ""}),
            json!({"glob": "*"}),
            json!({"exists": true}),
        ] {
            let mut condition = test.clone();
            condition["field"] = json!("a.b");
            assert!(!holds(&condition, &profile), "{test} of {profile}");
        }
        assert!(holds(&json!({"field": "a.b", "exists": false}), &profile));
    }
}

#[test]
fn only_numbers_and_date_times_are_ordered() {
    let profile = json!({"size": 250, "share": 0.5, "renewal": "2026-06-01T01:00:00+02:00", "name": "b"});
    assert!(holds(&json!({"field": "size", "gte": 250}), &profile));
    assert!(!holds(&json!({"field": "size", "gt": 250}), &profile));
    assert!(holds(&json!({"field": "share", "lt": 1}), &profile));
    assert!(holds(&json!({"field": "renewal", "lte": "2026-05-31T23:00:00Z"}), &profile));
    assert!(!holds(&json!({"field": "renewal", "lt": "2026-05-31T23:00:00Z"}), &profile));
    assert!(!holds(&json!({"field": "renewal", "gt": 0}), &profile));
    assert!(!holds(&json!({"field": "name", "gt": "2026-05-31T23:00:00Z"}), &profile));
}

#[test]
fn strings_and_arrays_contain() {
    let profile = json!({"title": "Head of SALES", "tags": ["VIP", 3]});
    assert!(holds(&json!({"field": "title", "contains": "Sales"}), &profile));
    assert!(holds(&json!({"field": "title", "starts_with": "HEAD"}), &profile));
    assert!(holds(&json!({"field": "title", "ends_with": "sales"}), &profile));
    assert!(holds(&json!({"field": "title", "glob": "head*s?les"}), &profile));
    assert!(holds(&json!({"field": "tags", "contains": "vip"}), &profile));
    assert!(holds(&json!({"field": "tags", "contains": 3.0}), &profile));
    assert!(!holds(&json!({"field": "tags", "contains": "vi"}), &profile));
    assert!(!holds(&json!({"field": "tags", "starts_with": "v"}), &profile));
}

#[test]
fn a_glob_matches_the_whole_string() {
    let matches =
        |pattern: &str, text: &str| holds(&json!({"field": "a", "glob": pattern}), &json!({"a": text}));
    assert!(matches("/Pricing*", "/pricing/enterprise") && matches("/pricing*", "/pricing"));
    assert!(!matches("/pricing", "/pricing/enterprise") && !matches("pricing*", "/pricing"));
    assert!(matches("/b?og/*", "/blog/a") && !matches("/b?og/*", "/bog/a"));
    assert!(matches("*a*b", "xaxbxb") && !matches("*a*b", "xaxbxc"));
    assert!(matches("", "") && matches("**", "") && !matches("?", "") && matches("?", "ä"));
}

#[test]
fn all_of_nothing_holds_and_any_of_nothing_does_not() {
    assert!(holds(&json!({"all": []}), &json!({})));
    let none = Condition::parse_stored(&json!({"any": []})).expect("it was accepted once");
    assert!(!none.holds(&serde_json::Map::new()));
    assert!(holds(&json!({"not": {"field": "a", "ne": 1}}), &json!({})));
}

#[test]
fn a_text_counts_as_a_number_only_where_the_rule_names_a_number() {
    let profile = json!({"employees": " 200 ", "budget": "1e3", "codes": ["7", "x"], "n": 7});
    assert!(holds(&json!({"field": "employees", "eq": 200}), &profile));
    assert!(!holds(&json!({"field": "employees", "ne": 200.0}), &profile));
    assert!(holds(
        &json!({"all": [{"field": "employees", "gte": 50}, {"field": "employees", "lt": 1000}]}),
        &profile
    ));
    assert!(holds(&json!({"field": "employees", "in": ["a", 200]}), &profile));
    assert!(!holds(&json!({"field": "employees", "not_in": ["a", 200]}), &profile));
    assert!(holds(&json!({"field": "codes", "contains": 7}), &profile));
    assert!(!holds(&json!({"field": "employees", "contains": 200}), &profile), "a text holds texts");
    assert!(!holds(&json!({"field": "n", "eq": "7"}), &profile));
    assert!(
        !holds(&json!({"field": "budget", "eq": 1000}), &profile)
            && holds(&json!({"field": "budget", "ne": 1000}), &profile)
    );
}

fn test_of_a() -> impl Strategy<Value = Value> {
    let literal =
        || select(vec![json!(1), json!(2.5), json!("1"), json!("x"), json!("xy"), json!(true), json!(DATE)]);
    let bound = || select(vec![json!(1), json!(2.5), json!(3), json!(DATE), json!("2026-03-02T00:00:00Z")]);
    let list = prop::collection::vec(literal(), 1..3);
    let one = |operators: &[&'static str], operand: BoxedStrategy<Value>| {
        (select(operators.to_vec()), operand)
            .prop_map(|(operator, operand)| json!({"field": "a", operator: operand}))
    };
    prop_oneof![
        one(&["eq", "ne", "contains"], literal().boxed()),
        one(&["in", "not_in"], list.prop_map(Value::from).boxed()),
        one(&["lt", "lte", "gt", "gte"], bound().boxed()),
        one(&["starts_with", "ends_with", "glob"], select(vec![json!("x"), json!("1"), json!("x*")]).boxed()),
        one(&["exists"], any::<bool>().prop_map(Value::from).boxed()),
    ]
}

const DATE: &str = "2026-03-01T00:00:00Z";

/// Whether a glob matches: `*` is any run of characters, `?` any one character, every other sign is itself.
fn by_definition(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', after)), rest) => {
            by_definition(after, text) || rest.is_some_and(|(_, rest)| by_definition(pattern, rest))
        }
        (Some((sign, after)), Some((found, rest))) => {
            (*sign == '?' || sign == found) && by_definition(after, rest)
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn a_glob_means_what_its_two_signs_mean(pattern in "[abÄ\\\\*?]{0,8}", text in "[aBä\\\\]{0,10}") {
        let holds = holds(&json!({"field": "a", "glob": pattern}), &json!({"a": text}));
        let chars = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();

        prop_assert_eq!(holds, by_definition(&chars(&pattern), &chars(&text)), "{:?} {:?}", pattern, text);
    }

    #[test]
    fn what_is_refused_as_never_met_is_met_by_no_value(tests in prop::collection::vec(test_of_a(), 2..4)) {
        let condition = json!({"all": tests});
        prop_assume!(Condition::parse(&condition).is_err());
        let condition = Condition::parse_stored(&condition).expect("it was accepted once");
        let values = [
            json!({}), json!({"a": 1}), json!({"a": "1"}), json!({"a": "1.0"}), json!({"a": 2.5}), json!({"a": 2}),
            json!({"a": 3}), json!({"a": "X"}), json!({"a": "xy"}), json!({"a": true}), json!({"a": DATE}),
            json!({"a": "2026-03-01T01:00:00+01:00"}), json!({"a": "2026-03-01T12:00:00Z"}), json!({"a": ["x", 1]}),
            json!({"a": ["xy", true, 2.5]}), json!({"a": {"b": 1}}), json!({"a": -1}), json!({"a": ""}),
        ];
        for value in values {
            prop_assert!(!condition.holds(value.as_object().expect("an object")), "{value}");
        }
    }
}
