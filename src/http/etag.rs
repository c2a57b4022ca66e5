//! `ETag`s. The answer to a reading has a tag, and a reader can ask whether the thing has changed since.

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

/// The header `If-Match` of a change that may be conditional. [`require_match`] checks it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatch {
    /// The `ETag` that you have. If the resource has changed since, the call changes nothing and answers 412.
    #[param(rename = "If-Match")]
    pub if_match: Option<String>,
}

/// Answers with a body and its `ETag`, or with 304 if the caller already has this version.
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

/// Adds to the answer of a change the `ETag` of the changed `thing`, as a later reading will have it.
pub fn stamped(thing: &impl Serialize, mut answer: Response) -> Response {
    set(&mut answer, tag(thing));
    answer
}

fn set(response: &mut Response, tag: String) {
    if let Ok(value) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
}

/// Checks that a thing is still as the caller has seen it.
///
/// # Errors
/// 412 `precondition_failed` if the request has `If-Match`, and `If-Match` names another tag.
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

/// Whether a header names the tag. A proxy that compresses answers makes tags weak (`W/`). A weak tag counts as the
/// same tag.
fn names(headers: &HeaderMap, header: &HeaderName, tag: &str) -> bool {
    let named = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    named
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}
