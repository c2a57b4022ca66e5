//! Serves the tracker for web pages. The tracker reads the key and the service's address from the URL from
//! which it was loaded, so it is the same file for everybody. The service does not check the key here: a page
//! keeps events that it could not send.

use std::sync::LazyLock;

use axum::{
    http::{HeaderName, header},
    response::IntoResponse,
};
use tower_http::{CompressionLevel, compression::CompressionLayer};

/// The source of the tracker.
const SOURCE: &str = include_str!("tracker.js");
/// Browsers and proxies may keep the tracker for an hour.
const CACHING: &str = "public, max-age=3600";

/// The tracker as it is served.
static SERVED: LazyLock<String> = LazyLock::new(|| lean(SOURCE));

/// Returns the source without comments and indentation. The program and its lines stay the same.
fn lean(source: &str) -> String {
    let lines = source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Serves the tracker for web pages, under the path from which Segment's snippet loads its script.
///
/// The key is checked only when the page sends events.
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

/// Compresses the tracker by gzip, at the best level, for clients that accept gzip.
pub(super) fn compression() -> CompressionLayer {
    CompressionLayer::new().quality(CompressionLevel::Best)
}
