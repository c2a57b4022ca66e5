//! A value in a document with the JSON pointer to it.

use std::str::FromStr;

use serde_json::{Map, Number, Value};

use crate::event_type;
pub(super) use crate::mistake::Mistakes;
use crate::points::{DecimalError, Milli};
use crate::time::{Instant, Span};

/// A value and the JSON pointer to it.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    pub(super) value: &'a Value,
    pub(super) pointer: String,
}

/// An object and the JSON pointer to it.
#[derive(Debug, Clone)]
pub(super) struct Object<'a> {
    pub(super) map: &'a Map<String, Value>,
    pub(super) pointer: String,
}

fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, pointer: String::new() }
    }

    fn wrong_type<T>(&self, mistakes: &mut Mistakes, wanted: &str) -> Option<T> {
        mistakes.wrong(&self.pointer, "wrong_type", format!("write {wanted} here"))
    }

    pub(super) fn object(&self, mistakes: &mut Mistakes) -> Option<Object<'a>> {
        match self.value {
            Value::Object(map) => Some(Object { map, pointer: self.pointer.clone() }),
            _ => self.wrong_type(mistakes, "an object"),
        }
    }

    pub(super) fn list(&self, mistakes: &mut Mistakes) -> Option<Vec<Self>> {
        match self.value {
            Value::Array(values) => Some(
                values
                    .iter()
                    .enumerate()
                    .map(|(i, value)| Self { value, pointer: format!("{}/{i}", self.pointer) })
                    .collect(),
            ),
            _ => self.wrong_type(mistakes, "a list"),
        }
    }

    pub(super) fn string(&self, mistakes: &mut Mistakes) -> Option<&'a str> {
        self.value.as_str().or_else(|| self.wrong_type(mistakes, "a string"))
    }

    /// Reads a string that is not empty and not only white space.
    pub(super) fn name(&self, mistakes: &mut Mistakes) -> Option<String> {
        let text = self.string(mistakes)?;
        if text.trim().is_empty() {
            return mistakes.wrong(&self.pointer, "empty", "write a name that is not empty");
        }
        Some(text.to_owned())
    }

    /// Reads an event type and brings it into its form. In a stored document every text is accepted, although
    /// an event may never have this type.
    pub(super) fn event_type(&self, mistakes: &mut Mistakes) -> Option<String> {
        let kind = event_type::form(self.string(mistakes)?).into_owned();
        if mistakes.are_of_stored() || event_type::is_type(&kind) {
            return Some(kind);
        }
        let message = format!(
            "write an event type of 1 to {} bytes, with letters that are no capitals, digits and underscores, such as \
             demo_requested",
            event_type::LONGEST
        );
        mistakes.wrong(&self.pointer, "invalid_event_type", message)
    }

    pub(super) fn number(&self, mistakes: &mut Mistakes) -> Option<&'a Number> {
        self.value.as_number().or_else(|| self.wrong_type(mistakes, "a number"))
    }

    pub(super) fn count(&self, mistakes: &mut Mistakes, most: u32) -> Option<u32> {
        let count = self.number(mistakes)?.as_u64().and_then(|count| u32::try_from(count).ok());
        count.filter(|count| (1..=most).contains(count)).or_else(|| {
            mistakes.wrong(&self.pointer, "out_of_range", format!("write a whole number from 1 to {most}"))
        })
    }

    pub(super) fn integer(&self, mistakes: &mut Mistakes) -> Option<i64> {
        let number = self.number(mistakes)?;
        number.as_i64().or_else(|| {
            mistakes.wrong(&self.pointer, "not_an_integer", "write a whole number, without decimals")
        })
    }

    pub(super) fn points(&self, mistakes: &mut Mistakes) -> Option<Milli> {
        Milli::from_number(self.number(mistakes)?).map_err(|error| self.refuse(mistakes, error)).ok()
    }

    fn refuse(&self, mistakes: &mut Mistakes, error: DecimalError) {
        let (code, message) = match error {
            DecimalError::TooManyDecimals => ("too_many_decimals", "write at most three decimals"),
            DecimalError::OutOfRange => ("out_of_range", "write a number from -1000000 to 1000000"),
        };
        mistakes.add(&self.pointer, code, message);
    }

    pub(super) fn span(&self, mistakes: &mut Mistakes) -> Option<Span> {
        let text = self.string(mistakes)?;
        match Span::from_str(text) {
            Ok(span) => Some(span),
            Err(error) => mistakes.wrong(&self.pointer, "invalid_duration", error.to_string()),
        }
    }

    pub(super) fn instant(&self, mistakes: &mut Mistakes) -> Option<Instant> {
        match Instant::parse_rfc3339(self.string(mistakes)?) {
            Ok(instant) => Some(instant),
            Err(error) => mistakes.wrong(&self.pointer, "invalid_instant", error.to_string()),
        }
    }
}

impl<'a> Object<'a> {
    pub(super) fn get(&self, key: &str) -> Option<Node<'a>> {
        self.map.get(key).map(|value| Node { value, pointer: child(&self.pointer, key) })
    }

    pub(super) fn require(&self, key: &str, mistakes: &mut Mistakes) -> Option<Node<'a>> {
        self.get(key)
            .or_else(|| mistakes.wrong(child(&self.pointer, key), "missing", format!("add the key `{key}`")))
    }

    /// Adds a mistake for every key that is not a known key.
    pub(super) fn only(&self, known: &[&str], mistakes: &mut Mistakes) {
        for key in self.map.keys().filter(|key| !known.contains(&key.as_str())) {
            let message = format!("remove `{key}`; the keys known here are {}", known.join(", "));
            mistakes.add(child(&self.pointer, key), "unknown_key", message);
        }
    }

    /// Reads a key that may be absent. Returns `Some(None)` if the key is absent, and `None` if its value has
    /// a mistake.
    #[expect(clippy::option_option, reason = "an absent key and a wrong value are different results")]
    pub(super) fn optional<T>(
        &self,
        key: &str,
        mistakes: &mut Mistakes,
        read: impl FnOnce(&Node<'a>, &mut Mistakes) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.get(key) {
            None => Some(None),
            Some(node) => read(&node, mistakes).map(Some),
        }
    }

    pub(super) fn name(&self, mistakes: &mut Mistakes) -> Option<String> {
        self.require("name", mistakes)?.name(mistakes)
    }

    /// Reads the optional `min` and `max`, and checks that `min` is not above `max`.
    pub(super) fn caps(&self, mistakes: &mut Mistakes) -> Option<(Option<Milli>, Option<Milli>)> {
        let min = self.optional("min", mistakes, Node::points);
        let max = self.optional("max", mistakes, Node::points);
        let (min, max) = (min?, max?);
        if min.zip(max).is_some_and(|(min, max)| min > max) {
            let message = "write a `min` that is not above `max`";
            return mistakes.wrong(child(&self.pointer, "min"), "contradictory_range", message);
        }
        Some((min, max))
    }
}
