//! Lists in pages. An opaque cursor marks the place of the next page, also while the list changes.

use axum::{
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Datelike, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    extract::Json,
    problem::{Code, Problem},
};
use crate::platform::json;

/// How many rows a page has if the caller sends no `limit`.
pub const DEFAULT_LIMIT: u16 = 50;
/// How many rows a page may have at most.
pub const MAX_LIMIT: u16 = 500;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Whether more rows follow.
    pub has_more: bool,
    /// What to send as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of rows. The caller has read one row more than `limit`, if there is one. `key` gives a row's place
    /// in the list.
    pub fn of<K: Serialize>(mut rows: Vec<T>, limit: u16, key: impl Fn(&T) -> K) -> Page<T> {
        let limit = usize::from(limit);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| has_more).map(|last| encode(&key(last)));
        Page { data: rows, has_more, next_cursor }
    }

    /// Returns the page with each row changed by `shape`.
    pub fn map<U>(self, shape: impl FnMut(T) -> U) -> Page<U> {
        Page {
            data: self.data.into_iter().map(shape).collect(),
            has_more: self.has_more,
            next_cursor: self.next_cursor,
        }
    }
}

impl<T: Serialize> Page<T> {
    /// Answers with the page and a header `Link: rel="next"`, which generic extractors follow.
    pub fn respond(self, uri: &Uri) -> Response {
        let link = self.next_cursor.as_ref().and_then(|cursor| link(uri, cursor));
        let mut response = Json(self).into_response();
        if let Some(link) = link {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

/// Makes the `Link` header from a page to the next one.
pub fn link(uri: &Uri, cursor: &str) -> Option<HeaderValue> {
    let kept =
        uri.query().unwrap_or("").split('&').filter(|part| !part.is_empty() && !part.starts_with("cursor="));
    let query = kept.chain([format!("cursor={cursor}").as_str()]).collect::<Vec<_>>().join("&");
    HeaderValue::try_from(format!("<{}?{query}>; rel=\"next\"", uri.path())).ok()
}

/// Returns the limit that the caller asked for, or the default.
///
/// # Errors
/// 400 `invalid_parameter` if it is not from 1 to 500.
pub fn limit(asked: Option<u16>) -> Result<u16, Problem> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        _ => Err(Problem::parameter(format!("limit is a number from 1 to {MAX_LIMIT}"))),
    }
}

/// Reads a cursor that [`Page::of`] or [`encode`] made.
///
/// # Errors
/// 400 `invalid_cursor` for any other text. So a key that was read can always be used in a statement.
pub fn decode<K: DeserializeOwned>(cursor: &str) -> Result<K, Problem> {
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| json::read::<Value>(&bytes).ok())
        .filter(has_instants_in_range)
        .and_then(|key| serde_json::from_value(key).ok())
        .ok_or_else(|| {
            Problem::new(
                Code::InvalidCursor,
                "The cursor does not belong to this list. Start without a cursor.",
            )
        })
}

/// Whether every date-time in a key lies in the years 0 to 9999. The database knows fewer years than chrono.
fn has_instants_in_range(key: &Value) -> bool {
    match key {
        Value::String(text) => {
            text.parse::<DateTime<Utc>>().map_or(true, |at| (0..=9999).contains(&at.year()))
        }
        Value::Array(items) => items.iter().all(has_instants_in_range),
        Value::Object(fields) => fields.values().all(has_instants_in_range),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Makes a cursor of a key. [`decode`] reads it.
///
/// # Panics
///
/// If the key cannot be written as JSON.
pub fn encode<K: Serialize>(key: &K) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).expect("a place in a list is plain data"))
}
