//! From the bytes of a request to its items. Each item is parsed by itself, so an unreadable item does not
//! affect the others.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use super::rejection::Rejection;
use crate::{
    http::problem::{Code, Problem},
    platform::json::{self, Unstorable},
};

/// How large one item may be, in bytes.
pub const LARGEST_ITEM: usize = 64 * 1024;
/// How deep objects and arrays may be nested.
pub const DEEPEST: usize = 32;
/// How many items a request may hold.
pub const MOST_ITEMS: usize = 10_000;

/// Marks bytes that are not UTF-8, until the item with them is refused. Unicode never assigns this code
/// point.
const NOT_TEXT: char = '\u{10FFFF}';

/// Turns a body into text. Bytes that are not UTF-8 are marked, so that only the items with them are refused.
pub fn text(body: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(body) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(NOT_TEXT);
        }
    }
    Cow::Owned(text)
}

/// The items of an array, not parsed yet. At most one item more than a request may have is kept. The rest is
/// skipped, so millions of small items take no memory.
#[derive(Debug)]
pub struct Items<'a>(Vec<&'a str>);

impl<'a> Items<'a> {
    /// Returns the items. Fails if there are more than a request may have.
    pub fn bounded(self) -> Result<Vec<&'a str>, Problem> {
        if self.0.len() > MOST_ITEMS {
            let message =
                format!("A request may have at most {MOST_ITEMS} items. Send the items in several requests.");
            return Err(Problem::new(Code::TooLarge, message));
        }
        Ok(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Array)
    }
}

struct Array;

impl<'de> Visitor<'de> for Array {
    type Value = Items<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Items<'de>, A::Error> {
        let mut items = Vec::new();
        while items.len() <= MOST_ITEMS {
            let Some(item) = array.next_element::<&RawValue>()? else { return Ok(Items(items)) };
            items.push(item.get());
        }
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Items(items))
    }
}

/// Splits a body into items without parsing them. The body is one item or an array of items.
pub fn split(text: &str) -> Result<Vec<&str>, Problem> {
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    if trimmed.starts_with('[') {
        let items: Items<'_> = serde_json::from_str(trimmed).map_err(|error| unreadable(&error))?;
        return items.bounded();
    }
    let raw: &RawValue = serde_json::from_str(trimmed).map_err(|error| unreadable(&error))?;
    Ok(vec![raw.get()])
}

/// Splits newline-delimited JSON into items, one a line. Empty lines are skipped.
pub fn split_lines(text: &str) -> Result<Vec<&str>, Problem> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Items(lines.take(MOST_ITEMS + 1).collect()).bounded()
}

fn unreadable(error: &serde_json::Error) -> Problem {
    Problem::new(Code::InvalidBody, format!("The body is not JSON: {error}."))
}

/// Parses one item: a JSON object that is not too large, not too deep, and can be stored. If a key stands
/// twice, the last value counts, because the servers for which trackers are made do so too.
pub fn object(raw: &str) -> Result<Map<String, Value>, Rejection> {
    fits(raw)?;
    object_of(serde_json::from_str(raw).map_err(|error| unread(&error))?)
}

/// Parses one item in our own shape. A key that stands twice in one object is refused.
pub fn strict_object(raw: &str) -> Result<Map<String, Value>, Rejection> {
    fits(raw)?;
    object_of(json::read(raw.as_bytes()).map_err(|error| {
        let said = error.inner().to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        // The path ends in `?` if the key has no name yet. Then the object around it is the place.
        let path = error.path().to_string();
        let place = path.trim_end_matches(['?', '.']);
        match [Unstorable::Nul, Unstorable::TooDeep].into_iter().find(|why| why.to_string() == said) {
            Some(why) => why.into(),
            None if !said.ends_with(json::REPEATED) => unread(error.inner()),
            None if place.is_empty() => Rejection::new("repeated_key", said),
            None => Rejection::new("repeated_key", format!("{place}: {said}")),
        }
    })?)
}

fn fits(raw: &str) -> Result<(), Rejection> {
    if raw.len() > LARGEST_ITEM {
        return Err(Rejection::new(
            "event_too_large",
            format!("an event may have at most {LARGEST_ITEM} bytes"),
        ));
    }
    if raw.contains(NOT_TEXT) {
        return Err(Rejection::new("invalid_utf8", "the event contains bytes that are not UTF-8"));
    }
    Ok(())
}

fn unread(error: &serde_json::Error) -> Rejection {
    Rejection::new("invalid_json", format!("the event cannot be read: {error}"))
}

fn object_of(mut value: Value) -> Result<Map<String, Value>, Rejection> {
    json::storable(&mut value, DEEPEST)?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(Rejection::new("invalid_event", "an event must be a JSON object")),
    }
}

impl From<Unstorable> for Rejection {
    fn from(why: Unstorable) -> Rejection {
        match why {
            Unstorable::Nul => Rejection::new("invalid_character", why.to_string()),
            Unstorable::TooDeep => {
                Rejection::new("too_deep", format!("objects and arrays may be at most {DEEPEST} levels deep"))
            }
        }
    }
}
