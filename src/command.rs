//! The `leadscore` command: its subcommands and their options.

use std::{io::Write, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{config, demo, health, platform::clock::Clock, routes, serve, telemetry};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "leadscore", version, about)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service
    Serve(config::Serve),
    /// Play a believable year on the service's database: traffic, sales and deals. Then show the top of the queue
    Demo(demo::Settings),
    /// Calls to a running service.
    #[command(flatten)]
    Client(cli::Command),
    /// Print the API's description, openapi.yaml
    Openapi,
    /// Ask the service on this machine whether it is ready. For a container's health check
    #[command(hide = true)]
    Health {
        /// The address that the service listens on
        #[arg(env = "LEADSCORE_LISTEN", default_value = config::LISTEN)]
        listen: SocketAddr,
    },
    /// Stop a private Postgres when its last user has gone
    #[command(hide = true)]
    PgSupervise {
        /// The folder of the Postgres
        root: PathBuf,
        /// How many seconds the Postgres keeps running without a user
        grace: f64,
    },
}

/// Makes the parser of the command line. It ignores empty environment variables.
#[must_use]
pub fn parser() -> clap::Command {
    config::without_empty(CommandLine::command())
}

/// Runs the command of the command line, and writes an error to standard error.
///
/// The whole program is in the library, the runtime too. Otherwise the code that the binary awaits would be compiled a
/// second time for the binary.
pub fn main() -> ExitCode {
    match run(asked()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !cli::is_closed_pipe(&error) {
                let _ = writeln!(std::io::stderr(), "leadscore: {error:#}");
            }
            cli::exit_code(&error)
        }
    }
}

/// Parses the command line. Ends the process with a message if it is wrong or asks for help.
fn asked() -> Command {
    let matches = parser().get_matches();
    CommandLine::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()).command
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(settings) => {
            telemetry::log(settings.log_format);
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve::run(settings))
        }
        Command::Demo(settings) => {
            let (url, data_dir) = (settings.database_url.clone(), settings.data_dir.clone());
            let play = async |options| demo::run(settings, options).await;
            let played = serve::on_database(url.as_deref(), &data_dir, play);
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(played)
        }
        Command::Client(command) => cli::run(command, Clock::System.now()),
        Command::Openapi => Ok(std::io::stdout().write_all(routes::openapi().to_yaml().as_bytes())?),
        Command::Health { listen } => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(health::ask(listen))
        }
        Command::PgSupervise { root, grace } => {
            Ok(private_postgres::supervise(&root, Duration::from_secs_f64(grace))?)
        }
    }
}
