//! Compares a field's value with a rule's value: texts without regard to case, numbers as exact decimals.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use crate::decimal::{Decimal, Numeral};

/// The string in Unicode lower case. Borrows the string if it is ASCII without capitals.
pub(crate) fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

/// What a rule compares a field's value with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A number. A field's text that is written as a number is compared as that number.
    Number(Numeral),
    /// A text, in lower case. No JSON number equals a text.
    Text(String),
    /// True or false.
    Boolean(bool),
    /// Null, a list or an object. Only stored documents from before these values were refused have them.
    Other(Value),
}

impl Literal {
    /// Whether a field's value equals this literal. The value is never null.
    pub(crate) fn equals(&self, value: &Value) -> bool {
        match self {
            Self::Number(number) => number.order(value) == Some(Ordering::Equal),
            Self::Text(text) => value.as_str().is_some_and(|value| lower(value) == text.as_str()),
            Self::Boolean(boolean) => value.as_bool() == Some(*boolean),
            Self::Other(other) => equal(value, other),
        }
    }
}

/// Whether two values are equal at every depth. Values of different types are never equal.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => lower(a) == lower(b),
        (Value::Number(a), Value::Number(b)) => Decimal::of(a) == Decimal::of(b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_equal_in_lower_case_and_by_number_at_any_depth() {
        assert!(equal(&json!(["ÄRZTE", {"a": "B"}, 1]), &json!(["ärzte", {"a": "b"}, 1.0])));
        assert!(!equal(&json!("1"), &json!(1)));
    }
}
