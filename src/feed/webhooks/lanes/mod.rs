//! Lanes: the line in which one lead's deliveries to one endpoint wait, and the courier that has taken it.

pub(super) mod store;

pub(super) use store::{Head, Lease};
