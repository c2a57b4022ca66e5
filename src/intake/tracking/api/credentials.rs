//! Finding the key in a request. Clients send it in a header, in the query or in the body.

use axum::http::HeaderMap;

use crate::{http::said::header, keys::auth};

/// Returns the key of a request: from a header, else from the query, else from the body. Some clients write
/// `key:` or `key:anything`. The part after the colon is ignored.
pub(super) fn presented(headers: &HeaderMap, query: Option<&str>, body: Option<&str>) -> Option<String> {
    let own_header = || header(headers, "x-write-key").map(str::to_owned);
    let places = [auth::presented(headers), own_header(), query.map(str::to_owned), body.map(str::to_owned)];
    let key = |place: String| place.split(':').next().map(str::trim).map(str::to_owned);
    places.into_iter().flatten().filter_map(key).find(|key| !key.is_empty())
}
