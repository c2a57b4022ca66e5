//! What programs write where they know nobody. As an id it would make one person of everybody whom they do not know.

use crate::platform::spelling;

/// Words that stand for nobody, in lower case: how languages write nothing, what libraries and tag managers send before
/// somebody is known, and names of fields that were never filled in.
const WORDS: [&str; 41] = [
    "(none)",
    "(not provided)",
    "(not set)",
    "-1",
    "0",
    "<nil>",
    "<null>",
    "[object object]",
    "[object undefined]",
    "[object]",
    "anonymous",
    "anonymous_id",
    "anonymousid",
    "distinct_id",
    "distinctid",
    "email",
    "empty",
    "false",
    "guest",
    "id",
    "n/a",
    "nan",
    "nil",
    "no_user",
    "none",
    "nonetype",
    "not set",
    "not_authenticated",
    "not_set",
    "null",
    "object",
    "optout",
    "true",
    "undefined",
    "unidentified",
    "unknown",
    "user id",
    "user_id",
    "userid",
    "visitor",
    "void",
];

/// What stands before the @ only where a template was filled in with nothing. Guests and people called Anonymous have
/// mailboxes.
const LOCAL_PARTS: [&str; 6] = ["[object object]", "nan", "null", "undefined", "(null)", "<nil>"];

/// What surrounds the name of a field in the template languages of mails and tag managers.
const TEMPLATES: [(&str, &str); 6] =
    [("{{", "}}"), ("${", "}"), ("*|", "|*"), ("%%", "%%"), ("<%", "%>"), ("[%", "%]")];

/// What programs put around such a word: quotation marks, brackets, and half a template.
const AROUND: [char; 12] = ['"', '\'', '`', '(', ')', '[', ']', '{', '}', '<', '>', '%'];

/// Whether a user id or an anonymous id is a placeholder: one of these words, in any case, in quotation marks, in brackets or
/// not; a UUID or a number of zeros alone; or a field of a template that was not filled in.
pub(super) fn is_id(text: &str) -> bool {
    let word = spelling::lower(text);
    let word = word.trim_matches(['"', '\'', '`']).trim();
    let bare = word.trim_matches(AROUND).trim();
    let zeros = word.contains('0') && word.chars().all(|c| matches!(c, '0' | '-' | '.' | '{' | '}'));
    let template = |(opening, closing): (&str, &str)| {
        word.len() > opening.len() + closing.len() && word.starts_with(opening) && word.ends_with(closing)
    };
    word.is_empty()
        || [word, bare].iter().any(|word| WORDS.binary_search(word).is_ok())
        || zeros
        || TEMPLATES.into_iter().any(template)
}

/// Whether an address, in its normal form, is a placeholder: such a word stands before the @, or on both sides.
pub(super) fn is_address(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    LOCAL_PARTS.contains(&local) || (is_id(local) && is_id(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_stand_in_the_order_in_which_they_are_searched() {
        assert!(WORDS.is_sorted());
    }

    #[test]
    fn what_programs_write_for_nobody_is_nobodys_id() {
        for text in [
            "undefined",
            "Null",
            "NaN",
            "None",
            "[object Object]",
            "0",
            "000",
            "-1",
            "anonymous",
            "Guest",
            "(not set)",
            "\"null\"",
            "'undefined'",
            "00000000-0000-0000-0000-000000000000",
            "{00000000-0000-0000-0000-000000000000}",
            "{{ user.id }}",
            "(null)",
            "[undefined]",
            "<undefined>",
            "{userId}",
            "%userid%",
            "{{userId",
            "NoneType",
            "0.0",
            "${userId}",
            "*|UNIQID|*",
            "\u{feff}undefined",
            "''",
        ] {
            assert!(is_id(text), "{text}");
        }
        for text in [
            "u1",
            "10",
            "-10",
            "nullius",
            "Noneman",
            "user_1",
            "a-0",
            "{u1}",
            "0x1",
            "{{",
            "-",
            "jane@acme.example",
        ] {
            assert!(!is_id(text), "{text}");
        }
    }

    #[test]
    fn an_address_is_nobodys_where_its_template_was_filled_in_with_nothing() {
        for text in
            ["undefined@undefined", "null@acme.example", "nan@acme.example", "none@none", "unknown@unknown"]
        {
            assert!(is_address(text), "{text}");
        }
        for text in
            ["guest@hotel.example", "anonymous@acme.example", "info@undefined.example", "0@acme.example"]
        {
            assert!(!is_address(text), "{text}");
        }
    }
}
