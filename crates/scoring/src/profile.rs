//! The profile: a fold of the traits that events carry.
//!
//! Of each attribute the newest `occurred_at` wins, ties by the greater event id; null removes. So traits may come
//! in any order and late. What is derived from them stands under `derived` and is never sent: such a trait is
//! ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::time::Instant;

/// Where derived attributes stand.
pub const DERIVED: &str = "derived";

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

impl Fold {
    /// Folds the traits of one event in. Whether any value of the profile changed.
    pub fn apply(&mut self, traits: &Map<String, Value>, at: Instant, event_id: &str) -> bool {
        let mut changed = false;
        for (attribute, value) in traits.iter().filter(|(attribute, _)| attribute.as_str() != DERIVED) {
            let before = self.0.get(attribute);
            if before.is_some_and(|dated| (dated.at, dated.event_id.as_str()) >= (at, event_id)) {
                continue;
            }
            changed |= before.map_or(&Value::Null, |dated| &dated.value) != value;
            let dated = Dated { value: value.clone(), at, event_id: event_id.to_owned() };
            self.0.insert(attribute.clone(), dated);
        }
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
        for (attribute, dated) in &self.0 {
            if dated.value.is_null() {
                profile.remove(attribute);
            } else {
                profile.insert(attribute.clone(), dated.value.clone());
            }
        }
        profile
    }
}
