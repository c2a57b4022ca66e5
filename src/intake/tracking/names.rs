//! Turning names of events, as people write them in any script, into types.

use scoring::event_type::{self, LONGEST, may_stand};
use unicode_normalization::char::is_combining_mark;

/// Turns a name into a type: `snake_case`, in normal form, at most [`LONGEST`] bytes.
///
/// A name of symbols alone becomes the code points of its characters, such as `u1f389`. A name of punctuation
/// alone becomes an empty text.
///
/// All spellings of a name become the same type. Turning the type again gives the same type.
pub(super) fn snake_case(name: &str) -> String {
    let name = event_type::form(name);
    let small = words(&name).iter().map(|word| lower_case(word)).collect::<Vec<_>>().join("_");
    let type_of = join(event_type::form(&small).split('_'));
    if type_of.is_empty() {
        return cut(&join(name.chars().filter(|c| is_symbol(*c)).map(|c| format!("u{:x}", u32::from(c)))));
    }
    cut(&type_of)
}

/// Splits a name into words. A word ends in three cases: before a character that is no letter, mark or digit;
/// before a capital that follows a small letter; and before the last of several capitals, if a small letter
/// follows.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_capital: Option<bool> = None;
    for (at, c) in name.char_indices() {
        let mut letters = name[at..].chars().filter(|c| !is_combining_mark(*c));
        let before_small = letters.nth(1).is_some_and(char::is_lowercase);
        let begins = c.is_uppercase() && after_capital.is_some_and(|capital| !capital || before_small);
        if begins || !stands_in_word(c) {
            words.push(String::new());
            after_capital = None;
        }
        if stands_in_word(c) {
            words.last_mut().into_iter().for_each(|word| word.push(c));
            after_capital =
                if c.is_uppercase() || c.is_lowercase() { Some(c.is_uppercase()) } else { after_capital };
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether the lower-case form of a character may stand in a type.
fn stands_in_word(c: char) -> bool {
    c != '_' && c.to_lowercase().all(may_stand)
}

/// Turns a word into lower case. A sigma at its end becomes a final sigma.
fn lower_case(word: &str) -> String {
    let small = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
    word.strip_suffix('Σ').map_or_else(|| small(word), |start| small(start) + "ς")
}

/// Whether a character means something by itself. Punctuation and combining marks do not.
fn is_symbol(c: char) -> bool {
    let unseen = ['\u{2000}'..='\u{206f}', '\u{feff}'..='\u{feff}'];
    let speaks = !c.is_ascii() && !c.is_whitespace() && !c.is_control() && !is_combining_mark(c);
    speaks && !unseen.iter().any(|unseen| unseen.contains(&c))
}

/// Cuts a text to the length of a type. No letter loses the combining marks that follow it.
fn cut(words: &str) -> String {
    let mut end = words.floor_char_boundary(LONGEST);
    while words[end..].starts_with(is_combining_mark) {
        end = words.floor_char_boundary(end - 1);
    }
    words[..end].trim_end_matches('_').to_owned()
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

    use heck::ToSnakeCase;
    use scoring::event_type::is_type;
    use unicode_normalization::UnicodeNormalization;

    use super::*;

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
            ("हिन्दी फ़ॉर्म", "हिन्दी_फ\u{93c}ॉर्म"),
            ("ส่งฟอร์มที่หน้าราคา", "ส่งฟอร์มที่หน้าราคา"),
            ("Đã Gửi Biểu Mẫu", "đã_gửi_biểu_mẫu"),
            ("Đa\u{303} Gu\u{31b}\u{309}i", "đã_gửi"),
            ("Ｄｅｍｏ　Ｒｅｑｕｅｓｔｅｄ", "demo_requested"),
            ("ﾌｫｰﾑ送信", "フォーム送信"),
            ("ශ්\u{200d}රී ලංකා", "ශ්රී_ලංකා"),
            ("I\u{307}letişim", "iletişim"),
            ("QB\u{303}c", "q_b\u{303}c"),
        ] {
            assert_eq!(snake_case(name), expected, "{name}");
            assert!(is_type(expected), "{expected}");
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

        assert!(long.len() <= LONGEST && long.starts_with("word_word") && !long.ends_with('_'), "{long}");
        assert_eq!(wide, "界".repeat(LONGEST / 3));
        let marked = snake_case(&"ที่".repeat(100));
        assert_eq!(marked, "ที่".repeat(LONGEST / 9));
        assert!(is_type(&long) && is_type(&wide) && is_type(&marked));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn what_comes_of_a_name_is_a_type_and_stays_as_it_is(name in any::<String>(), also in "(?s).{0,40}") {
            for name in [name, also] {
                let kind = snake_case(&name);

                prop_assert!(kind.is_empty() || is_type(&kind), "{kind:?}");
                prop_assert_eq!(snake_case(&kind), kind.clone(), "{:?}", name);
                let says = |c: char| c.is_alphanumeric() || is_symbol(c);
                prop_assert_eq!(kind.is_empty(), !event_type::form(&name).chars().any(says), "{:?}", name);
            }
        }

        #[test]
        fn every_spelling_of_a_name_becomes_one_type(
            name in any::<String>(),
            marked in "[A-Za-zÀ-ÿΑ-ωА-яİŁ一\\p{M}\u{200c}\u{200d} _0-9]{0,16}",
            indic in "[\u{900}-\u{97f}\u{e00}-\u{e4f}\u{d80}-\u{dff}\u{1100}-\u{11ff} ]{0,16}",
        ) {
            for name in [name, marked, indic] {
                let kind = snake_case(&name);
                let nfc: String = name.nfc().collect();
                let nfd: String = name.nfd().collect();
                let nfkc: String = name.nfkc().collect();
                let nfkd: String = name.nfkd().collect();
                for same in [nfc, nfd, nfkc, nfkd] {
                    prop_assert_eq!(snake_case(&same), kind.as_str(), "{:?} of {:?}", same, name);
                }
                prop_assert!(kind.is_empty() || is_type(&kind), "{kind:?}");
                prop_assert_eq!(snake_case(&kind), kind.as_str(), "{:?}", name);
            }
        }

        #[test]
        fn a_name_of_letters_without_marks_has_the_words_that_it_always_had(name in "[A-Za-zÀ-ÖØ-öø-ÿΑ-ΡΣ-ΩА-яěł一-三0-9 _.-]{0,20}") {
            prop_assert_eq!(snake_case(&name), name.to_snake_case(), "{:?}", name);
        }
    }
}
