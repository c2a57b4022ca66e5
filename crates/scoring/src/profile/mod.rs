//! The profile: a fold of the traits that events carry.
//!
//! Of each attribute the newest fact wins: by `occurred_at`, then by the greater event id, then by the greater value as
//! compact JSON text (two identities of one lead may each have an event of that id). Null removes, and competes as a value
//! does. So traits may come in any order and late. Only events that count state anything: see [`EventRef::facts`].
//!
//! Two attributes are folded key by key. Of `company` each key is an attribute of its own, since several sources describe
//! one company. What was derived from traits when they arrived is recorded with them, as the members of `derived`; each
//! member is an attribute too, `derived.email_kind` for one, so an event that says nothing of an address leaves alone what is
//! known of it. A trait that only bears such a name is no derived attribute and is ignored.
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

/// Where derived attributes stand.
pub const DERIVED: &str = "derived";
/// How the names of derived attributes begin.
const OF_DERIVED: &str = "derived.";
/// The attribute that is folded key by key.
const COMPANY: &str = "company";

/// Attributes with when and by which event each was set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fold {
    /// All but the company.
    attributes: BTreeMap<String, Dated>,
    company: Company,
}

impl Fold {
    /// Folds the traits of one event in. Whether any value of the profile changed.
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

    /// Every fact that is kept, those that removed an attribute too, by the name of the attribute. A key of the company is
    /// named without `company.`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Dated)> {
        let attributes = self.attributes.iter().map(|(name, fact)| (name.as_str(), fact));
        attributes.chain(self.company.facts())
    }

    /// Every attribute that is known, by name, with its provenance. A key of the company is named as in `company.industry`.
    pub fn known(&self) -> impl Iterator<Item = (String, &Dated)> {
        let attributes = self.attributes.iter().map(|(name, fact)| (name.clone(), fact));
        attributes.chain(self.company.known()).filter(|(_, fact)| !fact.value.is_null())
    }

    /// The attributes as they stand, without those removed.
    pub fn to_profile(&self) -> Map<String, Value> {
        self.onto(Map::new())
    }

    /// A profile that is older than the fold, changed by it.
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
