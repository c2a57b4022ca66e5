//! The shapes of other SDKs, turned into our events.
//!
//! Segment's HTTP tracking API in all the variants that its own SDKs and related SDKs use: one call a method or a
//! batch, long and one-letter paths, every content type, and the key wherever they put it. A success is exactly `200`
//! with a JSON object that says `"success": true`, because some clients take any other 2xx for a failure and send
//! again. An ingest call is never redirected, because clients turn a redirected POST into a GET and report success.
//!
//! The tracker for web pages is here too. It uses the same calls.

pub mod api;
mod envelope;
mod forwarded;
mod names;
mod place;
mod segment;
