//! The command line for people who work with a running service: `leadscore leads`, `explain`, `queue` and the rest.
//!
//! This crate is a client of the public HTTP API and knows nothing else of the service. Each verb has a module:
//! its arguments, its calls, and how the answer is shown. [`client`] makes the calls, [`screen`] shows.
//!
//! People get tables and sentences. With `--json` a program gets the answers of the API, byte for byte, one a line.

pub mod claims;
pub mod client;
pub mod connection;
pub mod explain;
pub mod keys;
mod lead;
pub mod leads;
pub mod models;
mod problem;
pub mod queue;
pub mod screen;
pub mod words;

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Subcommand;

/// A call is wrong in a way that only shows when it runs, such as a missing key.
#[derive(Debug)]
pub struct Usage(String);

/// What people and programs do with a running service.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// List leads, best score first
    Leads(leads::Leads),
    /// Show why a lead has its score: every rule that counts, with the events behind it
    Explain(explain::Explain),
    /// Show a queue: who is called next, and why
    Queue(queue::Show),
    /// Claim the next lead of a queue for a rep
    Next(queue::Next),
    /// List claims, and end what `next` began
    #[command(subcommand)]
    Claims(claims::Claims),
    /// Check, compare and publish scoring models
    #[command(subcommand)]
    Models(models::Models),
    /// List, make and revoke keys
    #[command(subcommand)]
    Keys(keys::Keys),
}

/// Runs a command. `now` is the instant from which "6 h ago" counts.
///
/// # Errors
///
/// [`Usage`] for a call that cannot work as it was written; any other error is what the service or the machine
/// refused. The error's text is for the person at the terminal.
pub fn run(command: Command, now: DateTime<Utc>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Leads(leads) => leads.run(now).await,
            Command::Explain(explain) => explain.run(now).await,
            Command::Queue(show) => show.run(now).await,
            Command::Next(next) => next.run(now).await,
            Command::Claims(claims) => claims.run(now).await,
            Command::Models(models) => models.run(now).await,
            Command::Keys(keys) => keys.run(now).await,
        }
    })
}

/// The exit code of an error: 2 for a wrong call, else 1. A reader of our output that went away is no error.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    if is_closed_pipe(error) {
        ExitCode::SUCCESS
    } else if error.is::<Usage>() {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}

/// Whether the reader of our output went away, as `head` does. There is nobody to tell.
#[must_use]
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

impl Usage {
    fn error(text: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Usage(text.into()))
    }
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
