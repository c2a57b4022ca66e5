//! Text that people and their tools write in several ways, in the one form in which it is compared.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use url::Host;

/// Invisible characters that Unicode does not count among the format characters: the combining grapheme joiner, fillers
/// of Hangul and Khmer, and variation selectors (`Default_Ignorable_Code_Point`).
const UNSEEN: [(char, char); 9] = [
    ('\u{34f}', '\u{34f}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fff8}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Returns a text without its invisible characters: byte order marks, joiners, soft hyphens, marks of direction.
fn seen(text: &str) -> impl Iterator<Item = char> {
    let unseen = |c: char| UNSEEN.iter().any(|(first, last)| (*first..=*last).contains(&c));
    text.chars().filter(move |c| c.general_category() != GeneralCategory::Format && !unseen(*c))
}

/// Normalises an id that a machine made: without invisible characters, without white space around it, in NFC. Upper and
/// lower case stay different.
pub fn id(text: &str) -> String {
    if text.is_ascii() { text.trim().to_owned() } else { trimmed(seen(text).nfc().collect()) }
}

/// Normalises a text that a person typed or copied: without invisible characters, without white space around it, each
/// letter and digit in its usual form (NFKC). Upper and lower case stay.
pub fn plain(text: &str) -> String {
    if text.is_ascii() { text.trim().to_owned() } else { trimmed(seen(text).nfkc().collect()) }
}

/// Normalises a text as [`plain`] does, in lower case.
pub fn lower(text: &str) -> String {
    plain(&plain(text).to_lowercase())
}

/// Normalises a domain: lower case and ASCII (IDNA, UTS 46), without a dot at the end. `None` if the text is not a
/// domain.
pub fn domain(text: &str) -> Option<String> {
    let text = lower(text);
    let text = text.trim_end_matches('.');
    // The parser of hosts reads `%2e` as a dot, but a domain contains no per cent sign.
    match Host::parse(text) {
        Ok(Host::Domain(domain)) if !text.contains('%') => Some(domain.trim_end_matches('.').to_owned()),
        _ => None,
    }
}

/// How many digits a number may have to be read as an id.
const MOST_DIGITS: usize = 512;

/// Writes a JSON number as an id: all digits of its value, without an exponent and without superfluous zeros. So
/// `12345.0`, `1.2345e4` and `12345` are one id. `None` if that takes more than 512 digits.
pub fn number(json: &str) -> Option<String> {
    let (sign, rest) = json.strip_prefix('-').map_or(("", json), |rest| ("-", rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().ok()?;
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    // The position of the decimal point among the digits that count.
    let point = i64::try_from(digits.len()).ok()? - i64::try_from(fraction.len()).ok()? + exponent;
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return Some("0".to_owned());
    }
    if digits.len() > MOST_DIGITS || usize::try_from(point.abs()).ok()? > MOST_DIGITS {
        return None;
    }
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    let length = i64::try_from(digits.len()).ok()?;
    Some(match usize::try_from(point) {
        Ok(at) if at < digits.len() && at > 0 => format!("{sign}{}.{}", &digits[..at], &digits[at..]),
        Ok(at) if at > 0 => format!("{sign}{digits}{}", zeros(point - length)),
        _ => format!("{sign}0.{}{digits}", zeros(-point)),
    })
}

fn trimmed(text: String) -> String {
    match text.trim() {
        whole if whole.len() == text.len() => text,
        part => part.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_left_out() {
        for unseen in
            ['\u{feff}', '\u{200b}', '\u{200d}', '\u{ad}', '\u{200e}', '\u{2060}', '\u{fe0f}', '\u{3164}']
        {
            assert_eq!(id(&format!("{unseen}u{unseen}1{unseen} ")), "u1", "{unseen:?}");
        }
        assert_eq!(id("Mu\u{308}ller"), "M\u{fc}ller");
        assert_eq!(id("\u{ff4a}"), "\u{ff4a}", "an id keeps its letters");
        assert_eq!(plain("\u{ff2a}ane"), "Jane");
    }

    #[test]
    fn a_number_keeps_every_digit_of_its_value() {
        for (json, id) in [
            ("100000000000000000001", "100000000000000000001"),
            ("12345.0", "12345"),
            ("1.2345e4", "12345"),
            ("1E3", "1000"),
            ("-7.50", "-7.5"),
            ("0.00120", "0.0012"),
            ("12e-3", "0.012"),
            ("-0.0", "0"),
            ("0e99", "0"),
        ] {
            assert_eq!(number(json).as_deref(), Some(id), "{json}");
        }
        assert_eq!(number("1e600"), None);
        assert_eq!(number("1e99999999999999999999"), None);
    }

    #[test]
    fn a_domain_has_one_spelling() {
        for text in
            ["bücher.example", "BÜCHER.example.", "xn--bcher-kva.EXAMPLE", "bu\u{308}cher\u{3002}example"]
        {
            assert_eq!(domain(text).as_deref(), Some("xn--bcher-kva.example"), "{text}");
        }
        for text in ["", ".", "127.0.0.1", "acme%2eexample", "xn--a", "a b"] {
            assert_eq!(domain(text), None, "{text}");
        }
    }
}
