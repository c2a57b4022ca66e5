//! Lists: one page at a time, by an opaque cursor that keeps its place while the list changes.

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

/// How many rows a page has when nobody says.
pub const DEFAULT_LIMIT: u16 = 50;
/// How many rows a page may have.
pub const MAX_LIMIT: u16 = 500;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Whether more follow.
    pub has_more: bool,
    /// What to send as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of rows of which one more than `limit` was asked for; `key` gives a row's place.
    pub fn of<K: Serialize>(mut rows: Vec<T>, limit: u16, key: impl Fn(&T) -> K) -> Page<T> {
        let limit = usize::from(limit);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| has_more).map(|last| encode(&key(last)));
        Page { data: rows, has_more, next_cursor }
    }

    /// The same page with its rows in another shape.
    pub fn map<U>(self, shape: impl FnMut(T) -> U) -> Page<U> {
        Page {
            data: self.data.into_iter().map(shape).collect(),
            has_more: self.has_more,
            next_cursor: self.next_cursor,
        }
    }
}

impl<T: Serialize> Page<T> {
    /// The answer, with a `Link: rel="next"` header that generic extractors follow.
    pub fn respond(self, uri: &Uri) -> Response {
        let link = self.next_cursor.as_ref().and_then(|cursor| link(uri, cursor));
        let mut response = Json(self).into_response();
        if let Some(link) = link {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

/// The `Link` header from a page to its next.
pub fn link(uri: &Uri, cursor: &str) -> Option<HeaderValue> {
    let kept =
        uri.query().unwrap_or("").split('&').filter(|part| !part.is_empty() && !part.starts_with("cursor="));
    let query = kept.chain([format!("cursor={cursor}").as_str()]).collect::<Vec<_>>().join("&");
    HeaderValue::try_from(format!("<{}?{query}>; rel=\"next\"", uri.path())).ok()
}

/// The limit that was asked for, within bounds.
pub fn limit(asked: Option<u16>) -> Result<u16, Problem> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        _ => Err(Problem::parameter(format!("limit is a number from 1 to {MAX_LIMIT}"))),
    }
}

/// Reads a cursor that [`Page::of`] or [`encode`] made. What else is sent in its place is refused, whatever it holds: a
/// key that is read can be asked for in the database.
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

/// Whether every date-time in a key lies in the years 0 to 9999: the database knows fewer years than chrono.
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

/// A cursor that holds a key; [`decode`] reads it.
///
/// # Panics
///
/// If the key is no plain data.
pub fn encode<K: Serialize>(key: &K) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).expect("a place in a list is plain data"))
}
