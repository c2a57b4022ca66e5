//! Lanes: the lines in which one lead's deliveries to one endpoint wait, and who has them in hand.

pub(super) mod store;

pub(super) use store::{Head, Lease};
