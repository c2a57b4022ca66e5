//! One message in the address of a picture, for pages that can do nothing else.
//!
//! The answer is always a picture, whatever became of the message: browsers show errors in its place.

use std::collections::BTreeMap;

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, Method},
    response::Response,
};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};
use utoipa::IntoParams;

use super::{Sent, receive};
use crate::{
    http::{
        extract::{Path, Query},
        picture::{Picture, picture},
        problem::Problem,
        said::header,
    },
    intake::{ingest::Intake, tracking::segment::Call, verdicts::agents::Caller},
};

/// How many objects a field of a plain pixel may stand in.
const DEEPEST: usize = 4;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Pixel {
    /// The message: JSON in base64.
    data: Option<String>,
    /// The write key, if it is not in the message.
    #[serde(rename = "writeKey")]
    write_key: Option<String>,
}

impl Pixel {
    /// The message, in either alphabet of base64, padded or not; an empty one, where there is none. Its fields stay as they
    /// are written.
    fn message(&self) -> BTreeMap<String, Box<RawValue>> {
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        // A plus sign in an address arrives as a space.
        let data = self.data.as_deref().unwrap_or_default().replace([' ', '-'], "+").replace('_', "/");
        let text = GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(data).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

/// One message in the address of a picture, for pages that can do nothing else.
///
/// The answer is always a picture, whatever became of the message: browsers show errors in its place. Without a `messageId`,
/// every look at the picture is an event of its own. A `HEAD` is not counted.
#[utoipa::path(get, path = "/v1/pixel/{type}", tag = "Ingestion", security(()),
    params(("type" = String, Path, description = "`track`, `page`, …"), Pixel),
    responses((status = 200, body = Picture, content_type = "image/gif")))]
pub(super) async fn send_pixel(
    State(intake): State<Intake>,
    method: Method,
    name: Result<Path<String>, Problem>,
    pixel: Result<Query<Pixel>, Problem>,
    headers: HeaderMap,
) -> Response {
    let pixel = pixel.map(|Query(pixel)| pixel).unwrap_or_default();
    if method == Method::GET {
        let mut message = pixel.message();
        if let Ok(id) = serde_json::value::to_raw_value(&intake.ids.next()) {
            message.entry("messageId".to_owned()).or_insert(id);
        }
        take(intake, name, pixel.write_key, &headers, &message).await;
    }
    picture()
}

/// The fields of a message of which the pixel of RudderStack's makes use; others are taken as well.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents what is read by hand, whatever else is there")]
pub(super) struct PlainPixel {
    /// The write key.
    #[param(rename = "writeKey")]
    write_key: String,
    /// The visitor's browser or device.
    #[param(rename = "anonymousId")]
    anonymous_id: Option<String>,
    /// What happened, of a `track`.
    event: Option<String>,
}

/// One message as RudderStack's pixel sends it: each field in a parameter of its own.
///
/// A dot leads into an object: `properties.path=/pricing`. Without a `messageId`, every look at the picture is an event of
/// its own. The answer is always a picture. A `HEAD` is not counted.
#[utoipa::path(get, path = "/pixel/v1/{type}", tag = "Ingestion", security(()),
    params(("type" = String, Path, description = "`track` or `page`"), PlainPixel),
    responses((status = 200, body = Picture, content_type = "image/gif")))]
pub(super) async fn send_plain_pixel(
    State(intake): State<Intake>,
    method: Method,
    name: Result<Path<String>, Problem>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let fields: Vec<(String, String)> =
        serde_urlencoded::from_str(query.as_deref().unwrap_or_default()).unwrap_or_default();
    let (mut message, mut write_key) = (Map::new(), None);
    for (name, value) in fields {
        if name == "writeKey" {
            write_key = Some(value);
        } else if name.matches('.').count() <= DEEPEST {
            place(&mut message, &name, value);
        }
    }
    if method == Method::GET {
        message.entry("messageId").or_insert_with(|| intake.ids.next().to_string().into());
        take(intake, name, write_key, &headers, &message).await;
    }
    picture()
}

/// Enters a field where its name says; one that would have to stand in a text is let go.
fn place(object: &mut Map<String, Value>, name: &str, value: String) {
    let Some((outer, inner)) = name.split_once('.') else {
        object.insert(name.to_owned(), Value::String(value));
        return;
    };
    let within = object.entry(outer).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(within) = within {
        place(within, inner, value);
    }
}

async fn take(
    intake: Intake,
    name: Result<Path<String>, Problem>,
    write_key: Option<String>,
    headers: &HeaderMap,
    message: &impl Serialize,
) {
    let call = name.ok().and_then(|Path(name)| Call::named(&name));
    let sent = Sent { write_key, what: None };
    let Ok(body) = serde_json::to_vec(message) else { return };
    // Whoever fetches a picture is who looks at it, or a machine: it names itself.
    if let Err(problem) = receive(
        intake,
        call,
        sent,
        None,
        (headers, Caller::itself(|name| header(headers, name))),
        body.into(),
    )
    .await
    {
        tracing::debug!(code = problem.code.as_str(), "a pixel's message was not taken");
    }
}
