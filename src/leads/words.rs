//! Search words: the words of a lead's names, company, e-mail addresses and user ids, by which the lead is
//! found.
//!
//! Words are compared in lower case and without accents. The words of a lead are a function of its attributes
//! and identities; the stored words always equal the result of this function. [`VERSION`] counts the changes
//! to this function.

use std::collections::{BTreeMap, BTreeSet};

use scoring::profile::Fold;
use serde_json::Value;
use sqlx::PgConnection;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{attributes::attributes_of, store};
use crate::platform::{ids::LeadId, spelling};

/// The version of these rules. After a higher version is installed, the sweep `make_words` makes the words of
/// all leads again.
pub(crate) const VERSION: i32 = 2;

/// The most characters of a word; the rest is cut off.
const LONGEST: usize = 60;
/// The most words of a lead. Words that come later in the alphabet are left out.
const MOST: usize = 200;
/// The most bytes of a domain label.
const LONGEST_LABEL: usize = 63;
/// Beginnings of words up to this many characters are stored as entries of their own.
const SHORT: usize = 2;

/// The attributes whose words count.
const ATTRIBUTES: [&str; 11] = [
    "company",
    "companyName",
    "company_domain",
    "company_name",
    "domain",
    "email",
    "firstName",
    "first_name",
    "lastName",
    "last_name",
    "name",
];
/// The members whose words count, if an attribute is an object.
const MEMBERS: [&str; 2] = ["domain", "name"];

/// Whether the words of a lead depend on an attribute. A member of an object is named as in `company.name`.
pub fn counts(attribute: &str) -> bool {
    attribute == "derived.company_domain"
        || match attribute.split_once('.') {
            Some((name, member)) => ATTRIBUTES.contains(&name) && MEMBERS.contains(&member),
            None => ATTRIBUTES.contains(&attribute),
        }
}

/// Makes the words of locked leads and writes the words that changed. `profiles` has the attributes that the
/// caller already knows; the others are read.
pub async fn write_words(
    conn: &mut PgConnection,
    leads: &[LeadId],
    mut profiles: BTreeMap<LeadId, Fold>,
) -> sqlx::Result<()> {
    if leads.is_empty() {
        return Ok(());
    }
    let apart: Vec<LeadId> = leads.iter().copied().filter(|lead| !profiles.contains_key(lead)).collect();
    profiles.extend(attributes_of(conn, &apart).await?);
    let mut named: BTreeMap<LeadId, Vec<String>> = BTreeMap::new();
    for row in store::names_of(conn, leads).await? {
        named.entry(row.lead_id).or_default().push(row.value);
    }
    let nothing = (Fold::default(), Vec::new());
    let words: Vec<String> = leads
        .iter()
        .map(|lead| {
            let profile = profiles.get(lead).unwrap_or(&nothing.0);
            entries(&of(profile, named.get(lead).unwrap_or(&nothing.1)))
        })
        .collect();
    store::write_words(conn, leads, &words).await
}

/// The words of a lead.
fn of(profile: &Fold, identities: &[String]) -> BTreeSet<String> {
    let profile = profile.to_profile();
    let mut found = BTreeSet::new();
    let mut read = |value: &Value| {
        if let Value::String(text) = value {
            found.extend(split(text));
        }
    };
    for value in ATTRIBUTES.iter().filter_map(|name| profile.get(*name)) {
        read(value);
        MEMBERS.iter().filter_map(|member| value.get(*member)).for_each(&mut read);
    }
    if let Some(domain) = profile.get("derived").and_then(|derived| derived.get("company_domain")) {
        read(domain);
    }
    found.extend(identities.iter().flat_map(|identity| split(identity)));
    found.into_iter().take(MOST).collect()
}

/// The stored form of words: the words and their short beginnings, separated by spaces.
fn entries(words: &BTreeSet<String>) -> String {
    let beginnings = words.iter().flat_map(|word| (1..=SHORT).map(move |length| beginning(word, length)));
    let entries: BTreeSet<&str> = words.iter().map(String::as_str).chain(beginnings).collect();
    entries.into_iter().collect::<Vec<_>>().join(" ")
}

fn beginning(word: &str, length: usize) -> &str {
    word.char_indices().nth(length).map_or(word, |(end, _)| &word[..end])
}

/// The search question (a `tsquery`) for leads that have, for each word of a text, a word with this
/// beginning. Empty if the text has no words; no lead matches then.
pub(crate) fn question(text: &str) -> String {
    let parts: Vec<String> = split(text)
        .into_iter()
        .map(|word| if word.chars().count() > SHORT { format!("'{word}':*") } else { format!("'{word}'") })
        .collect();
    parts.join(" & ")
}

/// Decodes Punycode labels in a text in lower case: `xn--bcher-kva` becomes `bücher`. Other words, and words
/// longer than a label, stay as they are.
fn legible(text: &str) -> String {
    let label = |part: &str| {
        let coded = part.strip_prefix("xn--").filter(|_| part.len() <= LONGEST_LABEL)?;
        idna::punycode::decode_to_string(coded)
    };
    let parts = text.split_inclusive(|c: char| !c.is_alphanumeric() && c != '-');
    parts.fold(String::with_capacity(text.len()), |mut legible, part| {
        let end = part.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '-').len();
        let (word, rest) = part.split_at(end);
        legible.push_str(label(word).as_deref().unwrap_or(word));
        legible.push_str(rest);
        legible
    })
}

/// The words of a text: runs of letters and digits, in lower case and without accents. Invisible characters
/// and apostrophes do not split a word. Punycode labels are decoded.
fn split(text: &str) -> BTreeSet<String> {
    let plain = spelling::lower(&legible(&spelling::lower(text)));
    let mut folded = String::with_capacity(plain.len());
    let letters =
        plain.nfkd().filter(|c| !is_combining_mark(*c) && !matches!(c, '\'' | '\u{2019}' | '\u{02bc}'));
    for letter in letters {
        match apart(letter) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(letter),
        }
    }
    let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| beginning(word, LONGEST).to_owned()).collect()
}

/// Letters that Unicode does not decompose into a letter and an accent, with the letters that people type
/// instead.
fn apart(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ı' => "i",
        // The form of the letter σ at the end of a word.
        'ς' => "σ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use scoring::Instant;
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_folded_the_same_way_in_leads_and_in_questions() {
        let words = |text: &str| split(text).into_iter().collect::<Vec<_>>().join(" ");

        assert_eq!(words("  Łukasz O’Neil-Müller, STRAẞE İpek "), "ipek lukasz muller oneil strasse");
        assert_eq!(words("jane.doe+x@north-cloud.example"), "cloud doe example jane north x");
        assert_eq!(words("北京 株式会社"), "北京 株式会社");
        assert_eq!(words("jane@xn--bcher-kva.example"), words("jane@bücher.example"));
        assert_eq!(words("xn--bcher-kva.xn--p1ai, xn--"), "bucher рф");
        assert_eq!(words("Ａｃｍｅ ﬁn"), "acme fin");
        assert_eq!(words("ΟΔΟΣ οδος"), words("οδοσ"));
        assert_eq!(words("Camp\u{ad}bell\u{200b} नमस्\u{200d}ते"), words("Campbell नमस्ते"));
        assert_eq!(question("North CLOUD"), "'cloud':* & 'north':*");
        assert_eq!(question("jo"), "'jo'");
        assert_eq!(question(" @ . "), "");
    }

    #[test]
    fn a_domain_has_the_same_words_however_it_is_written() {
        let words = |text: &str| split(text).into_iter().collect::<Vec<_>>().join(" ");
        for (text, expected) in [
            ("münchen.de", "de munchen"),
            ("xn--mnchen-3ya.de", "de munchen"),
            ("XN--MNCHEN-3YA.DE", "de munchen"),
            ("MÜNCHEN.DE", "de munchen"),
            ("mu\u{308}nchen。de", "de munchen"),
            ("ｘｎ－－ｍｎｃｈｅｎ－３ｙａ．ｄｅ", "de munchen"),
            ("xn--strae-oqa.de", "de strasse"),
            ("straße.de", "de strasse"),
            ("xn--e1afmkfd.xn--p1ai", "пример рф"),
            ("пример.рф", "пример рф"),
            // Latin with one letter in Cyrillic is another word, as it is another domain.
            ("xn--pple-43d.com", "com аpple"),
            ("xn--, xn--\u{e4}.de", "a de xn"),
            ("xn--99999999999", "99999999999 xn"),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        let long = format!("xn--{}", "a".repeat(60_000));
        assert_eq!(words(&long), format!("{} xn", "a".repeat(LONGEST)), "it is read at once");
        assert_eq!(question("'xn--a' \\ & ! <-> :* b"), "'b'", "what is no letter asks for nothing");
    }

    #[test]
    fn a_lead_is_found_by_names_company_addresses_and_ids_and_by_nothing_else() {
        let mut fold = Fold::default();
        let traits = json!({
            "firstName": "Zoë", "last_name": "Campbell", "title": "Director", "name": 7,
            "company": {"name": "North Cloud", "domain": "northcloud.example", "industry": "Shipping"},
        });
        fold.apply(traits.as_object().unwrap(), Instant::from_micros(1), "e");

        let found = of(&fold, &["CRM:42".to_owned(), "zoe@mail.example".to_owned()]);

        let expected = ["42", "campbell", "cloud", "crm", "example", "mail", "north", "northcloud", "zoe"];
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
        assert!(
            counts("company.name") && counts("lastName") && !counts("company.industry") && !counts("title")
        );
        assert_eq!(entries(&BTreeSet::from(["zoe".to_owned()])), "z zo zoe");
    }
}
