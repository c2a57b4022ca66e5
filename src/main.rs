//! The `leadscore` command.

use std::{io::Write, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use leadscore::{config, demo, health, http, models, serve, telemetry};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service
    Serve(config::Serve),
    /// Fill a running service with a believable month of traffic, then show the top of the queue
    Demo(demo::Settings),
    /// Work on scoring models
    #[command(subcommand)]
    Models(Models),
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
    PgSupervise { root: PathBuf, grace: f64 },
}

#[derive(Subcommand)]
enum Models {
    /// Check a model's document, its own tests included; the exit code says whether it could be published
    Check {
        /// The document, in YAML or JSON
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let matches = config::without_empty(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "leadscore: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(settings) => {
            telemetry::log(settings.log_format);
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve::run(settings))
        }
        Command::Demo(settings) => {
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(demo::run(settings))
        }
        Command::Models(Models::Check { file }) => {
            let valid = models::document::check_file(&file, &mut std::io::stdout().lock())?;
            anyhow::ensure!(valid, "{} cannot be published", file.display());
            Ok(())
        }
        Command::Openapi => Ok(std::io::stdout().write_all(http::openapi().to_yaml().as_bytes())?),
        Command::Health { listen } => health::ask(listen),
        Command::PgSupervise { root, grace } => {
            Ok(private_postgres::supervise(&root, Duration::from_secs_f64(grace))?)
        }
    }
}
