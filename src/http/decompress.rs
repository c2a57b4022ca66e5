//! Compressed bodies, unpacked as they are read, so that the limit on a body's size stops a bomb early.

use std::io;

use async_compression::{
    tokio::bufread::{GzipDecoder, ZstdDecoder},
    zstd::DParameter,
};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::TryStreamExt;
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use super::problem::{Code, Problem};

/// How far back a zstd body may refer, as a power of two: 8 MiB, what RFC 9659 allows on the web. It bounds the
/// memory that a body can claim.
const ZSTD_WINDOW: u32 = 23;
/// How much is unpacked at once, in bytes.
const AT_ONCE: usize = 64 * 1024;

/// Unpacks a body that is sent with `Content-Encoding: gzip` or `zstd`, all of its members; any other is refused.
pub(super) async fn decompress(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = match encoding(&parts.headers).as_deref() {
        None => body,
        Some("gzip" | "x-gzip") => {
            let mut decoder = GzipDecoder::new(reader(body));
            decoder.multiple_members(true);
            unpacked(decoder)
        }
        Some("zstd") => {
            let bounded = [DParameter::window_log_max(ZSTD_WINDOW)];
            let mut decoder = ZstdDecoder::with_params(reader(body), &bounded);
            decoder.multiple_members(true);
            unpacked(decoder)
        }
        Some(_) => {
            let message = "Send the body plain, or with Content-Encoding gzip or zstd.";
            return Problem::new(Code::UnsupportedMediaType, message).into_response();
        }
    };
    if parts.headers.remove(header::CONTENT_ENCODING).is_some() {
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    next.run(Request::from_parts(parts, body)).await
}

/// How the body is packed; none: not at all.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let named: Vec<String> = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && name != "identity")
        .collect();
    (!named.is_empty()).then(|| named.join(", "))
}

fn reader(
    body: Body,
) -> StreamReader<impl futures_util::Stream<Item = io::Result<axum::body::Bytes>>, axum::body::Bytes> {
    StreamReader::new(body.into_data_stream().map_err(io::Error::other))
}

fn unpacked(decoder: impl AsyncRead + Send + 'static) -> Body {
    Body::from_stream(ReaderStream::with_capacity(decoder, AT_ONCE))
}
