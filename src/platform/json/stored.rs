//! `jsonb` columns, read so that no value fails.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sqlx::{
    Decode, Encode, Postgres, Type, ValueRef,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef},
    types::Json,
};

/// How many levels deep objects and arrays are read. A value below that is read as null.
const DEEPEST_READ: usize = 100;
/// What is read in place of a number that is too large for a binary float.
const LARGEST: &str = "1.7976931348623157e308";

/// A value of a `jsonb` column. Reading a [`Value`] never fails. A number beyond every float is read as the largest
/// float. A value nested more than 100 levels deep is read as null. The service itself writes neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored<T = Value>(pub T);

impl Stored {
    /// Returns the fields if the value is an object.
    pub fn fields(&self) -> Option<&Map<String, Value>> {
        self.0.as_object()
    }

    /// Returns the fields by value if the value is an object.
    pub fn into_fields(self) -> Option<Map<String, Value>> {
        match self.0 {
            Value::Object(fields) => Some(fields),
            _ => None,
        }
    }
}

impl From<Stored> for Value {
    fn from(stored: Stored) -> Value {
        stored.0
    }
}

impl<T> Type<Postgres> for Stored<T> {
    fn type_info() -> PgTypeInfo {
        Json::<T>::type_info()
    }

    fn compatible(info: &PgTypeInfo) -> bool {
        Json::<T>::compatible(info)
    }
}

impl<T> PgHasArrayType for Stored<T> {
    fn array_type_info() -> PgTypeInfo {
        Json::<T>::array_type_info()
    }

    fn array_compatible(info: &PgTypeInfo) -> bool {
        Json::<T>::array_compatible(info)
    }
}

impl<T: Serialize> Encode<'_, Postgres> for Stored<T> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Json(&self.0).encode_by_ref(buffer)
    }
}

impl<'r, T: DeserializeOwned> Decode<'r, Postgres> for Stored<T> {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let has_version = value.format() == PgValueFormat::Binary && *value.type_info() == Self::type_info();
        let bytes = value.as_bytes()?;
        let text = if has_version { bytes.get(1..).unwrap_or_default() } else { bytes };
        read(text).map(Stored).map_err(Into::into)
    }
}

/// Reads JSON as Postgres prints it.
fn read<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(text).or_else(|error| match bounded(text) {
        Some(text) => serde_json::from_slice(&text),
        None => Err(error),
    })
}

/// Replaces everything in a text that serde cannot read. `None` if there is nothing to replace.
fn bounded(text: &[u8]) -> Option<Vec<u8>> {
    let mut bounded = Vec::with_capacity(text.len());
    let (mut at, mut depth, mut changed) = (0, 0_usize, false);
    while let Some(byte) = text.get(at) {
        let end = at + token(&text[at..]);
        let token = &text[at..end];
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth == DEEPEST_READ + 1 {
                    bounded.extend_from_slice(b"null");
                    changed = true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let closes = matches!(byte, b']' | b'}') && depth == DEEPEST_READ;
        if depth <= DEEPEST_READ && !closes {
            if is_beyond(token) {
                bounded.extend(token.starts_with(b"-").then_some(b'-'));
                bounded.extend_from_slice(LARGEST.as_bytes());
                changed = true;
            } else {
                bounded.extend_from_slice(token);
            }
        }
        at = end;
    }
    changed.then_some(bounded)
}

/// Returns the length of the first token of a text, in bytes. A token is a string, a number, or one byte.
fn token(text: &[u8]) -> usize {
    let is_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    match text.first() {
        Some(b'"') => {
            let mut escaped = false;
            let closing = text[1..].iter().position(|byte| {
                let closes = *byte == b'"' && !escaped;
                escaped = *byte == b'\\' && !escaped;
                closes
            });
            closing.map_or(text.len(), |at| at + 2)
        }
        Some(b'-' | b'0'..=b'9') => text.iter().position(|byte| !is_number(byte)).unwrap_or(text.len()),
        _ => 1,
    }
}

/// Whether a token is a number too large for a float.
fn is_beyond(token: &[u8]) -> bool {
    let number = token.first().is_some_and(|byte| *byte == b'-' || byte.is_ascii_digit());
    let text = std::str::from_utf8(token).unwrap_or_default();
    number && text.parse::<f64>().is_ok_and(f64::is_infinite)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_beyond_every_float_is_read_as_the_largest_float() {
        let huge = format!("1{}", "0".repeat(400));
        let text = format!(r#"{{"a\"1e999": [{huge}, -{huge}, 1e-400, "{huge}", 12], "b": {huge}}}"#);

        let value: Value = read(text.as_bytes()).unwrap();

        assert_eq!(value, json!({"a\"1e999": [f64::MAX, -f64::MAX, 0.0, huge, 12], "b": f64::MAX}));
    }

    #[test]
    fn what_lies_deeper_than_a_hundred_levels_is_read_as_null() {
        let nested = |levels: usize| {
            format!("[1, {}{}, 2]", "[[] ,".repeat(levels) + "{\"a\": \"]\"}", "]".repeat(levels))
        };

        let value: Value = read(nested(300).as_bytes()).unwrap();

        assert_eq!((&value[0], &value[2]), (&json!(1), &json!(2)), "what stands beside it is read");
        let mut inner = &value[1];
        let mut depth = 1;
        while inner[1].is_array() {
            inner = &inner[1];
            depth += 1;
        }
        assert_eq!((depth, inner), (99, &json!([null, null])));
    }
}
