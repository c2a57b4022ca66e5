//! Equality and order of JSON values: strings without case, numbers by value.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

/// The string in Unicode lower case; free of charge when it is plain ASCII and already so.
pub(crate) fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

/// Whether two values are equal. Those of different types are not.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => lower(a) == lower(b),
        (Value::Number(a), Value::Number(b)) => numbers(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

/// How two numbers are ordered by their value, so that 1 equals 1.0 and large integers keep every digit.
pub(crate) fn numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => integer_with_float(a, b.as_f64()?),
        (None, Some(b)) => integer_with_float(b, a.as_f64()?).map(Ordering::reverse),
        (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn integer_with_float(a: i128, b: f64) -> Option<Ordering> {
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates far beyond any 64-bit integer")]
    let whole = b.trunc() as i128;
    Some(a.cmp(&whole).then(0.0_f64.partial_cmp(&b.fract())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_equal_by_value() {
        assert!(equal(&json!(1), &json!(1.0)));
        assert!(!equal(&json!(1), &json!(1.5)) && !equal(&json!(-1), &json!(-1.5)));
        assert!(!equal(&json!(9_007_199_254_740_993_i64), &json!(9_007_199_254_740_992.0)));
    }

    #[test]
    fn strings_are_equal_in_lower_case_at_any_depth() {
        assert!(equal(&json!(["ÄRZTE", {"a": "B"}]), &json!(["ärzte", {"a": "b"}])));
        assert!(!equal(&json!("1"), &json!(1)));
    }

    #[test]
    fn integers_and_fractions_are_ordered_across_zero() {
        let ordering = |a, b| match (a, b) {
            (Value::Number(a), Value::Number(b)) => numbers(&a, &b),
            _ => None,
        };
        assert_eq!(ordering(json!(0), json!(-0.5)), Some(Ordering::Greater));
        assert_eq!(ordering(json!(-0.5), json!(0)), Some(Ordering::Less));
        assert_eq!(ordering(json!(2), json!(2.25)), Some(Ordering::Less));
        assert_eq!(ordering(json!(u64::MAX), json!(1e300)), Some(Ordering::Less));
    }
}
