//! What people see who use the command line: the real binary against the real service.
//!
//! What is printed is compared with files in `snapshots`. Ids and instants differ from run to run and are written
//! over by others of the same length, so that tables keep their shape.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]
#![expect(clippy::disallowed_methods, reason = "statements of a test look into the tables")]

mod claims;
mod failures;
mod leads;
mod models;
mod run;

#[path = "../process/http.rs"]
mod http;
#[path = "../process/scratch.rs"]
#[expect(dead_code, reason = "shared with the tests of processes, which use all of it")]
mod scratch;
#[path = "../process/service.rs"]
#[expect(dead_code, reason = "shared with the tests of processes, which use all of it")]
mod service;
