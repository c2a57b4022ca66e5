//! From JSON text to items. The text is a batch, one event, or an array of events.

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{
    http::{
        body::LARGEST_BODY,
        problem::{Code, Problem},
    },
    intake::ingest::items::{self, Items},
};

/// The part of a request that applies to all of its items.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    /// The write key, if the body has it.
    pub(super) write_key: Option<String>,
    /// When the batch was sent, by the sender's clock.
    pub(super) sent_at: Option<String>,
    /// The context of all items.
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

/// Splits the JSON text of a body into its envelope and its items. The items are not parsed yet.
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
                let message = "The batch's context counts as part of each message, so the batch is too large. Send fewer messages at once.";
                return Err(Problem::new(Code::TooLarge, message));
            }
            envelope.context = items::object(said).unwrap_or_default();
            Ok((envelope, batch))
        }
        None => Ok((envelope, vec![trimmed])),
    }
}

/// The text of a value. `None` if it is not a text or is blank.
fn string(raw: Option<&RawValue>) -> Option<String> {
    let text: String = serde_json::from_str(raw?.get()).ok()?;
    Some(text).filter(|text| !text.trim().is_empty())
}
