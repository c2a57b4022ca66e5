//! The shapes of other people's SDKs, turned into our events.
//!
//! Segment's HTTP tracking API in all the variants that its own SDKs and their relatives speak: one call a method or
//! a batch, long and one-letter paths, every content type, the key wherever they put it. A success is exactly `200`
//! with a JSON object that says `"success": true`: some clients take any other 2xx for a failure and send again. An
//! ingest call is never redirected, since clients turn a redirected POST into a GET and report success.
//!
//! And a tracker of our own for web pages, which speaks the same.

pub mod api;
mod bootstrap;
mod credentials;
mod envelope;
mod forwarded;
mod names;
mod pixel;
mod place;
mod segment;
mod tracker;
