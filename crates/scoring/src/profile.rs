//! The profile: a fold of the traits that events carry.
//!
//! Of each attribute the newest `occurred_at` wins, ties by the greater event id, then by the greater text of the value (two
//! identities of one lead may each have an event of that id); null removes. So traits may come in any order and late. What
//! was derived from traits when they arrived is recorded with them, as the members of `derived`.
//! Each member is an attribute of its own, `derived.email_kind` for one, so an event that says nothing of an address leaves
//! alone what is known of it. A trait that only bears such a name is no derived attribute and is ignored.

use std::{cmp::Ordering, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::time::Instant;

/// Where derived attributes stand.
pub const DERIVED: &str = "derived";
/// How the names of derived attributes begin.
const OF_DERIVED: &str = "derived.";

/// Attributes with when and by which event each was set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fold(BTreeMap<String, Dated>);

/// An attribute's value and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dated {
    /// Null if the attribute was removed: that is kept, so that an older value that comes late stays removed.
    pub value: Value,
    /// When it was set.
    pub at: Instant,
    /// By which event.
    pub event_id: String,
}

impl Dated {
    /// Whether it stands against a value that an event sets; against itself, too.
    fn outlasts(&self, value: &Value, at: Instant, event_id: &str) -> bool {
        let text = Value::to_string;
        match (self.at, self.event_id.as_str()).cmp(&(at, event_id)) {
            Ordering::Equal => text(&self.value) >= text(value),
            order => order.is_gt(),
        }
    }
}

impl Fold {
    /// Folds the traits of one event in. Whether any value of the profile changed.
    pub fn apply(&mut self, traits: &Map<String, Value>, at: Instant, event_id: &str) -> bool {
        let mut changed = false;
        for (attribute, value) in traits {
            if attribute == DERIVED {
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
        let before = self.0.get(attribute);
        if before.is_some_and(|dated| dated.outlasts(value, at, event_id)) {
            return false;
        }
        let changed = before.map_or(&Value::Null, |dated| &dated.value) != value;
        let dated = Dated { value: value.clone(), at, event_id: event_id.to_owned() };
        self.0.insert(attribute.to_owned(), dated);
        changed
    }

    /// The attribute's value and where it comes from, also when it was removed.
    pub fn get(&self, attribute: &str) -> Option<&Dated> {
        self.0.get(attribute)
    }

    /// Every attribute, removed ones too, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Dated)> {
        self.0.iter().map(|(attribute, dated)| (attribute.as_str(), dated))
    }

    /// The attributes as they stand, without those removed.
    pub fn to_profile(&self) -> Map<String, Value> {
        self.onto(Map::new())
    }

    /// A profile that is older than the fold, changed by it.
    #[must_use]
    pub fn onto(&self, mut profile: Map<String, Value>) -> Map<String, Value> {
        let mut derived = match profile.remove(DERIVED) {
            Some(Value::Object(derived)) => derived,
            _ => Map::new(),
        };
        for (attribute, dated) in &self.0 {
            let (place, name) = match attribute.strip_prefix(OF_DERIVED) {
                Some(name) => (&mut derived, name),
                None => (&mut profile, attribute.as_str()),
            };
            if dated.value.is_null() {
                place.remove(name);
            } else {
                place.insert(name.to_owned(), dated.value.clone());
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
        assert_eq!(fold.get("derived.email_kind").map(|dated| dated.at), Some(Instant::from_micros(2)));
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
