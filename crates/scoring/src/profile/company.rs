//! The attribute `company`, folded key by key.
//!
//! An object sets each of its keys. Null removes every key, also a key whose older fact comes late. A value
//! of another type removes no key; it is the company's value only while no key is known.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::COMPANY;
use super::fact::Dated;
use crate::time::Instant;

/// The facts about the company.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Company {
    /// The newest fact of each key, unless `cleared` is newer. The value is null for a key that was removed.
    pub(super) keys: BTreeMap<String, Dated>,
    /// The newest fact that sets the whole company to null.
    pub(super) cleared: Option<Dated>,
    /// The newest fact whose value is no object; the value may be null.
    pub(super) whole: Option<Dated>,
}

impl Company {
    /// Folds in the value of one event. Returns whether the company changed.
    pub(super) fn state(&mut self, value: &Value, at: Instant, event_id: &str) -> bool {
        let before = self.onto(None);
        let fact = |value: &Value| Dated { value: value.clone(), at, event_id: event_id.to_owned() };
        match value {
            Value::Object(members) => members.iter().for_each(|(key, value)| self.set(key, fact(value))),
            Value::Null => self.clear(fact(value)),
            _ => fact(value).compete(&mut self.whole),
        }
        before != self.onto(None)
    }

    fn set(&mut self, key: &str, fact: Dated) {
        let outlasts = |before: &Dated| before.outlasts(&fact);
        if !self.cleared.as_ref().is_some_and(outlasts) && !self.keys.get(key).is_some_and(outlasts) {
            self.keys.insert(key.to_owned(), fact);
        }
    }

    fn clear(&mut self, fact: Dated) {
        self.keys.retain(|_, known| !fact.outlasts(known));
        fact.clone().compete(&mut self.whole);
        fact.compete(&mut self.cleared);
    }

    /// Whether no event has ever set the company.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.whole.is_none()
    }

    /// The value of `company` after these facts are applied to an older value; `None` if nothing is known.
    pub(super) fn onto(&self, older: Option<Value>) -> Option<Value> {
        if self.is_empty() {
            return older;
        }
        let (mut keys, older) = match older {
            Some(Value::Object(keys)) if self.cleared.is_none() => (keys, None),
            Some(Value::Object(_)) => (Map::new(), None),
            other => (Map::new(), other),
        };
        self.keys.iter().for_each(|(key, fact)| fact.enter(&mut keys, key));
        if !keys.is_empty() {
            return Some(Value::Object(keys));
        }
        self.whole.as_ref().map_or(older, |whole| Some(whole.value.clone())).filter(|whole| !whole.is_null())
    }

    /// All stored facts, by key; facts about the whole company come under `company`.
    pub(super) fn facts(&self) -> impl Iterator<Item = (&str, &Dated)> {
        let keys = self.keys.iter().map(|(key, fact)| (key.as_str(), fact));
        keys.chain(self.whole.iter().chain(&self.cleared).map(|fact| (COMPANY, fact)))
    }

    /// The facts that make the current value, by name, such as `company.industry`. Removed keys have the
    /// value null.
    pub(super) fn known(&self) -> impl Iterator<Item = (String, &Dated)> {
        let has_keys = self.keys.values().any(|fact| !fact.value.is_null());
        let whole = self.whole.iter().filter(move |_| !has_keys).map(|fact| (COMPANY.to_owned(), fact));
        self.keys.iter().map(|(key, fact)| (format!("{COMPANY}.{key}"), fact)).chain(whole)
    }
}
