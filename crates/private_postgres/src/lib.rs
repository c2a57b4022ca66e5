//! A `PostgreSQL` cluster of one's own: found or fetched, on a Unix socket, gone with its last user.

mod account;
mod binaries;
mod cluster;
mod error;
mod fetch;
mod initialise;
mod layout;
mod lock;
mod pid_file;
mod probe;
mod progress;
mod reap;
mod search;
mod server;
mod supervisor;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub use cluster::Cluster;
pub use error::{FileError, StartError, SuperviseError};
pub use progress::Progress;
pub use supervisor::supervise;

/// Which cluster, and how it is run. Only the first user's settings count: one who finds a server
/// running uses it as it is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder for everything of the cluster; it is made if need be.
    pub root: PathBuf,
    /// The command that runs [`supervise`], such as `[current_exe, "pg-supervise"]`. The root and the
    /// grace period in whole seconds (a part of one counts as one) are appended as two arguments.
    pub supervisor: Vec<OsString>,
    /// How long the server stays up without a user.
    pub grace: Duration,
    /// Whether a commit must survive a crash. Tests say `false` and are faster.
    pub durable: bool,
    /// The server's limit of connections.
    pub max_connections: u16,
}
