//! The picture that pages and mails without scripts fetch, so that the service learns that they were seen.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::ToSchema;

/// A transparent picture of one pixel.
const PIXEL: [u8; 43] = *b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

/// The body of an answer with a picture, for the API's description.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Picture(pub &'static [u8]);

/// Answers with the picture. Clients must not cache it, so they fetch it each time.
pub fn picture() -> Response {
    let headers = [(header::CONTENT_TYPE, "image/gif"), (header::CACHE_CONTROL, "no-store, private")];
    (headers, PIXEL.as_slice()).into_response()
}
