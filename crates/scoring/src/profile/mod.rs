//! The profile: a fold of the traits that events carry.
//!
//! The newest fact of an attribute wins, by `occurred_at`. If two facts have the same instant, the greater
//! event id wins. If the ids are equal too, the greater value as compact JSON text wins: two identities of
//! one lead may each have an event with the same id. Null removes the attribute, and competes like a value.
//! So traits may come late and in any order. Only events that count change the profile: see
//! [`EventRef::facts`].
//!
//! Two attributes are folded key by key. Each key of `company` is an attribute of its own, because several
//! sources may describe one company. The trait `derived` has what the service derived from the other traits
//! when the event arrived. Each of its keys is an attribute of its own, such as `derived.email_kind`. So an
//! event without an address does not change what was derived from an earlier address. A trait whose own name
//! begins with `derived.` is ignored.
//!
//! [`EventRef::facts`]: crate::EventRef::facts

mod company;
mod fact;
mod stored;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::time::Instant;
use company::Company;
pub use fact::Dated;

/// The attribute that contains the derived attributes.
pub const DERIVED: &str = "derived";
/// The prefix of the names of derived attributes.
const OF_DERIVED: &str = "derived.";
/// The attribute that is folded key by key.
const COMPANY: &str = "company";

/// The newest fact of every attribute, with its date and event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fold {
    /// The facts of all attributes but `company`, by name.
    attributes: BTreeMap<String, Dated>,
    company: Company,
}

impl Fold {
    /// Folds in the traits of one event. Returns whether any value of the profile changed.
    pub fn apply(&mut self, traits: &Map<String, Value>, at: Instant, event_id: &str) -> bool {
        let mut changed = false;
        for (attribute, value) in traits {
            if attribute == COMPANY {
                changed |= self.company.state(value, at, event_id);
            } else if attribute == DERIVED {
                for (name, value) in value.as_object().into_iter().flatten() {
                    changed |= self.set(&format!("{OF_DERIVED}{name}"), value, at, event_id);
                }
            } else if !attribute.starts_with(OF_DERIVED) {
                changed |= self.set(attribute, value, at, event_id);
            }
        }
        changed
    }

    fn set(&mut self, attribute: &str, value: &Value, at: Instant, event_id: &str) -> bool {
        let before = self.attributes.get(attribute);
        let fact = Dated { value: value.clone(), at, event_id: event_id.to_owned() };
        if before.is_some_and(|before| before.outlasts(&fact)) {
            return false;
        }
        let changed = before.map_or(&Value::Null, |before| &before.value) != value;
        self.attributes.insert(attribute.to_owned(), fact);
        changed
    }

    /// All stored facts, by the name of the attribute, also facts that removed an attribute. A key of the
    /// company has its name without `company.`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Dated)> {
        let attributes = self.attributes.iter().map(|(name, fact)| (name.as_str(), fact));
        attributes.chain(self.company.facts())
    }

    /// Every known attribute by name, with its value, date and event. A key of the company has a name such as
    /// `company.industry`.
    pub fn known(&self) -> impl Iterator<Item = (String, &Dated)> {
        let attributes = self.attributes.iter().map(|(name, fact)| (name.clone(), fact));
        attributes.chain(self.company.known()).filter(|(_, fact)| !fact.value.is_null())
    }

    /// The attributes with their current values, without removed attributes.
    pub fn to_profile(&self) -> Map<String, Value> {
        self.onto(Map::new())
    }

    /// The given profile with the facts of this fold applied. The profile counts as older than every fact.
    #[must_use]
    pub fn onto(&self, mut profile: Map<String, Value>) -> Map<String, Value> {
        let company = self.company.onto(profile.remove(COMPANY));
        profile.extend(company.map(|company| (COMPANY.to_owned(), company)));
        let mut derived = match profile.remove(DERIVED) {
            Some(Value::Object(derived)) => derived,
            _ => Map::new(),
        };
        for (attribute, fact) in &self.attributes {
            match attribute.strip_prefix(OF_DERIVED) {
                Some(name) => fact.enter(&mut derived, name),
                None => fact.enter(&mut profile, attribute),
            }
        }
        if !derived.is_empty() {
            profile.insert(DERIVED.to_owned(), Value::Object(derived));
        }
        profile
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fold(events: &[(i64, Value)]) -> Fold {
        let mut fold = Fold::default();
        for (at, traits) in events {
            fold.apply(traits.as_object().unwrap(), Instant::from_micros(*at), "e");
        }
        fold
    }

    #[test]
    fn each_derived_attribute_is_dated_by_itself() {
        let fold = fold(&[
            (2, json!({"email": "b@free.example", "derived": {"email_kind": "free", "email_valid": true}})),
            (
                1,
                json!({"email": "a@acme.example", "derived": {"email_kind": "work", "company_domain": "acme.example"}}),
            ),
            (3, json!({"phone": "n/a", "derived": {"phone_valid": false, "email_valid": null}})),
        ]);

        let derived = json!({"email_kind": "free", "company_domain": "acme.example", "phone_valid": false});
        assert_eq!(Value::Object(fold.to_profile())["derived"], derived);
        let kind = fold.known().find(|(name, _)| name == "derived.email_kind");
        assert_eq!(kind.map(|(_, fact)| fact.at), Some(Instant::from_micros(2)));
        assert_eq!(serde_json::from_value::<Fold>(json!(fold)).unwrap(), fold);
    }

    #[test]
    fn derived_attributes_come_on_top_of_those_of_an_older_profile() {
        let older = json!({"title": "CEO", "derived": {"email_kind": "work", "email_valid": true}});
        let onto = |traits: Value| fold(&[(1, traits)]).onto(older.as_object().unwrap().clone());

        assert_eq!(
            onto(json!({"derived": {"email_kind": "free"}}))["derived"],
            json!({"email_kind": "free", "email_valid": true})
        );
        assert_eq!(
            Value::Object(onto(json!({"size": 1}))),
            json!({"title": "CEO", "size": 1, "derived": older["derived"]})
        );
        let gone = onto(json!({"derived": {"email_kind": null, "email_valid": null}}));
        assert_eq!(Value::Object(gone), json!({"title": "CEO"}));
    }

    #[test]
    fn a_trait_that_only_bears_the_name_of_a_derived_attribute_is_none() {
        assert_eq!(fold(&[(1, json!({"derived.email_kind": "work", "derived": "work"}))]), Fold::default());
    }
}
