//! Numbers in the form in which the database gives them back.
//!
//! A JSON number that is no 64-bit integer is read as a binary float. Postgres prints a number in full, without an
//! exponent: a float that was written `1e16` comes back as the integer `10000000000000000`, and `-0.0` as `0.0`.

use serde_json::Number;

/// The form in which the database returns a number that was read as a float.
pub(super) enum Kept {
    /// As an integer that is not negative.
    Unsigned(u64),
    /// As a negative integer.
    Signed(i64),
    /// As a float.
    Float(f64),
}

/// From this value on, `serde_json` writes a float with an exponent, which Postgres removes. A smaller float has a
/// decimal point, which Postgres keeps.
const WITH_EXPONENT: f64 = 1e16;
/// A bound above every 64-bit integer.
const BEYOND_INTEGERS: f64 = 1.9e19;

/// Returns the form in which the database returns a float.
pub(super) fn of_float(float: f64) -> Kept {
    if float == 0.0 {
        return Kept::Float(0.0);
    }
    if !(WITH_EXPONENT..BEYOND_INTEGERS).contains(&float.abs()) {
        return Kept::Float(float);
    }
    // Rust prints a float in full, without an exponent, as Postgres does.
    let digits = float.to_string();
    match (digits.parse(), digits.parse()) {
        (Ok(number), _) => Kept::Unsigned(number),
        (_, Ok(number)) => Kept::Signed(number),
        _ => Kept::Float(float),
    }
}

/// Returns the number that the database returns for a float. `None` for an integer: the database returns it unchanged.
pub(super) fn kept(number: &Number) -> Option<Number> {
    if !number.is_f64() {
        return None;
    }
    match of_float(number.as_f64()?) {
        Kept::Unsigned(number) => Some(number.into()),
        Kept::Signed(number) => Some(number.into()),
        Kept::Float(float) => Number::from_f64(float),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Prints a number as Postgres does: all digits, no exponent.
    fn printed(number: &Number) -> String {
        let text = number.to_string();
        match text.split_once('e') {
            Some(_) => number.as_f64().unwrap().to_string(),
            None => text
                .strip_prefix("-0.0")
                .filter(|rest| rest.is_empty())
                .map_or(text.clone(), |_| "0.0".into()),
        }
    }

    #[test]
    fn a_float_with_an_exponent_comes_back_as_the_integer_that_it_is() {
        let kept = |text: &str| kept(&serde_json::from_str(text).unwrap()).unwrap().to_string();
        for (text, back) in [
            ("1e16", "10000000000000000"),
            ("9007199254740993e3", "9007199254740993000"),
            ("-1e18", "-1000000000000000000"),
            ("1.8446744073709552e19", "1.8446744073709552e19"),
            ("1e15", "1000000000000000.0"),
            ("-0.0", "0.0"),
            ("-0", "0.0"),
            ("1.7976931348623157e308", "1.7976931348623157e308"),
        ] {
            assert_eq!(kept(text), serde_json::from_str::<Number>(back).unwrap().to_string(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_is_read_back(bits: u64) {
            let float = f64::from_bits(bits);
            prop_assume!(float.is_finite());
            let number = Number::from_f64(float).unwrap();
            let kept = kept(&number).unwrap();

            let back: Number = serde_json::from_str(&printed(&kept)).unwrap();

            prop_assert_eq!(back.to_string(), kept.to_string());
        }

        #[test]
        fn every_number_near_the_integers_is_kept_as_it_is_read_back(mantissa in 1_i64.., exponent in -3_i32..12) {
            let number: Number = serde_json::from_str(&format!("{mantissa}e{exponent}")).unwrap();
            let kept = kept(&number).unwrap_or(number);
            let back: Number = serde_json::from_str(&printed(&kept)).unwrap();
            prop_assert_eq!(back.to_string(), kept.to_string());
        }
    }
}
