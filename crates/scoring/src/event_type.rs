//! Types of events in any script, in one form.
//!
//! Two spellings of one word are one type: `é` as one character or as two, letters of full width, the ligature `ﬁ`. A
//! service puts the type of an event into this form when the event comes, a model when it is read. A rule compares forms, so
//! it also meets what an older release put into the log in another spelling.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// How long a type may be, in bytes.
pub const LONGEST: usize = 100;

/// The dot above. Lower case of a dotted capital I is `i` with this mark, which says nothing beside an `i`.
const DOT_ABOVE: char = '\u{307}';

/// The form of a type. It is NFKC without what nobody sees: signs without width, marks that choose among pictures of a
/// character, and marks that follow no letter. The form of a form is itself; of lower-case ASCII too.
pub fn form(kind: &str) -> Cow<'_, str> {
    if kind.is_ascii() {
        return Cow::Borrowed(kind);
    }
    // What is left out may bring two characters together that are one in NFKC. Each further pass is shorter.
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

/// Whether a character may stand in a type: letters that are no capitals, their marks, digits, and the underscore.
pub fn may_stand(c: char) -> bool {
    c == '_' || is_combining_mark(c) || (c.is_alphanumeric() && !c.is_uppercase())
}

/// Whether a text is a type of events, in its form.
pub fn is_type(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && text.chars().all(may_stand) && form(text) == text
}

/// Marks that choose among pictures of a character, the one that only keeps marks apart, and signs that nobody sees: soft
/// hyphens, joiners, spaces without width.
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
