//! Placeholders: texts that programs write where they know nobody. If a placeholder were an id, all unknown
//! people would become one lead.

use crate::platform::spelling;

/// Placeholder words in lower case, sorted. They are the null values of languages, what libraries and tag
/// managers send for unknown users, and names of fields that were never filled in.
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

/// Local parts of addresses that only come from a template without a value. Other words, such as `guest` or
/// `anonymous`, may be real mailboxes.
const LOCAL_PARTS: [&str; 6] = ["[object object]", "nan", "null", "undefined", "(null)", "<nil>"];

/// The delimiters of fields in the template languages of mails and tag managers.
const TEMPLATES: [(&str, &str); 6] =
    [("{{", "}}"), ("${", "}"), ("*|", "|*"), ("%%", "%%"), ("<%", "%>"), ("[%", "%]")];

/// Characters that programs put around placeholder words: quotation marks, brackets and parts of templates.
const AROUND: [char; 12] = ['"', '\'', '`', '(', ')', '[', ']', '{', '}', '<', '>', '%'];

/// Whether a user id or an anonymous id is a placeholder. That is one of [`WORDS`] in any case, perhaps in
/// quotation marks or brackets; a UUID or number of zeros only; or a template field that was not filled in.
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

/// Whether an address in its normal form is a placeholder: its local part is one of [`LOCAL_PARTS`], or both
/// sides of the @ are placeholders.
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
