//! Derived attributes: what an e-mail address, a phone number and a website show by themselves.
//!
//! Derived attributes are computed when an event arrives, and stored with its traits under `derived`. The
//! lists of mail domains differ from release to release. If scores used the lists when they are computed, a
//! stored score would differ from a replay of its log after an upgrade. So the result at arrival is part of
//! the event. A trait `derived` from a sender is dropped, so a sender cannot make false claims about an
//! address.
//!
//! Only the text decides. The service sends nothing to other servers and does not check whether a mailbox
//! exists.

mod company;
mod email;
mod lists;
mod phone;

use email::Address;
use scoring::profile::DERIVED;
use serde_json::{Map, Value, json};

use crate::platform::spelling;

/// Returns an event's traits with the derived attributes, for the log; `None` if there are neither. `address`
/// is the e-mail address by which the event names the person. A trait `email` wins over `address`.
pub fn record(traits: Option<Map<String, Value>>, address: Option<&str>) -> Option<Map<String, Value>> {
    let mut traits = traits.unwrap_or_default();
    traits.remove(DERIVED);
    let derived = derive(&traits, address);
    if !derived.is_empty() {
        traits.insert(DERIVED.to_owned(), Value::Object(derived));
    }
    Some(traits).filter(|traits| !traits.is_empty())
}

/// The attributes that are derived from traits. Null removes a derived attribute that no longer holds.
fn derive(traits: &Map<String, Value>, address: Option<&str>) -> Map<String, Value> {
    let mut derived = Map::new();
    let mut put = |name: &str, value: Value| derived.insert(name.to_owned(), value);
    let email = match (Said::of(traits.get("email")), address) {
        (Said::Nothing, Some(address)) => Said::in_text(address),
        (said, _) => said,
    };
    let address = email.text().map(Address::parse);
    if email != Said::Nothing {
        let known = address.as_ref().and_then(Option::as_ref);
        put("email_valid", json!(address.as_ref().map(Option::is_some)));
        put("email_domain", json!(known.map(|address| &address.domain)));
        put("email_kind", json!(known.map(|address| address.kind.as_str())));
    }
    let phone = Said::of(traits.get("phone"));
    if phone != Said::Nothing {
        put("phone_valid", json!(phone.text().map(phone::is_possible)));
    }
    let places = company::places(traits).map(Said::of);
    let domain = places.iter().filter_map(Said::text).find_map(company::domain);
    if let Some(domain) = domain.or_else(|| address.flatten()?.company()) {
        put("company_domain", json!(domain));
    } else if company::is_gone(traits) || places.contains(&Said::Gone) {
        put("company_domain", Value::Null);
    }
    derived
}

/// What an event says about an attribute.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    /// The attribute is null or blank. Forms send blank texts for fields that nobody filled in.
    Gone,
    Text(String),
}

impl Said {
    fn of(value: Option<&Value>) -> Said {
        match value {
            None => Said::Nothing,
            Some(Value::Null) => Said::Gone,
            Some(Value::String(text)) => Said::in_text(text),
            Some(other) => Said::in_text(&other.to_string()),
        }
    }

    /// Reads a text without invisible characters and outer white space.
    fn in_text(text: &str) -> Said {
        match spelling::plain(text) {
            text if text.is_empty() => Said::Gone,
            text => Said::Text(text),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Said::Text(text) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derived(traits: &Value, address: Option<&str>) -> Value {
        let recorded = record(Some(traits.as_object().unwrap().clone()), address).unwrap_or_default();
        recorded.get(DERIVED).cloned().unwrap_or_default()
    }

    #[test]
    fn an_address_is_told_by_its_domain_and_by_what_stands_before_it() {
        assert_eq!(
            derived(&json!({"email": " Jane@Mail.Acme.Example "}), None),
            json!({"email_valid": true, "email_domain": "mail.acme.example", "email_kind": "work",
                "company_domain": "acme.example"})
        );
        assert_eq!(
            derived(&json!({"email": "jane@gmail.com"}), None),
            json!({"email_valid": true, "email_domain": "gmail.com", "email_kind": "free"})
        );
        assert_eq!(
            derived(&json!({"email": "jane@acme"}), None),
            json!({"email_valid": false, "email_domain": null, "email_kind": null})
        );
    }

    #[test]
    fn the_address_that_names_somebody_is_looked_at_where_no_trait_says_another() {
        let kind = |traits: Value| derived(&traits, Some("jane@acme.example"))["email_kind"].clone();

        assert_eq!(kind(json!({"title": "CEO"})), "work");
        assert_eq!(kind(json!({"email": "jane@mailinator.com"})), "disposable");
        assert_eq!(kind(json!({"email": null})), Value::Null);
        assert_eq!(
            record(None, Some("jane@gmail.com")).unwrap()[DERIVED]["email_kind"],
            "free",
            "also of an identify that says nothing else"
        );
    }

    #[test]
    fn what_is_removed_or_left_blank_takes_along_what_followed_from_it() {
        for gone in [json!(null), json!(""), json!("  ")] {
            assert_eq!(
                derived(&json!({"email": gone, "phone": gone, "website": gone}), None),
                json!({"email_valid": null, "email_domain": null, "email_kind": null, "phone_valid": null,
                    "company_domain": null})
            );
        }
    }

    #[test]
    fn the_company_is_known_by_its_website_and_else_by_an_address_of_its_own() {
        let domain = |traits: Value| derived(&traits, None).get("company_domain").cloned();
        let both = json!({"email": "jane@acme.example", "company": {"website": "https://www.acme-group.example/de"}});

        assert_eq!(domain(both), Some(json!("acme-group.example")));
        assert_eq!(domain(json!({"email": "info@eu.acme.example"})), Some(json!("acme.example")));
        assert_eq!(
            domain(json!({"email": "jane@acme.example", "website": null})),
            Some(json!("acme.example"))
        );
        assert_eq!(
            domain(json!({"company": {"name": "Acme", "domain": "acme.example"}})),
            Some(json!("acme.example"))
        );
        assert_eq!(domain(json!({"email": "jane@gmail.com", "website": "n/a"})), None, "nothing new");
        assert_eq!(domain(json!({"company": null})), Some(Value::Null));
        assert_eq!(domain(json!({"company": "Acme"})), None);
    }

    #[test]
    fn a_company_that_is_taken_back_leaves_no_place_and_one_without_a_place_leaves_it_as_it_was() {
        let domain = |company: Value, address: Option<&str>| {
            derived(&json!({"company": company}), address).get("company_domain").cloned()
        };

        for gone in [Value::Null, json!({"name": "Acme", "website": null}), json!({"domain": " "})] {
            assert_eq!(domain(gone.clone(), None), Some(Value::Null), "{gone}");
            assert_eq!(domain(gone, Some("jane@acme.example")), Some(json!("acme.example")));
        }
        for company in [json!({"name": "Acme"}), json!({"website": "linkedin.com/company/acme"})] {
            assert_eq!(domain(company.clone(), Some("jane@gmail.com")), None);
            assert_eq!(domain(company, Some("jane@acme.example")), Some(json!("acme.example")));
        }
    }

    #[test]
    fn what_nobody_sees_and_how_a_letter_is_written_make_no_difference() {
        let plain = json!({"email": "jane@bücher.example", "phone": "+49 30 9018200"});
        let copied = json!({"email": "\u{feff}ja\u{200b}ne@bu\u{308}cher.example\u{200e}",
            "phone": "\u{202a}＋４９ 30 9018200\u{202c}"});

        assert_eq!(derived(&copied, None), derived(&plain, None));
        assert_eq!(derived(&json!({}), Some("jane@bu\u{308}cher.example"))["email_valid"], true);
        assert_eq!(derived(&json!({"phone": "\u{200b}"}), None), json!({"phone_valid": null}));
        assert_eq!(derived(&json!({"phone": -491_519_018_200_i64}), None), json!({"phone_valid": false}));
    }

    #[test]
    fn a_senders_own_word_is_dropped_and_what_says_nothing_stays_as_it_is() {
        let lie = json!({"title": "CEO", "derived": {"email_kind": "work"}});

        assert_eq!(record(lie.as_object().cloned(), None), json!({"title": "CEO"}).as_object().cloned());
        assert_eq!(record(json!({"derived": 1}).as_object().cloned(), None), None);
        assert_eq!(record(None, None), None);
    }
}
