//! Messages in the URL of a picture, for pages that cannot run scripts.
//!
//! The answer is always a picture, even if the message is refused, because browsers would show a broken picture.

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

/// How deep the fields of a plain pixel may be nested.
const DEEPEST: usize = 4;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Pixel {
    /// The message, as JSON in base64.
    data: Option<String>,
    /// The write key, if it is not in the message.
    #[serde(rename = "writeKey")]
    write_key: Option<String>,
}

impl Pixel {
    /// Decodes the message, in either alphabet of base64, with or without padding. Empty if there is none.
    /// Its fields are not parsed.
    fn message(&self) -> BTreeMap<String, Box<RawValue>> {
        let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        // A plus sign in a URL arrives as a space.
        let data = self.data.as_deref().unwrap_or_default().replace([' ', '-'], "+").replace('_', "/");
        let text = GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(data).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

/// Takes a message in the URL of a picture, for pages that cannot run scripts.
///
/// The answer is always a picture, even if the message is refused. Without a `messageId`, every request for
/// the picture is a new event. A `HEAD` is not counted.
#[utoipa::path(get, path = "/v1/pixel/{type}", tag = "Ingestion", security(()),
    params(("type" = String, Path, description = "The call: `track`, `page`, …"), Pixel),
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

/// The fields of a message that RudderStack's pixel sends. Other fields are accepted too.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents a query that is read by hand")]
pub(super) struct PlainPixel {
    /// The write key.
    #[param(rename = "writeKey")]
    write_key: String,
    /// The id of the visitor's browser or device.
    #[param(rename = "anonymousId")]
    anonymous_id: Option<String>,
    /// For `track`: what happened.
    event: Option<String>,
}

/// Takes a message as RudderStack's pixel sends it: each field is a query parameter.
///
/// A dot separates an object from its field: `properties.path=/pricing`. Without a `messageId`, every request
/// for the picture is a new event. The answer is always a picture. A `HEAD` is not counted.
#[utoipa::path(get, path = "/pixel/v1/{type}", tag = "Ingestion", security(()),
    params(("type" = String, Path, description = "The call: `track` or `page`"), PlainPixel),
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

/// Puts a field into the object that its name says. A field within a text is dropped.
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
    // The program that requests the picture is the visitor's or a machine's, so its user agent counts.
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
        tracing::debug!(code = problem.code.as_str(), "the message of a pixel was refused");
    }
}
