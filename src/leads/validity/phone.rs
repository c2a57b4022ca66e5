//! Phone numbers: whether a text can be a phone number.
//!
//! The check looks at the characters, at the number of digits (bounded by E.164), and at whether the digits
//! are only filler. It does not use the numbering plans of countries. Few forms ask for the country, and
//! without the country a valid national number would look wrong.

use std::{ops::RangeInclusive, sync::LazyLock};

use regex::Regex;

/// How many digits a number may have: from a subscriber's number in the smallest plans to the most that E.164
/// allows.
const DIGITS: RangeInclusive<usize> = 7..=15;
/// How many digits a number often has without its area code.
const LOCAL: usize = 7;
/// How many digits a number often has with its area code.
const NATIONAL: usize = 10;

/// The form of a number: digits and separators, then perhaps an extension (`ext. 12`, `x12`, `#12`,
/// `;ext=12`) and a remark (`(mobile)`).
static WRITTEN: LazyLock<Regex> = LazyLock::new(|| {
    let number = r"(?<number>\(?\+?[0-9(][0-9\s./()\p{Pd}\u{2212}]*?)";
    let extension = r"(?:[\s,;]*(?:extension|ext|x|\#)[\s.:=]*[0-9]+)?";
    let remark = r"(?:\s*\([\p{L}\s.]+\))?";
    Regex::new(&format!(r"(?i)^(?:tel:\s*)?{number}{extension}{remark}$"))
        .expect("the parts are regular expressions")
});

/// Whether a text can be a phone number.
pub(super) fn is_possible(text: &str) -> bool {
    let written = WRITTEN.captures(text);
    let digits = |number: &str| number.chars().filter_map(|c| c.to_digit(10)).collect::<Vec<u32>>();
    written
        .map(|parts| digits(&parts["number"]))
        .is_some_and(|digits| DIGITS.contains(&digits.len()) && !is_filler(&digits))
}

/// Whether the digits are filler and no real number. They only count up or down or repeat a pattern, with or
/// without a country code, or they end in a typical filler: 0000000, 1234567, 7654321.
fn is_filler(digits: &[u32]) -> bool {
    let last = |most: usize| &digits[digits.len().saturating_sub(most)..];
    let local = last(LOCAL);
    let fingers_first = (steps(local, 1) && local[0] <= 1) || (steps(local, 9) && local[LOCAL - 1] <= 1);
    [digits, last(NATIONAL)].iter().any(|digits| counts_on(digits) || repeats(digits))
        || steps(local, 0)
        || fingers_first
}

/// Whether each digit is one more, or one less, than the digit before: 1234567890, 9876543.
fn counts_on(digits: &[u32]) -> bool {
    steps(digits, 1) || steps(digits, 9)
}

fn steps(digits: &[u32], step: u32) -> bool {
    digits.windows(2).all(|pair| (pair[0] + step) % 10 == pair[1])
}

/// Whether the digits, without the last one, repeat a pattern at least three times: 1212121212, 1231231234,
/// 0000001.
fn repeats(digits: &[u32]) -> bool {
    let all = &digits[..digits.len() - 1];
    (1..=all.len() / 3).any(|period| all[period..].iter().zip(all).all(|(digit, before)| digit == before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_as_people_write_them() {
        for text in [
            "+1 555 0100",
            "(212) 555-0142",
            "+49 (0)30 / 901 820-0",
            "0049 30 9018200",
            "tel:+44-20-7946-0958",
            "+33.1.23.45.67.98",
            "030 901\u{2011}8200",
            "5550142",
            "+1 212 555 0142 ext. 12",
            "212-555-0142 x12",
            "212-555-0142 #12",
            "tel:+12125550142;ext=12",
            "+123 456 789 012 340",
            "TEL:+44-20-7946-0958",
            "212-555-0142, ext. 12",
            "212 555 0142,x12",
            "+49 151 9018200 (mobile)",
            "(+49) 30 9018200",
            "020\u{2212}7946\u{2014}0958",
            "+49 151 23456789",
            "0151 23456789",
            "(512) 345-6789",
            "+49 151 34567890",
        ] {
            assert!(is_possible(text), "{text}");
        }
    }

    #[test]
    fn what_can_be_no_number_is_none() {
        for text in [
            "1",
            "n/a",
            "none",
            "555-014",
            "+1 234 567 890 123 459",
            "call me",
            "1-800-FLOWERS",
            "++1 212 555 0142",
            "212 555 0142 or 0143",
            "212 555 0142 extra",
            "jane@acme.example",
            "000-000-0000",
            "+1 111 111 1111",
            "1234567890",
            "0123456789",
            "+49 7654321",
            "٥٥٥٠١٤٢",
            "1231231234",
            "+91 1231231234",
            "1212121212",
            "01212121212",
            "+1 1234567890",
            "+1 (555) 123-4567",
            "000-000-0001",
            "-4915123456701",
        ] {
            assert!(!is_possible(text), "{text}");
        }
    }
}
