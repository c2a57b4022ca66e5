//! One thing that is read carries a tag, by which a reader asks whether it has changed.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

use super::extract::Json;
use crate::ids::digest;

/// The answer with an `ETag`, or 304 if the caller has it already.
pub fn tagged(headers: &HeaderMap, body: impl Serialize) -> Response {
    let content = serde_json::to_vec(&body).unwrap_or_default();
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest(&[&content])[..12]));
    let mut response = if is_known(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(body).into_response()
    };
    if let Ok(value) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// Whether `If-None-Match` names the tag. Proxies that compress answers make tags weak; it is the same thing still.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let named = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}
