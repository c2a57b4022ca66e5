//! `private-postgres run ROOT [--] CMD…` runs a command with `DATABASE_URL` set to a private cluster.
//!
//! ```text
//! private-postgres run [--throwaway] [--grace SECONDS] ROOT [--] CMD [ARG…]
//! private-postgres supervise ROOT GRACE
//! ```
//! `run` ends with the command's exit code (128 + n after signal n, 127 when it cannot be run, 125 when
//! there is no cluster). `--throwaway` trades durability for speed. `supervise` is what `run` starts by
//! itself.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use private_postgres::{Cluster, Settings, supervise};

const USAGE: &str = "\
usage: private-postgres run [--throwaway] [--grace SECONDS] ROOT [--] CMD [ARG...]
       private-postgres supervise ROOT GRACE";

/// The hidden subcommand by which `run` starts the command.
const EXEC: &str = "exec";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((name, rest)) if name == "run" => run(rest),
        Some((name, rest)) if name == "supervise" => supervise_from(rest),
        Some((name, rest)) if name == EXEC => become_command(rest),
        _ => Err(USAGE.into()),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("private-postgres: {}", chain(&*error));
        ExitCode::from(125)
    })
}

/// The error and its sources, as one line or as many as they have.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn supervise_from(arguments: &[OsString]) -> Result<ExitCode, Box<dyn Error>> {
    let [root, grace] = arguments else { return Err(USAGE.into()) };
    supervise(Path::new(root), seconds(grace)?)?;
    Ok(ExitCode::SUCCESS)
}

fn seconds(text: &OsString) -> Result<Duration, Box<dyn Error>> {
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| format!("{} is no number of seconds", text.display()).into())
}

/// What `run` was asked for.
struct Run {
    settings: Settings,
    command: Vec<OsString>,
}

impl Run {
    fn parse(arguments: &[OsString]) -> Result<Self, Box<dyn Error>> {
        let mut settings = Settings {
            root: PathBuf::new(),
            supervisor: vec![env::current_exe()?.into(), "supervise".into()],
            grace: Duration::ZERO,
            durable: true,
            max_connections: 100,
        };
        let mut rest = arguments.iter();
        let root = loop {
            let argument = rest.next().ok_or(USAGE)?;
            if argument == "--throwaway" {
                settings.durable = false;
            } else if argument == "--grace" {
                settings.grace = seconds(rest.next().ok_or(USAGE)?)?;
            } else {
                break argument;
            }
        };
        settings.root = PathBuf::from(root);
        let mut command: Vec<OsString> = rest.cloned().collect();
        if command.first().is_some_and(|first| first == "--") {
            command.remove(0);
        }
        if command.is_empty() || root.is_empty() {
            return Err(USAGE.into());
        }
        Ok(Self { settings, command })
    }
}

fn run(arguments: &[OsString]) -> Result<ExitCode, Box<dyn Error>> {
    let Run { settings, command } = Run::parse(arguments)?;
    let cluster = Cluster::start_reporting(&settings, &|progress| eprintln!("private-postgres: {progress}"))?;
    // From here on signals wait until somebody asks for them. The command, which would inherit that, is
    // started by way of ourselves to undo it: undone here, it would leave a moment in which Ctrl-C ends us.
    signals().thread_block()?;
    let mut child = Command::new(env::current_exe()?);
    child.arg(EXEC).args(&command).env("DATABASE_URL", cluster.url("postgres"));
    let status = child.spawn().and_then(wait_and_pass_signals_on);
    cluster.stop()?;
    Ok(ExitCode::from(exit_code(status?)))
}

/// The signals that ask a program to end.
fn signals() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect()
}

/// Lets signals through again and becomes the command.
fn become_command(command: &[OsString]) -> Result<ExitCode, Box<dyn Error>> {
    let (program, arguments) = command.split_first().ok_or(USAGE)?;
    signals().thread_unblock()?;
    let error = Command::new(program).args(arguments).exec();
    eprintln!("private-postgres: {}: {error}", program.display());
    Ok(ExitCode::from(127))
}

/// Waits for the command. Meanwhile Ctrl-C is left to it, which gets it from the terminal as we do, and
/// what is sent to us alone is passed on: the server must stay up until the command has ended.
fn wait_and_pass_signals_on(mut child: Child) -> std::io::Result<ExitStatus> {
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(std::io::Error::other)?);
    thread::spawn(move || {
        while let Ok(signal) = signals().wait() {
            if signal != Signal::SIGINT {
                // It may have ended just now, and we end with it.
                let _ = kill(pid, signal);
            }
        }
    });
    child.wait()
}

/// As shells do it: 128 + n after signal n.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(u8::MAX)
}
