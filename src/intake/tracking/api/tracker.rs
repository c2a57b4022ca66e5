//! The tracker for web pages, served to whoever asks. It reads the key and the address of this service from the address
//! that it was loaded from, so it is the same bytes for everybody; a page keeps what it could not send, so the tracker is
//! served without asking the database who that is.

use std::sync::LazyLock;

use axum::{
    http::{HeaderName, header},
    response::IntoResponse,
};
use tower_http::{CompressionLevel, compression::CompressionLayer};

const SOURCE: &str = include_str!("tracker.js");
/// For an hour a browser, or a proxy, need not ask again.
const CACHING: &str = "public, max-age=3600";

static SERVED: LazyLock<String> = LazyLock::new(|| lean(SOURCE));

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
pub(super) async fn get_tracker() -> impl IntoResponse {
    let about = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, CACHING),
        (header::VARY, "Accept-Encoding"),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    (about, SERVED.as_str())
}

/// Compresses the tracker for those who take gzip, as much as gzip can.
pub(super) fn compression() -> CompressionLayer {
    CompressionLayer::new().quality(CompressionLevel::Best)
}
