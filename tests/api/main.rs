//! The service as its callers see it: HTTP in, HTTP and database out, on a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod harness;

mod events;
mod identities;
mod incremental;
mod lifecycle;
mod tracking;
mod writers;
