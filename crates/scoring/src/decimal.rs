//! Exact decimal numbers, with as many digits as were written.
//!
//! A condition only compares numbers, so [`Decimal`] has an order and a text form but no arithmetic. The
//! number of digits has no bound.

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Number, Value};

/// An exact decimal number, `±0.digits × 10^point`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    point: i64,
    /// The digits, without a zero at either end. The number zero has no digits, `negative` false and `point`
    /// 0.
    digits: Box<str>,
}

impl Decimal {
    /// The value of a JSON number. A number that was read as a binary float becomes the shortest decimal that
    /// reads back as the float.
    pub(crate) fn of(number: &Number) -> Self {
        Self::written(&number.to_string())
    }

    /// Reads a text that is a JSON number without an exponent, perhaps with white space around it; `None` for
    /// any other text.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let text = text.trim();
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, decimals) = unsigned.split_once('.').map_or((unsigned, None), |(w, d)| (w, Some(d)));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_number =
            digits(whole) && (whole == "0" || !whole.starts_with('0')) && decimals.is_none_or(digits);
        is_number.then(|| Self::written(text))
    }

    /// Reads a text that is known to be a JSON number.
    fn written(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (negative, unsigned) = match mantissa.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, mantissa),
        };
        let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all = [whole, decimals].concat();
        let from_first = all.trim_start_matches('0');
        let digits = from_first.trim_end_matches('0');
        if digits.is_empty() {
            return Self { negative: false, point: 0, digits: Box::default() };
        }
        let exponent: i64 = exponent.parse().unwrap_or(0);
        let leading = all.len() - from_first.len();
        Self { negative, point: exponent + whole.len() as i64 - leading as i64, digits: digits.into() }
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sizes = || (self.point, &self.digits).cmp(&(other.point, &other.digits));
        self.sign().cmp(&other.sign()).then_with(|| if self.negative { sizes().reverse() } else { sizes() })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    /// Writes the shortest form without an exponent: `42`, `0.001`, `-2.5`, `0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
        let places = usize::try_from(self.point).unwrap_or(0);
        match self.digits.split_at_checked(places) {
            Some(("", "")) => f.write_str("0"),
            Some(("", decimals)) => write!(f, "0.{}{decimals}", zeros(-self.point)),
            Some((whole, "")) => f.write_str(whole),
            Some((whole, decimals)) => write!(f, "{whole}.{decimals}"),
            None => write!(f, "{}{}", self.digits, zeros(self.point - self.digits.len() as i64)),
        }
    }
}

/// A number of a rule. It is read once, when the model is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Numeral {
    number: Number,
    decimal: Decimal,
}

impl Numeral {
    pub(crate) fn new(number: &Number) -> Self {
        Self { number: number.clone(), decimal: Decimal::of(number) }
    }

    /// The number as JSON.
    pub(crate) fn value(&self) -> Value {
        Value::Number(self.number.clone())
    }

    /// The order of a field's value relative to this number. `None` if the value is neither a number nor a
    /// text that is written as a number.
    pub(crate) fn order(&self, value: &Value) -> Option<Ordering> {
        match value {
            Value::Number(number) => Some(self.order_number(number)),
            Value::String(text) => Decimal::from_text(text).map(|decimal| decimal.cmp(&self.decimal)),
            _ => None,
        }
    }

    /// The order of a JSON number relative to this number. Two integers or two binary floats have the order
    /// of their decimals, so they are compared without the cost of making decimals.
    fn order_number(&self, number: &Number) -> Ordering {
        let as_integers = integer(number).zip(integer(&self.number)).map(|(a, b)| a.cmp(&b));
        let as_floats = || {
            let floats =
                (number.is_f64() && self.number.is_f64()).then(|| number.as_f64().zip(self.number.as_f64()));
            floats.flatten().and_then(|(a, b)| a.partial_cmp(&b))
        };
        as_integers.or_else(as_floats).unwrap_or_else(|| Decimal::of(number).cmp(&self.decimal))
    }
}

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_shortest_form_has_no_exponent_and_no_needless_zeros() {
        let forms = [
            ("42.0", "42"),
            ("1e-3", "0.001"),
            ("-0.0", "0"),
            ("1e21", "1000000000000000000000"),
            ("-2.50", "-2.5"),
            ("0.1", "0.1"),
            ("100", "100"),
            ("18446744073709551615", "18446744073709551615"),
        ];
        for (written, form) in forms {
            assert_eq!(Decimal::of(&number(written)).to_string(), form);
        }
    }

    #[test]
    fn a_text_is_a_number_if_json_would_write_it_so_without_an_exponent() {
        for text in ["0", "-0", "10", "-7.50", "0.0", "\u{2003}3\n"] {
            assert!(Decimal::from_text(text).is_some(), "{text}");
        }
        for text in
            ["", "-", "+1", "01", ".5", "5.", "1e3", "1,000", "1 000", "٣", "0x1", "NaN", "--1", "1.2.3"]
        {
            assert!(Decimal::from_text(text).is_none(), "{text}");
        }
    }

    #[test]
    fn every_digit_counts() {
        let order = |rule: &str, field: Value| Numeral::new(&number(rule)).order(&field);
        assert_eq!(
            order("9007199254740992", Value::Number(number("9007199254740993"))),
            Some(Ordering::Greater)
        );
        assert_eq!(order("0.1", "0.1000000000000000055".into()), Some(Ordering::Greater));
        assert_eq!(order("0.1", "0.10".into()), Some(Ordering::Equal));
        assert_eq!(
            order("9007199254740993", Value::Number(number("9007199254740992.0"))),
            Some(Ordering::Less)
        );
        assert_eq!(order("1e22", "10000000000000000000000".into()), Some(Ordering::Equal));
        assert_eq!(order("18446744073709551615", Value::Number(number("1e300"))), Some(Ordering::Greater));
    }

    fn any_number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i64>().prop_map(Number::from),
            any::<u64>().prop_map(Number::from),
            (-30..30_i64).prop_map(Number::from),
            any::<f64>().prop_filter_map("finite", Number::from_f64),
            (-400..400_i32).prop_filter_map("finite", |n| Number::from_f64(f64::from(n) / 8.0)),
        ]
    }

    proptest! {
        /// Every way to compare two numbers gives the order of their decimals, and a number's text form
        /// compares like the number.
        #[test]
        fn the_quick_ways_say_what_the_decimals_say(a in any_number(), b in any_number()) {
            let (rule, field) = (Numeral::new(&b), Value::Number(a.clone()));
            let order = Some(Decimal::of(&a).cmp(&Decimal::of(&b)));
            prop_assert_eq!(rule.order(&field), order);
            prop_assert_eq!(rule.order(&Value::String(format!(" {} ", Decimal::of(&a)))), order);
        }

        #[test]
        fn whole_numbers_and_thousandths_are_ordered_by_value(a in any::<i32>(), b in any::<i32>(), shift in 0..4_usize) {
            let text = |n: i32| format!("{}.{:03}", n / 1000, n.rem_euclid(1000));
            let (a, b) = (a.saturating_abs(), b.saturating_abs());
            let order = Decimal::written(&text(a)).cmp(&Decimal::written(&text(b)));
            prop_assert_eq!(order, a.cmp(&b));
            let zeros = "0".repeat(shift);
            prop_assert_eq!(Decimal::written(&format!("{}{zeros}", text(a))), Decimal::written(&text(a)));
        }
    }
}
