//! What can go wrong, in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};

/// The ways out when no cluster can be had, one a line.
const WAYS_OUT: &str = "\
Do one of:
  * set DATABASE_URL=postgres://user:pass@host/db
  * install PostgreSQL 14 or newer (Debian/Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17), or set PG_BINDIR
  * docker compose up -d db   (compose.yaml in this repository), then set DATABASE_URL";

/// Why [`Cluster::start`](crate::Cluster::start) gave no cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Neither the search nor a fetch gave server binaries; every try is told.
    #[error("no DATABASE_URL is set and no PostgreSQL server binaries can be had:\n{}\n{WAYS_OUT}", bullets(.tried))]
    NoBinaries {
        /// What was tried, each with its outcome.
        tried: Vec<String>,
    },

    /// The data directory was made by a major version that is not to be had.
    #[error(
        "{data} was made by PostgreSQL {made_by}, but only [{found}] found; install PostgreSQL {made_by}, \
         or set PG_BINDIR to its folder, or move {data} away to begin with an empty database",
        data = .data.display(),
        found = .found.join(", ")
    )]
    OtherMajor {
        /// The data directory.
        data: PathBuf,
        /// The major version in its `PG_VERSION`.
        made_by: String,
        /// The versions of the servers that were found.
        found: Vec<String>,
    },

    /// We are root and there is no account to run the server as.
    #[error(
        "running as root, PostgreSQL refuses uid 0, and no unprivileged user was found (tried {}); \
         create one (useradd --system postgres), run as an ordinary user, or set DATABASE_URL",
        .tried.join(", ")
    )]
    NoAccount {
        /// The names that were looked up.
        tried: Vec<String>,
    },

    /// Our own uid has no name, which `initdb` insists on.
    #[error(
        "uid {uid} has no entry in the user database, and initdb refuses to work without one; \
         add the entry, run as another user, or set DATABASE_URL"
    )]
    NamelessUser {
        /// The uid in question.
        uid: u32,
    },

    /// `initdb` failed.
    #[error("initdb failed ({status}):\n{output}")]
    InitDb {
        /// How it ended.
        status: String,
        /// What it said.
        output: String,
    },

    /// The server ended, or did not accept connections in time.
    #[error("the PostgreSQL server in {} did not start: {what}\n{log}", .data.display())]
    Server {
        /// The data directory.
        data: PathBuf,
        /// What was seen.
        what: String,
        /// What it wrote to its log meanwhile.
        log: String,
    },

    /// A server that this crate did not start has the data directory.
    #[error(
        "a PostgreSQL server that was started by something else (pid {pid}) is running in {}; stop it first",
        .data.display()
    )]
    Foreign {
        /// The data directory.
        data: PathBuf,
        /// The pid of the server.
        pid: i32,
    },

    /// The supervisor did not start.
    #[error("the supervisor ({command}) did not start: {what}")]
    Supervisor {
        /// Its command line.
        command: String,
        /// What was seen.
        what: String,
    },

    /// A directory that must be ours alone is not.
    #[error("{} is not a directory owned by uid {uid} with mode 0700; remove it, or set TMPDIR", .path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// Who should own it.
        uid: u32,
    },

    /// The environment variable that chooses between search and fetch has a value without a meaning.
    #[error("LEADSCORE_POSTGRES is {value:?}; it may be unset, \"search\" or \"fetch\"")]
    UnknownSource {
        /// The value.
        value: String,
    },

    /// A file or folder could not be worked with.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why [`supervise`](crate::supervise) or [`Cluster::stop`](crate::Cluster::stop) could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuperviseError {
    /// The server still runs after SIGINT and SIGQUIT.
    #[error("the PostgreSQL server in {} did not stop", .data.display())]
    StillRunning {
        /// The data directory.
        data: PathBuf,
    },

    /// The server could not be signalled.
    #[error("cannot signal the PostgreSQL server (pid {pid})")]
    Signal {
        /// The pid of the server.
        pid: i32,
        /// Why.
        source: nix::errno::Errno,
    },

    /// The root directory cannot be used.
    #[error(transparent)]
    Root(#[from] Box<StartError>),

    /// A file or folder could not be worked with.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A failed operation on a file, with its path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", .path.display())]
pub struct FileError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Names the file that an [`io::Error`] is about.
pub(crate) trait About<T> {
    fn about(self, action: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> About<T> for io::Result<T> {
    fn about(self, action: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| FileError { action, path: path.to_owned(), source })
    }
}

/// One `- ` line for each try, later lines of a try indented below it.
fn bullets(tried: &[String]) -> String {
    let lines: Vec<String> =
        tried.iter().map(|t| format!("  - {}", t.trim().replace('\n', "\n    "))).collect();
    lines.join("\n")
}
