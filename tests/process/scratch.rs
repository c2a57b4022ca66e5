//! A folder for one test, and the processes that belong to it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use private_postgres::Cluster;
use sqlx::{Connection, PgConnection};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_leadscore");
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

/// Sends a signal to a process that a test has started.
pub(crate) fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).expect("the process is there");
}

/// A folder that the server's account may enter, removed at the end.
pub(crate) struct Scratch {
    pub(crate) folder: PathBuf,
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        // Of one length, so that none is the beginning of another.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("ls-test-{}-{:03}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("the folder is new");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        Scratch { folder }
    }

    /// The service's data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Joins the service's own cluster, or starts a durable one to serve as its database server.
    pub(crate) fn cluster(&self) -> Cluster {
        self.cluster_of(true)
    }

    /// Starts a cluster that is fast and may not be killed.
    pub(crate) fn throwaway_cluster(&self) -> Cluster {
        self.cluster_of(false)
    }

    fn cluster_of(&self, durable: bool) -> Cluster {
        let settings = private_postgres::Settings {
            root: self.data().join("pg"),
            supervisor: vec![PROGRAM.into(), "pg-supervise".into()],
            grace: Duration::ZERO,
            durable,
            max_connections: 100,
        };
        Cluster::start(&settings).expect("a cluster")
    }

    /// A number that the service's own cluster gives for a statement.
    pub(crate) fn count(&self, statement: &'static str) -> i64 {
        let cluster = self.cluster();
        let count = count(&cluster.url("leadscore"), statement);
        drop(cluster);
        count
    }

    /// The postmaster of the cluster, once it is ready.
    pub(crate) fn postmaster(&self) -> i32 {
        wait_for("a pid file", || {
            let text = fs::read_to_string(self.data().join("pg/data/postmaster.pid")).ok()?;
            text.lines().nth(7).filter(|status| status.trim() == "ready")?;
            text.lines().next()?.parse().ok()
        })
    }

    /// Every running process that works in the folder or names it on its command line.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let entries = fs::read_dir("/proc").expect("there is a /proc").filter_map(Result::ok);
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| belongs(*pid, &self.folder)).collect()
    }

    /// Waits until no process of the folder runs any more.
    pub(crate) fn wait_until_nothing_runs(&self) {
        wait_until("every process to end", || self.processes().is_empty());
    }
}

/// A number from a database, without any pool of ours in between.
pub(crate) fn count(url: &str, statement: &'static str) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut conn = PgConnection::connect(url).await.expect("a connection");
        let count = sqlx::query_scalar(statement).fetch_one(&mut conn).await.expect("a count");
        conn.close().await.expect("a farewell");
        count
    })
}

fn belongs(pid: i32, folder: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let line = fs::read(process.join("cmdline")).unwrap_or_default();
    let named = String::from_utf8_lossy(&line).contains(folder.to_str().expect("a plain path"));
    named || fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        while !self.processes().is_empty() && Instant::now() < deadline && !std::thread::panicking() {
            sleep(Duration::from_millis(5));
        }
        let left = self.processes();
        for pid in &left {
            // It may end by itself in this moment.
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        if std::thread::panicking() {
            let log = |name: &str| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
            eprintln!("the service's log:\n{}", log("service.log"));
            eprintln!("the server's log:\n{}", log("data/pg/postgres.log"));
        }
        fs::remove_dir_all(&self.folder).ok();
        assert!(left.is_empty() || std::thread::panicking(), "processes were left running: {left:?}");
    }
}
