//! From a body to JSON text. The body is JSON, or a form that contains an event.

use std::borrow::Cow;

use axum::{body::Bytes, http::HeaderMap};
use futures_util::FutureExt;
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::{
    http::{
        problem::{Code, Problem},
        said::header,
    },
    intake::ingest::items,
};

/// How many fields of a form are read.
const MOST_FIELDS: usize = 1_000;

/// Turns a body into JSON text. A body that begins like JSON is JSON, whatever its content type.
///
/// A browser whose beacon gets a form object sends a form. The event is then in the field `data`, or each of
/// its fields is a field of the form.
pub(super) fn as_json<'a>(headers: &HeaderMap, body: &'a Bytes) -> Result<Cow<'a, str>, Problem> {
    let text = items::text(body);
    if text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']) {
        return Ok(text);
    }
    let kind = header(headers, "content-type").unwrap_or_default();
    let fields = if let Ok(boundary) = multer::parse_boundary(kind) {
        multipart(body.clone(), boundary).now_or_never().flatten()
    } else if kind.starts_with("application/x-www-form-urlencoded") {
        Some(form_urlencoded::parse(body).into_owned().take(MOST_FIELDS).collect())
    } else {
        None
    };
    let unreadable = || Problem::new(Code::InvalidBody, "The body is neither JSON nor a form with an event.");
    let mut fields: Vec<(String, String)> = fields.ok_or_else(unreadable)?;
    if let Some(at) = fields.iter().position(|(name, _)| name == "data") {
        return Ok(fields.swap_remove(at).1.into());
    }
    let flat: Map<String, Value> =
        fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    serde_json::to_string(&flat).map(Cow::Owned).map_err(|_| unreadable())
}

/// Reads the fields of a multipart form. The whole body is there, so this never waits.
async fn multipart(body: Bytes, boundary: String) -> Option<Vec<(String, String)>> {
    let stream = futures_util::stream::once(async move { Ok::<_, std::convert::Infallible>(body) });
    let mut form = multer::Multipart::new(stream, boundary);
    let mut fields = Vec::new();
    while fields.len() < MOST_FIELDS
        && let Some(field) = form.next_field().await.ok()?
    {
        let name = field.name().unwrap_or_default().to_owned();
        fields.push((name, field.text().await.ok()?));
    }
    Some(fields)
}
