//! Mistakes in a model document: all of them, each with its place.

mod conditions;
mod rules;
mod shape;

use scoring::Model;
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
