//! The real binary as a process: how it starts and stops, and what it does when something is killed.
//!
//! Each test has a folder of its own, and nothing that it started is left running afterwards. A test waits for
//! what it needs to see, with a deadline, and never for a time to pass.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]
#![expect(clippy::disallowed_methods, reason = "statements of a test look into the tables")]

mod aborts;
mod crashes;
mod demo;
mod deployment;
mod http;
mod rebuilds;
#[path = "../api/harness/receiver.rs"]
#[expect(dead_code, reason = "shared with the tests of the API, which use all of it")]
mod receiver;
#[path = "../api/harness/replay.rs"]
mod replay;
mod scratch;
mod service;
mod shared;
mod starts;
mod stops;
mod webhooks;
