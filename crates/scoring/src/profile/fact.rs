//! A dated value of an attribute, and the rule which of two values wins.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::decimal::Decimal;
use crate::time::Instant;

/// An attribute's value with its date and its event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dated {
    /// The value; null if the attribute was removed. The null is stored, so that an older value that comes
    /// late does not bring the attribute back.
    pub value: Value,
    /// When the value was set: the `occurred_at` of the event.
    pub at: Instant,
    /// The id of the event that set the value.
    pub event_id: String,
}

impl Dated {
    /// Whether this fact wins against another. A fact wins against an equal one.
    pub(super) fn outlasts(&self, other: &Dated) -> bool {
        let said = |fact: &Dated| fact.value.to_string();
        (self.at, self.event_id.as_str())
            .cmp(&(other.at, other.event_id.as_str()))
            .then_with(|| compact(&self.value).cmp(&compact(&other.value)))
            // 1 and 1.0 are equal in compact form. The order of their JSON texts decides, so the result does
            // not depend on the order of the events.
            .then_with(|| said(self).cmp(&said(other)))
            != Ordering::Less
    }

    /// Replaces `before` by this fact, unless `before` wins.
    pub(super) fn compete(self, before: &mut Option<Dated>) {
        if before.as_ref().is_none_or(|before| !before.outlasts(&self)) {
            *before = Some(self);
        }
    }

    /// Sets the attribute in `attributes`, or removes it if the value is null.
    pub(super) fn enter(&self, attributes: &mut Map<String, Value>, name: &str) {
        if self.value.is_null() {
            attributes.remove(name);
        } else {
            attributes.insert(name.to_owned(), self.value.clone());
        }
    }
}

/// A value as compact JSON text: no white space, keys sorted by code points, numbers in their shortest
/// decimal form.
fn compact(value: &Value) -> String {
    let list = |parts: Vec<String>| parts.join(",");
    match value {
        Value::Number(number) => Decimal::of(number).to_string(),
        Value::Array(values) => format!("[{}]", list(values.iter().map(compact).collect())),
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            let member = |(key, value): (&String, &Value)| {
                format!("{}:{}", Value::String(key.clone()), compact(value))
            };
            format!("{{{}}}", list(members.into_iter().map(member).collect()))
        }
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_compact_text_has_sorted_keys_and_numbers_without_exponent() {
        let value = json!({"b": [1.0, 1e21, -0.5], "a": {"é": "x\"", "c": null}});
        assert_eq!(compact(&value), r#"{"a":{"c":null,"é":"x\""},"b":[1,1000000000000000000000,-0.5]}"#);
    }
}
