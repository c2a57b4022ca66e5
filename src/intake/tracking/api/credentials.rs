//! The key, wherever a client puts it: header, then query, then body.

use axum::http::HeaderMap;

use crate::{http::said::header, keys::auth};

/// The key that a request presents. Clients of other houses write `key:` or `key:anything`; what follows the colon
/// is nothing to us.
pub(super) fn presented(headers: &HeaderMap, query: Option<&str>, body: Option<&str>) -> Option<String> {
    let own_header = || header(headers, "x-write-key").map(str::to_owned);
    let places = [auth::presented(headers), own_header(), query.map(str::to_owned), body.map(str::to_owned)];
    let key = |place: String| place.split(':').next().map(str::trim).map(str::to_owned);
    places.into_iter().flatten().filter_map(key).find(|key| !key.is_empty())
}
