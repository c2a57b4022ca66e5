//! From a body to items: a batch, one event, an array of events, or a form around one.

use std::borrow::Cow;

use axum::{
    body::Bytes,
    http::{HeaderMap, header},
};
use futures_util::FutureExt;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use url::form_urlencoded;

use crate::{
    http::{
        body::LARGEST_BODY,
        problem::{Code, Problem},
    },
    intake::ingest::items::{self, Items},
};

/// How many fields of a form are looked at.
const MOST_FIELDS: usize = 1_000;

/// What surrounds the items of a request and holds for each of them.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    /// The key, if the body holds it.
    pub(super) write_key: Option<String>,
    /// When the batch was sent, by the sender's clock.
    pub(super) sent_at: Option<String>,
    /// Circumstances of all items.
    pub(super) context: Map<String, Value>,
}

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow)]
    batch: Option<Items<'a>>,
    #[serde(borrow, rename = "writeKey")]
    write_key: Option<&'a RawValue>,
    #[serde(borrow, rename = "sentAt")]
    sent_at: Option<&'a RawValue>,
    #[serde(borrow)]
    context: Option<&'a RawValue>,
}

/// Opens a body that [`as_json`] made.
pub(super) fn open(text: &str) -> Result<(Envelope, Vec<&str>), Problem> {
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    if !trimmed.starts_with('{') {
        return Ok((Envelope::default(), items::split(trimmed)?));
    }
    let outer: Outer<'_> = serde_json::from_str(trimmed)
        .map_err(|error| Problem::new(Code::InvalidBody, format!("The body is not JSON: {error}.")))?;
    let mut envelope =
        Envelope { write_key: string(outer.write_key), sent_at: string(outer.sent_at), context: Map::new() };
    match outer.batch {
        Some(batch) => {
            let batch = batch.bounded()?;
            let said = outer.context.map_or("null", RawValue::get);
            if said.len() * batch.len() > LARGEST_BODY {
                let message =
                    "The batch's context counts as a part of each of its messages; send fewer at once.";
                return Err(Problem::new(Code::TooLarge, message));
            }
            envelope.context = items::object(said).unwrap_or_default();
            Ok((envelope, batch))
        }
        None => Ok((envelope, vec![trimmed])),
    }
}

/// A text; null, nothing and anything else are absent.
fn string(raw: Option<&RawValue>) -> Option<String> {
    let text: String = serde_json::from_str(raw?.get()).ok()?;
    Some(text).filter(|text| !text.trim().is_empty())
}

/// A body as JSON text. Whatever the content type says, it is JSON; but a browser that is handed a form object for
/// its beacon sends a form, with the event in the field `data` or as one field each.
pub(super) fn as_json<'a>(headers: &HeaderMap, body: &'a Bytes) -> Result<Cow<'a, str>, Problem> {
    let text = items::text(body);
    if text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']) {
        return Ok(text);
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let fields = if let Ok(boundary) = multer::parse_boundary(kind) {
        multipart(body.clone(), boundary).now_or_never().flatten()
    } else if kind.starts_with("application/x-www-form-urlencoded") {
        Some(form_urlencoded::parse(body).into_owned().take(MOST_FIELDS).collect())
    } else {
        None
    };
    let unreadable =
        || Problem::new(Code::InvalidBody, "The body is not JSON, nor a form with an event in it.");
    let mut fields: Vec<(String, String)> = fields.ok_or_else(unreadable)?;
    if let Some(at) = fields.iter().position(|(name, _)| name == "data") {
        return Ok(fields.swap_remove(at).1.into());
    }
    let flat: Map<String, Value> =
        fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    serde_json::to_string(&flat).map(Cow::Owned).map_err(|_| unreadable())
}

/// The fields of a form that is there already: nothing of it is waited for.
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
