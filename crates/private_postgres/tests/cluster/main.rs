//! The private cluster, with real servers and real kills.
//!
//! Every test has a folder of its own, and ends by asserting that no process of it is left. They read
//! `/proc` to find the processes, so they run on Linux only.
#![cfg(target_os = "linux")]

mod app;
mod crashes;
mod fetches;
mod life;
mod refusals;
mod scratch;
mod session;
