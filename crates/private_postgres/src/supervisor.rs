//! The process that stops the server when the last user is gone, however that one died.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use crate::error::{About, FileError, StartError, SuperviseError};
use crate::layout::Layout;
use crate::lock::{self, Lock};
use crate::reap::Waiters;
use crate::{Settings, server};

/// How long a new supervisor may take to report for duty.
const SPAWN_LIMIT: Duration = Duration::from_secs(20);

/// How long a supervisor takes the lock on its office to be held by somebody who only looks.
const PEEK_LIMIT: Duration = Duration::from_secs(1);

/// How often the length of the log is looked at.
const LOG_POLL: Duration = Duration::from_secs(10);

/// How often the end of the grace period is looked for.
const GRACE_POLL: Duration = Duration::from_millis(50);

/// The body of the hidden subcommand that [`Settings::supervisor`] names: waits until no user holds a
/// lease on the cluster at `root` any more, and for `grace` nobody has come, then stops the server and
/// returns. Returns at once when the cluster has a supervisor already.
///
/// Call it first thing in `main`, before any thread is made.
pub fn supervise(root: &Path, grace: Duration) -> Result<(), SuperviseError> {
    // Away from the terminal and its Ctrl-C. It fails only when we lead a group already: then we were
    // started by hand and obey the terminal.
    let _ = nix::unistd::setsid();
    let layout = Layout::resolve(root, &|_| {}).map_err(Box::new)?;
    let Some(office) = take_office(&layout)? else { return Ok(()) };
    let log = layout.log();
    // It ends with the process.
    thread::spawn(move || keep_log_short(&log));
    let lease = wait_for_the_last_user(&layout, grace)?;
    // A server whose folder was removed ends by itself within a minute. If there is another by now, with
    // files of the same names, it is none of our business.
    let stopped = if lease.is_still_at(&layout.lease()) { server::stop(&layout) } else { Ok(()) };
    // In this order: whoever gets the lease next must find the office vacant.
    drop(office);
    drop(lease);
    stopped
}

/// Bounds the log for as long as the process lives.
fn keep_log_short(log: &Path) {
    loop {
        sleep(LOG_POLL);
        if let Err(error) = server::bound_log(log, server::LOG_LIMIT) {
            tracing::debug!(%error, "the log stays as long as it is");
        }
    }
}

/// The lock that marks the supervisor, unless there is one already.
fn take_office(layout: &Layout) -> Result<Option<Lock>, FileError> {
    let deadline = Instant::now() + PEEK_LIMIT;
    loop {
        let office = lock::try_exclusive(&layout.supervisor_lock())?;
        if office.is_some() || Instant::now() > deadline {
            return Ok(office);
        }
        sleep(server::POLL);
    }
}

/// Whether nobody supervises the cluster.
pub(crate) fn is_gone(layout: &Layout) -> Result<bool, FileError> {
    Ok(lock::try_exclusive(&layout.supervisor_lock())?.is_some())
}

/// Blocks until the lease is ours alone and has been nobody's for the grace period.
fn wait_for_the_last_user(layout: &Layout, grace: Duration) -> Result<Lock, FileError> {
    'used: loop {
        let lease = lock::exclusive(&layout.lease())?;
        if grace.is_zero() || !lease.is_still_at(&layout.lease()) {
            return Ok(lease);
        }
        drop(lease);
        let deadline = Instant::now() + grace;
        loop {
            sleep(GRACE_POLL.min(grace));
            let Some(lease) = lock::try_exclusive(&layout.lease())? else { continue 'used };
            if Instant::now() >= deadline {
                return Ok(lease);
            }
        }
    }
}

/// Starts a supervisor if there is none. The caller holds the start lock and a share of the lease.
pub(crate) fn ensure(layout: &Layout, settings: &Settings, children: &mut Waiters) -> Result<(), StartError> {
    if !is_gone(layout)? {
        return Ok(());
    }
    let mut command = command(layout, settings)?;
    let failed =
        |command: &Command, what: String| StartError::Supervisor { command: format!("{command:?}"), what };
    let mut child = command.spawn().map_err(|error| failed(&command, error.to_string()))?;
    let deadline = Instant::now() + SPAWN_LIMIT;
    let outcome = loop {
        if !is_gone(layout)? {
            break Ok(());
        }
        if let Some(status) = child.try_wait().about("wait for", layout.root())? {
            let log = layout.log();
            break Err(failed(&command, format!("it ended ({status}); {} may say why", log.display())));
        }
        if Instant::now() > deadline {
            end(&mut child);
            break Err(failed(&command, format!("it took no lock within {} s", SPAWN_LIMIT.as_secs())));
        }
        sleep(server::POLL);
    };
    children.add(child);
    outcome
}

/// The command prefix with ROOT and GRACE. Nothing of ours stays open in it: whoever reads our output
/// to its end must not have to wait for the supervisor.
fn command(layout: &Layout, settings: &Settings) -> Result<Command, StartError> {
    let Some((program, arguments)) = settings.supervisor.split_first() else {
        return Err(StartError::Supervisor { command: String::new(), what: "no command was given".into() });
    };
    let log = layout.log();
    let errors = File::options().append(true).create(true).open(&log).about("open", &log)?;
    let whole_seconds = settings.grace.as_secs() + u64::from(settings.grace.subsec_nanos() > 0);
    let mut command = Command::new(from_anywhere(program));
    command.args(arguments).arg(layout.root()).arg(whole_seconds.to_string());
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
    Ok(command)
}

/// A program that is named by a path is found from any working directory.
fn from_anywhere(program: &OsString) -> PathBuf {
    let path = Path::new(program);
    if path.components().count() > 1 {
        std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
    } else {
        path.to_owned()
    }
}

/// Ends a child that does not do its work.
fn end(child: &mut Child) {
    if let Err(error) = child.kill() {
        tracing::warn!(%error, "a supervisor that does nothing cannot be ended");
    }
}
