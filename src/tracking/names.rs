//! Names of events as people write them, in any script, as types of events.

use heck::ToSnakeCase;
use unicode_normalization::UnicodeNormalization;

use crate::ingest::event::{LONGEST_TYPE, may_stand_in_type};

/// A name in snake case, of characters that a type may have, and at most as long as a type may be. A name of symbols alone
/// becomes the numbers of its characters, such as `u1f389`; a name of ASCII punctuation alone becomes nothing.
///
/// What comes of it stays as it is when it is brought into snake case again.
pub(super) fn snake_case(name: &str) -> String {
    let letters: String = name.to_snake_case().chars().flat_map(letters).collect();
    let words = match join(letters.split('_')) {
        empty if empty.is_empty() => {
            join(name.chars().filter(|c| is_symbol(*c)).map(|c| format!("u{:x}", u32::from(c))))
        }
        words => words,
    };
    let end = words.floor_char_boundary(LONGEST_TYPE);
    words[..end].trim_end_matches('_').to_owned()
}

/// A letter that a type may have; for another one, those in its place: `c` for `\u{2102}`, and nothing for the dot that the
/// capital `\u{130}` leaves behind.
fn letters(c: char) -> Vec<char> {
    if may_stand_in_type(c) {
        return vec![c];
    }
    [c].into_iter().nfkc().flat_map(char::to_lowercase).filter(|c| may_stand_in_type(*c)).collect()
}

/// Whether a character says something by itself. Punctuation does not, nor do marks that change the look of another one.
fn is_symbol(c: char) -> bool {
    let marks = ['\u{2000}'..='\u{206f}', '\u{fe00}'..='\u{fe0f}', '\u{feff}'..='\u{feff}'];
    !c.is_ascii() && !c.is_whitespace() && !c.is_control() && !marks.iter().any(|marks| marks.contains(&c))
}

fn join(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut joined = String::new();
    for word in words {
        if !joined.is_empty() && !word.as_ref().is_empty() {
            joined.push('_');
        }
        joined.push_str(word.as_ref());
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ingest::event::check_kind;

    #[test]
    fn ordinary_names_are_as_they_always_were() {
        for (name, expected) in [
            ("Demo Requested", "demo_requested"),
            ("demo_requested", "demo_requested"),
            ("signedUp", "signed_up"),
            ("HTTPRequest v2", "http_request_v2"),
            ("  Trial -- Started!  ", "trial_started"),
            ("\u{1f389} Demo", "demo"),
            ("Angebot geprüft", "angebot_geprüft"),
            ("Заявка Отправлена", "заявка_отправлена"),
            ("資料請求", "資料請求"),
        ] {
            assert_eq!(snake_case(name), expected, "{name}");
        }
    }

    #[test]
    fn a_name_in_any_script_becomes_a_type() {
        for (name, expected) in [
            ("İletişim Formu Gönderildi", "iletişim_formu_gönderildi"),
            ("\u{2102} Viewed", "c_viewed"),
            ("\u{1d538}\u{1d539}", "ab"),
            ("\u{1f389}", "u1f389"),
            ("\u{2764}\u{fe0f}", "u2764"),
            ("\u{1f468}\u{200d}\u{1f4bb}", "u1f468_u1f4bb"),
            ("\u{1f170}", "u1f170"),
            ("Plan \u{1f170} Chosen", "plan_chosen"),
        ] {
            assert_eq!(snake_case(name), expected, "{name}");
            assert!(check_kind(expected).is_ok(), "{expected}");
        }
    }

    #[test]
    fn punctuation_alone_is_no_name() {
        for name in ["???", " - ", "_", "\u{200b}", "\u{fe0f}"] {
            assert_eq!(snake_case(name), "", "{name:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_between_two_characters() {
        let (long, wide) = (snake_case(&"Word ".repeat(1_000)), snake_case(&"界".repeat(1_000)));

        assert!(
            long.len() <= LONGEST_TYPE && long.starts_with("word_word") && !long.ends_with('_'),
            "{long}"
        );
        assert_eq!(wide, "界".repeat(LONGEST_TYPE / 3));
        assert!(check_kind(&long).is_ok() && check_kind(&wide).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn what_comes_of_a_name_is_a_type_and_stays_as_it_is(name in any::<String>(), also in "(?s).{0,40}") {
            for name in [name, also] {
                let kind = snake_case(&name);

                prop_assert!(kind.len() <= LONGEST_TYPE && kind.chars().all(may_stand_in_type), "{kind:?}");
                prop_assert_eq!(snake_case(&kind), kind.clone(), "{:?}", name);
                let says = |c: char| c.is_alphanumeric() || is_symbol(c);
                prop_assert_eq!(kind.is_empty(), !name.chars().any(says), "{:?}", name);
            }
        }
    }
}
