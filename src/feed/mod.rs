//! What happened to leads: a feed to read, and webhooks.

pub mod outbox;
pub mod webhooks;
