//! One value that was said, and which of two wins.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::decimal::Decimal;
use crate::time::Instant;

/// An attribute's value and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dated {
    /// Null if the attribute was removed: that is kept, so that an older value that comes late stays removed.
    pub value: Value,
    /// When it was set.
    pub at: Instant,
    /// By which event.
    pub event_id: String,
}

impl Dated {
    /// Whether it stands against another fact; against itself, too.
    pub(super) fn outlasts(&self, other: &Dated) -> bool {
        let said = |fact: &Dated| fact.value.to_string();
        (self.at, self.event_id.as_str())
            .cmp(&(other.at, other.event_id.as_str()))
            .then_with(|| compact(&self.value).cmp(&compact(&other.value)))
            // 1 and 1.0 are one number; the one that is kept is the same in every order.
            .then_with(|| said(self).cmp(&said(other)))
            != Ordering::Less
    }

    /// Replaces a fact by this one, if this one wins.
    pub(super) fn compete(self, before: &mut Option<Dated>) {
        if before.as_ref().is_none_or(|before| !before.outlasts(&self)) {
            *before = Some(self);
        }
    }

    /// Sets or removes an attribute.
    pub(super) fn enter(&self, attributes: &mut Map<String, Value>, name: &str) {
        if self.value.is_null() {
            attributes.remove(name);
        } else {
            attributes.insert(name.to_owned(), self.value.clone());
        }
    }
}

/// A value as compact JSON text: no white space, keys in the order of their code points, numbers in their shortest decimal
/// form. Texts of one kind compare by code points, as bytes of UTF-8 do.
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
