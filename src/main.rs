//! The `leadscore` command.

use std::{io::Write, process::ExitCode, time::Duration};

use leadscore::{
    command::{self, Command},
    demo, health,
    platform::clock::Clock,
    routes, serve, telemetry,
};

/// Gives memory back that a burst of requests has needed; the C library's allocator keeps it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(command::asked()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !cli::is_closed_pipe(&error) {
                let _ = writeln!(std::io::stderr(), "leadscore: {error:#}");
            }
            cli::exit_code(&error)
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
