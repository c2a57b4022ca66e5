//! The one form of an event type, in any script.
//!
//! Two Unicode spellings of one word are one type: `é` as one character or as two, full-width letters, the
//! ligature `ﬁ`. The service brings an event's type into this form when the event comes, and a model's types
//! when the model is read. Rules compare forms. So a rule also matches events that an older release stored in
//! another spelling.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// The most bytes that a type may have.
pub const LONGEST: usize = 100;

/// The combining dot above. `İ` in lower case is `i` with this mark. The mark after an `i` is dropped.
const DOT_ABOVE: char = '\u{307}';

/// The form of a type: NFKC without invisible characters (zero-width characters, variation selectors) and
/// without marks that follow no letter. The form of a form is the form itself. ASCII is its own form.
pub fn form(kind: &str) -> Cow<'_, str> {
    if kind.is_ascii() {
        return Cow::Borrowed(kind);
    }
    // After a character is dropped, its neighbours may compose in NFKC, so pass again until nothing changes.
    // This ends, because each further pass gives a shorter text.
    let mut form = passed(kind);
    loop {
        let next = passed(&form);
        if next == form {
            return Cow::Owned(form);
        }
        form = next;
    }
}

fn passed(kind: &str) -> String {
    let mut form = String::with_capacity(kind.len());
    for c in kind.nfkc() {
        let before = form.chars().next_back();
        let kept = if is_combining_mark(c) {
            let dot = c == DOT_ABOVE && before == Some('i');
            !dot && !is_unseen(c) && before.is_some_and(bears_marks)
        } else {
            !is_unseen(c)
        };
        if kept {
            form.push(c);
        }
    }
    form
}

/// Whether a character may stand in a type: a letter that is no capital, a combining mark, a digit or the
/// underscore.
pub fn may_stand(c: char) -> bool {
    c == '_' || is_combining_mark(c) || (c.is_alphanumeric() && !c.is_uppercase())
}

/// Whether a text is an event type in its form: 1 to [`LONGEST`] bytes of allowed characters.
pub fn is_type(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && text.chars().all(may_stand) && form(text) == text
}

/// Whether a character is invisible: a variation selector, the combining grapheme joiner, a soft hyphen, a
/// joiner or a zero-width space.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0100}'..='\u{e01ef}')
}

fn bears_marks(c: char) -> bool {
    c.is_alphabetic() || is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_of_a_type_has_one_form() {
        for (spelling, expected) in [
            ("page_viewed", "page_viewed"),
            ("geprüft", "geprüft"),
            ("gepru\u{308}ft", "geprüft"),
            ("ｄｅｍｏ＿ｒｅｑｕｅｓｔｅｄ", "demo_requested"),
            ("ﬁnished", "finished"),
            ("i\u{307}letişim", "iletişim"),
            ("đăng_ký", "đăng_ký"),
            ("đa\u{306}ng_ky\u{301}", "đăng_ký"),
            ("हिन्दी_फ़ॉर्म", "हिन्दी_फ\u{93c}ॉर्म"),
            ("ที่", "ที่"),
            ("ශ්\u{200d}රී", "ශ්රී"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("葛\u{e0100}", "葛"),
            ("pay\u{200b}ment", "payment"),
            ("می\u{200c}خواهم", "میخواهم"),
            ("e\u{fe0f}\u{301}", "é"),
            ("a_\u{301}b", "a_b"),
        ] {
            assert_eq!(form(spelling), expected, "{spelling}");
            assert!(is_type(expected), "{expected}");
        }
    }

    #[test]
    fn what_is_no_type_in_its_form_is_none() {
        for text in ["", "Page", "page viewed", "Ａ", "a-b", "gepru\u{308}ft", "\u{301}a", &"x".repeat(101)]
        {
            assert!(!is_type(text), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn the_form_is_that_of_every_normal_form_and_of_itself(text in any::<String>(), marks in "[a-zié\\p{M}\u{200d}一]{0,12}") {
            for text in [text, marks] {
                let expected = form(&text).into_owned();
                let nfc: String = text.nfc().collect();
                let nfd: String = text.nfd().collect();
                let nfkc: String = text.nfkc().collect();
                let nfkd: String = text.nfkd().collect();
                for same in [nfc, nfd, nfkc, nfkd, expected.clone()] {
                    prop_assert_eq!(form(&same), expected.as_str(), "{:?} of {:?}", same, text);
                }
            }
        }
    }
}
