//! The `leadscore` command: what can be asked of the binary.

use std::{net::SocketAddr, path::PathBuf};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{config, demo};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "leadscore", version, about)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service
    Serve(config::Serve),
    /// Play a believable year on the service's database: traffic, sales and deals; then show the top of the queue
    Demo(demo::Settings),
    /// What people and programs do with a running service.
    #[command(flatten)]
    Client(cli::Command),
    /// Print the API's description, openapi.yaml
    Openapi,
    /// Ask the service on this machine whether it is ready: a container's health check
    #[command(hide = true)]
    Health {
        /// The address that it listens on
        #[arg(env = "LEADSCORE_LISTEN", default_value = config::LISTEN)]
        listen: SocketAddr,
    },
    /// Stop a private Postgres when its last user has gone
    #[command(hide = true)]
    PgSupervise {
        /// The folder of the Postgres
        root: PathBuf,
        /// How many seconds it goes on without a user
        grace: f64,
    },
}

/// The command line as it is parsed; environment variables that are empty are passed over.
#[must_use]
pub fn parser() -> clap::Command {
    config::without_empty(CommandLine::command())
}

/// What was asked; ends the process where the question is wrong, or is one for help.
#[must_use]
pub fn asked() -> Command {
    let matches = parser().get_matches();
    CommandLine::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()).command
}
