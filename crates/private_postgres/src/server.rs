//! The server process: started, adopted and stopped.
//!
//! Its standard input is the locked file `server.lock`, which all of its processes inherit. So the
//! lock is free exactly when the last of them is gone, which neither a pid nor a pid file can tell.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::binaries::{self, Binaries};
use crate::error::{About, FileError, StartError, SuperviseError};
use crate::layout::Layout;
use crate::lock::{self, Lock};
use crate::pid_file::{self, PidFile};
use crate::reap::Waiters;
use crate::{Progress, Settings, initialise, probe};

/// The superuser of the cluster.
pub(crate) const USER: &str = "postgres";

/// The port, which for a Unix socket is only a part of its name.
pub(crate) const PORT: u16 = 5432;

/// How often a condition is looked at again.
pub(crate) const POLL: Duration = Duration::from_millis(5);

/// How long a server may take to accept connections; crash recovery is the slow case. One that ends
/// is noticed at once.
const START_LIMIT: Duration = Duration::from_mins(5);

/// How long a fast shutdown may take before an immediate one is asked for.
const FAST_STOP_LIMIT: Duration = Duration::from_secs(30);

/// How long an immediate shutdown may take.
const IMMEDIATE_STOP_LIMIT: Duration = Duration::from_secs(15);

/// A log longer than this is put aside, in bytes.
pub(crate) const LOG_LIMIT: u64 = 16 << 20;

/// A server that accepts connections.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) socket_dir: PathBuf,
    pub(crate) version: String,
    pub(crate) bin_dir: PathBuf,
}

/// Adopts the running server of this root, or starts one. The caller holds the start lock and a share
/// of the lease.
pub(crate) fn adopt_or_start(
    layout: &Layout,
    settings: &Settings,
    children: &mut Waiters,
    report: &dyn Fn(Progress),
) -> Result<Server, StartError> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        if let Some(server_lock) = lock::try_exclusive(&layout.server_lock())? {
            return start(layout, settings, server_lock, children, report);
        }
        if let Some(server) = adopt(layout) {
            report(Progress::Adopted { version: server.version.clone() });
            return Ok(server);
        }
        if Instant::now() > deadline {
            return Err(failed(layout, "a server runs, but accepts no connections", tail(layout, 0)));
        }
        sleep(POLL);
    }
}

/// The running server, if it accepts connections: not while it recovers or shuts down.
fn adopt(layout: &Layout) -> Option<Server> {
    let file = PidFile::read(&layout.data()).filter(|file| file.status == "ready")?;
    let version = probe::server_version(&file.socket_dir).ok()?;
    let options = fs::read_to_string(layout.data().join("postmaster.opts")).unwrap_or_default();
    let program = options.split(" \"-D\"").next().unwrap_or_default();
    let bin_dir = Path::new(program).parent().map(Path::to_owned).unwrap_or_default();
    Some(Server { socket_dir: file.socket_dir, version, bin_dir })
}

/// Starts a server, after making the data directory if there is none.
fn start(
    layout: &Layout,
    settings: &Settings,
    server_lock: Lock,
    children: &mut Waiters,
    report: &dyn Fn(Progress),
) -> Result<Server, StartError> {
    let data = layout.data();
    let made_by = initialise::made_by(&data);
    let binaries = binaries::obtain(layout.account(), &data, made_by.as_deref(), report)?;
    if made_by.is_none() {
        report(Progress::Initialising { data: data.clone(), version: binaries.version.clone() });
        initialise::initialise(layout, &binaries, settings.durable)?;
    }
    let socket_dir = layout.make_socket_dir()?;
    pid_file::clear_stale(layout, &socket_dir)
        .map_err(|pid| StartError::Foreign { data: data.clone(), pid })?;

    report(Progress::Starting { data, version: binaries.version.clone() });
    let (log, log_start) = open_log(&layout.log())?;
    let mut command = server_command(layout, settings, &binaries, &socket_dir);
    command.stdin(server_lock.into_file().map_or_else(Stdio::null, Stdio::from));
    command.stdout(log.try_clone().about("share", &layout.log())?).stderr(log);
    let mut child = command.spawn().about("run", &binaries.folder.join("postgres"))?;
    drop(command);
    let ready = wait_until_ready(layout, &mut child, &socket_dir, log_start);
    if ready.is_err() && matches!(child.try_wait(), Ok(None)) {
        // If it does not heed this, the supervisor deals with it as soon as we give the lease back.
        let _ = kill(pid_of(&child), Signal::SIGINT);
    }
    children.add(child);
    Ok(Server { version: ready?, socket_dir, bin_dir: binaries.folder })
}

/// The command line: no TCP, no access for others, no dependence on the surroundings.
fn server_command(layout: &Layout, settings: &Settings, binaries: &Binaries, socket_dir: &Path) -> Command {
    let mut command = layout.account().command(binaries.folder.join("postgres"));
    command.arg("-D").arg(layout.data()).arg("-k").arg(socket_dir).arg("-p").arg(PORT.to_string());
    let max_connections = format!("max_connections={}", settings.max_connections);
    let always = [
        "listen_addresses=",
        "unix_socket_permissions=0700",
        "timezone=UTC",
        "log_timezone=UTC",
        "jit=off",
        "logging_collector=off",
        max_connections.as_str(),
    ];
    let when_throwaway = [
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "wal_level=minimal",
        "max_wal_senders=0",
    ];
    let shared_buffers = format!("shared_buffers={}MB", shared_megabytes(memory_megabytes()));
    // A page's first change after a checkpoint is logged whole, so checkpoints are kept rare under load.
    let when_durable = [shared_buffers.as_str(), "max_wal_size=4GB", "checkpoint_timeout=15min"];
    let by_use = if settings.durable { &when_durable[..] } else { &when_throwaway[..] };
    for setting in always.iter().chain(by_use) {
        command.args(["-c", setting]);
    }
    // A group of its own: Ctrl-C in the terminal must not stop the server below an app that drains.
    command.process_group(0);
    command
}

/// What the server keeps of its data in memory: an eighth of the machine's, from 128 MB (its own default) to 2 GB.
fn shared_megabytes(memory: u64) -> u64 {
    (memory / 8).clamp(128, 2048)
}

/// The machine's memory; 0 where it cannot be told.
fn memory_megabytes() -> u64 {
    let told = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = told.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    total.and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok()).map_or(0, |kilobytes| kilobytes / 1024)
}

/// Waits until the server that we started says "ready" and answers; gives its version.
fn wait_until_ready(
    layout: &Layout,
    child: &mut Child,
    socket_dir: &Path,
    log_start: u64,
) -> Result<String, StartError> {
    let deadline = Instant::now() + START_LIMIT;
    let own_pid = pid_of(child).as_raw();
    loop {
        let ready = PidFile::read(&layout.data()).is_some_and(|f| f.pid == own_pid && f.status == "ready");
        let answer = if ready { probe::server_version(socket_dir).map_err(Some) } else { Err(None) };
        match answer {
            Ok(version) => return Ok(version),
            Err(error) if Instant::now() > deadline => {
                let why = error.map_or_else(|| "it is not ready".to_owned(), |error| error.to_string());
                let what = format!("no connection after {} s: {why}", START_LIMIT.as_secs());
                return Err(failed(layout, &what, tail(layout, log_start)));
            }
            Err(_) => {}
        }
        if let Some(status) = child.try_wait().about("wait for", &layout.data())? {
            return Err(failed(layout, &format!("it ended ({status})"), tail(layout, log_start)));
        }
        sleep(POLL);
    }
}

/// Stops the server if it runs: SIGINT (sessions are ended, data is flushed), after a while SIGQUIT.
/// The caller holds the lease alone, and has made sure that it is the one of the folder's present content.
pub(crate) fn stop(layout: &Layout) -> Result<(), SuperviseError> {
    for (signal, limit) in [(Signal::SIGINT, FAST_STOP_LIMIT), (Signal::SIGQUIT, IMMEDIATE_STOP_LIMIT)] {
        let deadline = Instant::now() + limit;
        let mut signalled = None;
        while Instant::now() < deadline {
            if lock::try_exclusive(&layout.server_lock())?.is_some() {
                return Ok(());
            }
            // One that only just began has no pid file yet, so this is looked at again and again.
            if let Some(file) = PidFile::read(&layout.data())
                && signalled != Some(file.pid)
                && pid_file::is_server(file.pid, &layout.data())
            {
                match kill(Pid::from_raw(file.pid), signal) {
                    Ok(()) | Err(Errno::ESRCH) => signalled = Some(file.pid),
                    Err(source) => return Err(SuperviseError::Signal { pid: file.pid, source }),
                }
            }
            sleep(POLL);
        }
    }
    Err(SuperviseError::StillRunning { data: layout.data() })
}

/// Puts a log aside that has become longer than `limit`, as a copy, and empties it: the server goes on appending to the file
/// that it has open. What it writes between the two is lost.
pub(crate) fn bound_log(path: &Path, limit: u64) -> Result<(), FileError> {
    if fs::metadata(path).is_ok_and(|meta| meta.len() > limit) {
        let old = path.with_extension("log.old");
        fs::copy(path, &old).about("copy", path)?;
        File::options().write(true).open(path).and_then(|log| log.set_len(0)).about("empty", path)?;
    }
    Ok(())
}

/// The log for appending, and its length so far; a long one is put aside.
fn open_log(path: &Path) -> Result<(File, u64), FileError> {
    bound_log(path, LOG_LIMIT)?;
    let log = File::options().append(true).create(true).mode(0o600).open(path).about("open", path)?;
    let length = log.metadata().about("look at", path)?.len();
    Ok((log, length))
}

/// The last lines that were written to the log since it was `start` long.
fn tail(layout: &Layout, start: u64) -> String {
    let mut text = Vec::new();
    let read = File::open(layout.log()).and_then(|mut log| {
        log.seek(SeekFrom::Start(start))?;
        log.read_to_end(&mut text)
    });
    if let Err(error) = read {
        return format!("(its log {} cannot be read: {error})", layout.log().display());
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

fn failed(layout: &Layout, what: &str, log: String) -> StartError {
    StartError::Server { data: layout.data(), what: what.to_owned(), log }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("the kernel's pids are positive i32"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eighth_of_the_memory_is_shared_within_bounds() {
        assert_eq!([0, 512, 8_192, 65_536].map(shared_megabytes), [128, 128, 1_024, 2_048]);
    }

    #[test]
    fn a_log_that_is_too_long_is_put_aside_and_written_on_from_its_beginning() {
        use std::io::Write;

        let folder = std::env::temp_dir().join(format!("pp-log-{}", std::process::id()));
        fs::create_dir(&folder).expect("a folder");
        let path = folder.join("postgres.log");
        let (mut log, _) = open_log(&path).expect("a log");
        log.write_all(b"long").expect("room");

        bound_log(&path, 4).expect("it is ours");
        assert_eq!(fs::read(&path).expect("a log"), b"long", "it is not too long yet");
        bound_log(&path, 3).expect("it is ours");
        log.write_all(b"new").expect("room");

        assert_eq!(fs::read(&path).expect("a log"), b"new");
        assert_eq!(fs::read(path.with_extension("log.old")).expect("the old one"), b"long");
        fs::remove_dir_all(folder).expect("it is ours");
    }
}
