//! What a user of the crate holds.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::{FileError, StartError, SuperviseError};
use crate::layout::Layout;
use crate::lock::{self, Lock};
use crate::reap::Waiters;
use crate::server::Server;
use crate::{Progress, Settings, server, supervisor};

/// How long a stop waits for the supervisor, which itself may need the time of both kinds of stop.
const STOP_LIMIT: Duration = Duration::from_mins(1);

/// How long a stop waits for the supervisor to see that there is nothing left to do.
const FAREWELL_LIMIT: Duration = Duration::from_secs(5);

/// A running private cluster, and our lease on it. Dropping it gives the lease back at once; the
/// supervisor then stops the server if nobody else has one.
#[derive(Debug)]
pub struct Cluster {
    layout: Layout,
    server: Server,
    grace: Duration,
    lease: Lock,
    children: Waiters,
}

impl Cluster {
    /// Takes a lease on the cluster at [`Settings::root`] and returns when it accepts connections: a
    /// running server is adopted, else binaries are searched or fetched, the data directory is made if
    /// there is none, and a supervisor and the server are started.
    ///
    /// It blocks: in an async program call it where blocking is allowed. The steps are logged with
    /// `tracing`.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        Self::start_reporting(settings, &|progress| {
            if matches!(progress, Progress::Moved { .. }) {
                tracing::warn!("{progress}");
            } else {
                tracing::info!("{progress}");
            }
        })
    }

    /// [`start`](Self::start), with the steps told to a function instead of the log.
    pub fn start_reporting(settings: &Settings, report: &dyn Fn(Progress)) -> Result<Self, StartError> {
        let layout = Layout::resolve(&settings.root, report)?;
        layout.prepare()?;
        // While the server is being stopped the lease is not to be had, and we wait.
        let lease = lock::shared(&layout.lease())?;
        let starting = lock::exclusive(&layout.start_lock())?;
        // Before the server: if we die in between, somebody is there to stop it.
        let mut children = Waiters::default();
        supervisor::ensure(&layout, settings, &mut children)?;
        let server = server::adopt_or_start(&layout, settings, &mut children, report)?;
        drop(starting);
        Ok(Self { layout, server, grace: settings.grace, lease, children })
    }

    /// Whether the server still runs. One that somebody killed is brought up again by another
    /// [`start`](Self::start) on the same folder.
    pub fn is_running(&self) -> Result<bool, FileError> {
        Ok(lock::try_exclusive(&self.layout.server_lock())?.is_none())
    }

    /// The folder that holds everything: [`Settings::root`] made absolute, or where it was moved to.
    pub fn root(&self) -> &Path {
        self.layout.root()
    }

    /// The folder of the Unix socket, which only the server's account and root may enter.
    pub fn socket_dir(&self) -> &Path {
        &self.server.socket_dir
    }

    /// The port: a part of the socket's name, nothing listens on TCP.
    pub fn port(&self) -> u16 {
        server::PORT
    }

    /// The superuser; there is no password.
    pub fn user(&self) -> &str {
        server::USER
    }

    /// The server's version as it tells it, such as `15.18 (Debian 15.18-0+deb12u1)`.
    pub fn server_version(&self) -> &str {
        &self.server.version
    }

    /// The folder of the server's programs. It may lack client programs such as `psql`.
    pub fn bin_dir(&self) -> &Path {
        &self.server.bin_dir
    }

    /// A connection URL for a database of the cluster, understood by libpq and sqlx alike. It names all
    /// that matters, so that no `PG*` variable gets a say.
    pub fn url(&self, database: &str) -> String {
        let socket_dir = percent_encoded(self.server.socket_dir.as_os_str().as_encoded_bytes());
        let database = percent_encoded(database.as_bytes());
        let (port, user) = (server::PORT, server::USER);
        format!("postgres:///{database}?host={socket_dir}&port={port}&user={user}&sslmode=disable")
    }

    /// Gives the lease back. When we were the last user and either [`Settings::grace`] is zero or the
    /// supervisor is gone, it returns only after the server is down.
    pub fn stop(self) -> Result<(), SuperviseError> {
        let Self { layout, server: _, grace, lease, children } = self;
        if !lease.is_still_at(&layout.lease()) {
            // The folder was removed below us. Its server notices that and ends by itself.
            return Ok(());
        }
        drop(lease);
        // Two that leave at once would each take the other, who only looks, for a user that stays.
        let turn = lock::exclusive(&layout.stop_lock())?;
        let deadline = Instant::now() + STOP_LIMIT;
        let mut others_seen = false;
        while Instant::now() < deadline {
            if let Some(alone) = lock::try_exclusive(&layout.lease())? {
                if grace.is_zero() || supervisor::is_gone(&layout)? {
                    server::stop(&layout)?;
                    drop(alone);
                    if see_off_the_supervisor(&layout)? {
                        children.finish();
                    }
                }
                return Ok(());
            }
            // If somebody has it alone, it is the supervisor, who was faster and is stopping the server.
            let others = lock::try_shared(&layout.lease())?.is_some();
            // Seen twice: it may have become free between the two looks.
            if others && others_seen || !grace.is_zero() {
                return Ok(());
            }
            others_seen = others;
            sleep(server::POLL);
        }
        drop(turn);
        Err(SuperviseError::StillRunning { data: layout.data() })
    }
}

/// Waits for the supervisor to end, so that nothing of the cluster is left when a stop returns. Gives
/// whether it did: it stays when a new user has come meanwhile, whom it will serve.
fn see_off_the_supervisor(layout: &Layout) -> Result<bool, FileError> {
    let deadline = Instant::now() + FAREWELL_LIMIT;
    while Instant::now() < deadline {
        if supervisor::is_gone(layout)? {
            return Ok(true);
        }
        if lock::try_exclusive(&layout.start_lock())?.is_none() {
            break;
        }
        sleep(server::POLL);
    }
    Ok(false)
}

/// Everything but letters, digits and `-_.~` as `%XX`.
fn percent_encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push('%');
            text.extend(
                [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])),
            );
        }
    }
    text
}
