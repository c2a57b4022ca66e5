//! JSON that comes from outside, and JSON that is kept: what the service accepts, it can read back as the same value.
//!
//! *Read*: [`read`] takes a body, and [`storable`] checks a value. [`read`] refuses a key that stands twice in one object,
//! because one of the two values would be lost. Both refuse what the database cannot hold: NUL characters, and nesting
//! that is too deep once the value stands inside another. Both turn every number into the form that the database gives
//! back. So the value that is scored at arrival is the value that a replay scores.
//!
//! *Stored*: every `jsonb` column is decoded as [`Stored`] (`sqlx.toml` says so). Decoding a value never fails,
//! whatever another program has written there. So a row with an odd value does not hide other rows of a list.

mod number;
mod stored;
mod strict;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use stored::Stored;
pub use strict::Strict;

/// How many levels deep objects and arrays of a request may be nested.
///
/// The service stores parts of requests inside other documents, which adds a few levels. Many JSON readers stop at 100
/// to 128 levels.
pub const DEEPEST: usize = 64;

/// The end of the message about a key that an object has twice. The key stands before it.
pub const REPEATED: &str = "stands twice in one object; send each key once";

/// Why a value cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unstorable {
    /// A text or a key contains the character NUL, which Postgres cannot store.
    #[error("a text must not contain a NUL character (\\u0000)")]
    Nul,
    /// Objects and arrays are nested too deeply.
    #[error("objects and arrays are nested too deeply")]
    TooDeep,
}

/// Reads JSON from outside.
///
/// # Errors
/// If the text is not JSON, does not fit `T`, or cannot be stored. The error names the place.
pub fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_path_to_error::Error<serde_json::Error>> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(Strict::new(&mut reader))?;
    let place = serde_path_to_error::Track::new().path();
    reader.end().map_err(|error| serde_path_to_error::Error::new(place, error))?;
    Ok(value)
}

/// Checks that the database can store a value, and writes its numbers in the form in which the database returns them.
/// Objects and arrays may be nested at most `levels` deep.
pub fn storable(value: &mut Value, levels: usize) -> Result<(), Unstorable> {
    match value {
        Value::String(text) => no_nul(text),
        Value::Number(number) => {
            if let Some(kept) = number::kept(number) {
                *number = kept;
            }
            Ok(())
        }
        Value::Array(items) => {
            let within = levels.checked_sub(1).ok_or(Unstorable::TooDeep)?;
            items.iter_mut().try_for_each(|item| storable(item, within))
        }
        Value::Object(fields) => storable_fields(fields, levels),
        Value::Null | Value::Bool(_) => Ok(()),
    }
}

/// Does the same as [`storable`] for the fields of an object. The object itself is the first of the `levels`.
pub fn storable_fields(fields: &mut Map<String, Value>, levels: usize) -> Result<(), Unstorable> {
    let within = levels.checked_sub(1).ok_or(Unstorable::TooDeep)?;
    fields.iter_mut().try_for_each(|(name, value)| {
        no_nul(name)?;
        storable(value, within)
    })
}

/// Estimates the size of a value as JSON text, in bytes.
pub fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text.bytes().map(escaped).sum::<usize>() + 2,
        Value::Array(items) => items.iter().map(|item| size(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| name.len() + size(value) + 4).sum::<usize>() + 2
        }
    }
}

/// Returns how many bytes one byte of a text takes in JSON, with its escape.
fn escaped(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    }
}

fn no_nul(text: &str) -> Result<(), Unstorable> {
    if text.contains('\0') { Err(Unstorable::Nul) } else { Ok(()) }
}
