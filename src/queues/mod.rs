//! Queues: who is to be called next, in an order that anybody can check.
//!
//! There is one queue as yet, `sales`: leads at stage `mql` that may be contacted, but for
//! those that only a newly published model made one; best score first, then the
//! higher raw score, then the lead seen last. No two leads share a place.

pub mod api;
mod store;

/// The queue that every installation has.
pub const SALES: &str = "sales";
