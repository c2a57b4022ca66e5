//! One thing that is read carries a tag, by which a reader asks whether it has changed.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use utoipa::IntoParams;

use super::{
    extract::Json,
    problem::{Code, Problem},
};
use crate::platform::ids::digest;

/// What a change that may be made conditional takes besides; [`require_match`] reads it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatch {
    /// The `ETag` that you have: the change is refused with 412 if the thing is no longer the same.
    #[param(rename = "If-Match")]
    pub if_match: Option<String>,
}

/// The answer with an `ETag`, or 304 if the caller has it already.
pub fn tagged(headers: &HeaderMap, body: impl Serialize) -> Response {
    let tag = tag(&body);
    let mut response = if names(headers, &header::IF_NONE_MATCH, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(body).into_response()
    };
    set(&mut response, tag);
    response
}

/// The answer to a change, with the `ETag` under which the thing can be read as it now is.
pub fn stamped(thing: &impl Serialize, mut answer: Response) -> Response {
    set(&mut answer, tag(thing));
    answer
}

fn set(response: &mut Response, tag: String) {
    if let Ok(value) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
}

/// Refuses to change a thing that is no longer what the caller has seen: 412 if `If-Match` names another tag.
pub fn require_match(headers: &HeaderMap, body: impl Serialize) -> Result<(), Problem> {
    if !headers.contains_key(header::IF_MATCH) || names(headers, &header::IF_MATCH, &tag(&body)) {
        return Ok(());
    }
    let message =
        "The resource has changed since you read it. Read it again, and send the new ETag in If-Match.";
    Err(Problem::new(Code::PreconditionFailed, message))
}

fn tag(body: &impl Serialize) -> String {
    let content = serde_json::to_vec(body).expect("what is answered is plain data");
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest(&[&content])[..12]))
}

/// Whether a header names the tag. Proxies that compress answers make tags weak; it is the same thing still.
fn names(headers: &HeaderMap, header: &HeaderName, tag: &str) -> bool {
    let named = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    named
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}
