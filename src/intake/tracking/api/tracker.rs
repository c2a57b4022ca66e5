//! The tracker for web pages, served to whoever asks. It reads the key and the address of this service from the address
//! that it was loaded from, so it is the same bytes for everybody; a page keeps what it could not send, so the tracker is
//! served without asking the database who that is.

use std::{io::Write, sync::LazyLock};

use axum::{
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};

const SOURCE: &str = include_str!("tracker.js");
/// For an hour a browser, or a proxy, need not ask again.
const CACHING: &str = "public, max-age=3600";

static SERVED: LazyLock<String> = LazyLock::new(|| lean(SOURCE));
/// None if it cannot be compressed; it is then served as it is.
static COMPRESSED: LazyLock<Option<Vec<u8>>> = LazyLock::new(|| {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(SERVED.as_bytes()).ok()?;
    encoder.finish().ok()
});

/// The source without its comments and indentation: the same program, line by line.
fn lean(source: &str) -> String {
    let lines = source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The tracker for web pages, under the address at which Segment's snippet looks for its own.
///
/// The key is not looked at before the page sends something.
#[utoipa::path(get, path = "/analytics.js/v1/{key}/analytics.min.js", tag = "Ingestion", security(()),
    params(("key" = String, Path, description = "A write key")),
    responses((status = 200, body = String, content_type = "text/javascript")))]
pub(super) async fn get_tracker(headers: HeaderMap) -> Response {
    let about = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, CACHING),
        (header::VARY, "Accept-Encoding"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    let takes_gzip = headers.get_all(header::ACCEPT_ENCODING).iter();
    let takes_gzip = takes_gzip.filter_map(|value| value.to_str().ok()).any(|value| value.contains("gzip"));
    match COMPRESSED.as_ref().filter(|_| takes_gzip) {
        Some(bytes) => (about, [(header::CONTENT_ENCODING, "gzip")], bytes.as_slice()).into_response(),
        None => (about, SERVED.as_str()).into_response(),
    }
}
