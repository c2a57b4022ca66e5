//! A folder for one test, and the processes that belong to it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use private_postgres::Settings;

/// The program under test, which is the supervisor as well.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_private-postgres");

/// How long a test waits for anything: only what hangs takes so long, however busy the machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(10);

/// Looks until the condition gives a value.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        sleep(Duration::from_millis(5));
    }
}

/// Waits until the condition holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// Kills by SIGKILL and waits until it has come to pass; the process must exist.
pub(crate) fn kill_hard(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("the process is there to be killed");
    wait_until("the killed process to end", || !runs(pid));
}

/// Whether a thread of the process runs. A process that has ended and was not reaped yet does not run.
///
/// The first thread of a killed process may be a zombie while another thread is still dying, and the process
/// keeps its locks until the last thread has died.
pub(crate) fn runs(pid: i32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.filter_map(Result::ok).any(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit(')')
            .next()
            .is_some_and(|state| !state.trim_start().starts_with(['Z', 'X']) && !state.is_empty())
    })
}

/// A folder that everybody may enter, removed at the end.
pub(crate) struct Scratch {
    pub(crate) folder: PathBuf,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        // Of one length, so that none is the beginning of another.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("pp-test-{}-{:03}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = env::temp_dir().join(name);
        fs::create_dir(&folder).expect("the folder is new");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        Self { folder }
    }

    /// Where this test's cluster goes.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("pg")
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            root: self.root(),
            supervisor: vec![OsString::from(PROGRAM), "supervise".into()],
            grace: Duration::ZERO,
            durable: false,
            max_connections: 20,
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.root().join("postgres.log")).unwrap_or_default()
    }

    /// The postmaster, once it has written its pid.
    pub(crate) fn server(&self) -> i32 {
        wait_for("a pid file", || {
            let text = fs::read_to_string(self.root().join("data/postmaster.pid")).ok()?;
            text.lines().next()?.parse().ok()
        })
    }

    /// The one supervisor.
    pub(crate) fn supervisor(&self) -> i32 {
        let supervisors = self.processes("supervise");
        assert_eq!(supervisors.len(), 1, "there is one supervisor: {supervisors:?}");
        supervisors[0]
    }

    /// Every process with the folder in its command line and this word too.
    pub(crate) fn processes(&self, word: &str) -> Vec<i32> {
        processes_of(&self.folder, word)
    }

    /// Waits until nothing runs that has the folder in its command line.
    pub(crate) fn wait_until_nothing_runs(&self) {
        wait_until("every process to end", || self.processes("").is_empty());
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        while !self.processes("").is_empty() && Instant::now() < deadline && !thread::panicking() {
            sleep(Duration::from_millis(5));
        }
        let left = self.processes("");
        for pid in &left {
            // It may end by itself in this moment.
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        if thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
        fs::remove_dir_all(&self.folder).ok();
        assert!(left.is_empty() || thread::panicking(), "processes were left running: {left:?}");
    }
}

/// Every running process with the path and the word in its command line.
pub(crate) fn processes_of(path: &Path, word: &str) -> Vec<i32> {
    let contains = |line: &[u8], part: &[u8]| part.is_empty() || line.windows(part.len()).any(|w| w == part);
    let entries = fs::read_dir("/proc").expect("there is a /proc").filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        contains(&line, path.as_os_str().as_bytes()) && contains(&line, word.as_bytes())
    })
    .collect()
}
