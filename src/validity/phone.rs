//! Phone numbers: whether one can be one.
//!
//! Looked at are the signs, the number of digits as E.164 bounds it, and whether somebody just ran a finger over the keys. Which
//! numbers a country has given out is not asked: few forms ask for the country, and a number as it is dialled at home would be
//! taken for wrong.

use std::ops::RangeInclusive;

/// A subscriber's number in the smallest plans, and the most that E.164 allows.
const DIGITS: RangeInclusive<usize> = 7..=15;
/// How many digits at the end must not run on or repeat.
const RUN: usize = 7;

/// Whether a text can be a phone number.
pub(super) fn is_possible(text: &str) -> bool {
    let number = text.strip_prefix("tel:").unwrap_or(text);
    let number = without_extension(number).trim();
    let body = number.strip_prefix('+').unwrap_or(number);
    let separates = |c: char| c.is_whitespace() || "-.()/\u{2010}\u{2011}\u{2013}".contains(c);
    let digits: Vec<u32> = body.chars().filter_map(|c| c.to_digit(10)).collect();
    body.chars().all(|c| c.is_ascii_digit() || separates(c))
        && DIGITS.contains(&digits.len())
        && !runs_on(&digits)
}

/// `555 0100 ext. 12`, `555 0100 x12`, `555 0100 #12`: the number alone.
fn without_extension(text: &str) -> &str {
    let extension = |(at, c): (usize, char)| matches!(c, 'x' | 'X' | 'e' | 'E' | '#' | ';').then_some(at);
    let Some(at) = text.char_indices().find_map(extension) else { return text };
    let (number, rest) = text.split_at(at);
    let rest = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    let rest = rest.trim().trim_end_matches(['.', '=', ':']).to_ascii_lowercase();
    if ["x", "ext", "extension", "#", ";ext"].contains(&rest.as_str()) { number } else { text }
}

/// The last digits are one and the same, or count up or down: 0000000, 1234567, 7654321.
fn runs_on(digits: &[u32]) -> bool {
    let last = digits.len().checked_sub(RUN).map_or(digits, |at| &digits[at..]);
    [0, 1, 9].iter().any(|step| last.windows(2).all(|pair| (pair[0] + step) % 10 == pair[1]))
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
        ] {
            assert!(!is_possible(text), "{text}");
        }
    }
}
