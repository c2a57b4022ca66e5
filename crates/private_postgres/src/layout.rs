//! Where everything of one cluster lies.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::Progress;
use crate::account::Account;
use crate::error::{About, FileError, StartError};

/// Where clusters of root go whose own place the server's account cannot enter.
const SYSTEM_FOLDER: &str = "/var/lib/leadscore/private_postgres";

/// A socket's path holds 103 bytes on macOS and 107 on Linux; we keep to the smaller.
const SOCKET_PATH_LIMIT: usize = 103;

/// The longest name below the socket directory.
const SOCKET_NAME: &str = "/.s.PGSQL.5432";

/// The folders and files of one cluster, and whose they are.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
    account: Account,
}

impl Layout {
    /// The layout for `root`: at `root` itself, or in a system folder when we are root and the
    /// account that the server runs as cannot get to `root`.
    pub(crate) fn resolve(root: &Path, report: &dyn Fn(Progress)) -> Result<Self, StartError> {
        let root = real_path(root)?;
        let account = Account::choose(&root.join("data"))?;
        if !account.steps_down() || account.can_enter(&root) {
            return Ok(Self { root, account });
        }
        let moved = Path::new(SYSTEM_FOLDER).join(hash(&root));
        let account = Account::choose(&moved.join("data"))?;
        report(Progress::Moved { from: root, to: moved.clone() });
        Ok(Self { root: moved, account })
    }

    /// Makes the root folder.
    pub(crate) fn prepare(&self) -> Result<(), FileError> {
        make_folders(&self.root)
    }

    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The server's standard output and error, and the supervisor's errors.
    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    /// Shared by every user of the cluster; held alone by whoever stops the server.
    pub(crate) fn lease(&self) -> PathBuf {
        self.root.join("lease")
    }

    /// Held by the one user that starts the server.
    pub(crate) fn start_lock(&self) -> PathBuf {
        self.root.join("start.lock")
    }

    /// Held by the one user that is finding out whether it is the last.
    pub(crate) fn stop_lock(&self) -> PathBuf {
        self.root.join("stop.lock")
    }

    /// Held by the supervisor for as long as it lives.
    pub(crate) fn supervisor_lock(&self) -> PathBuf {
        self.root.join("supervisor.lock")
    }

    /// Held by the server and every process of it, as their standard input.
    pub(crate) fn server_lock(&self) -> PathBuf {
        self.root.join("server.lock")
    }

    /// The socket directory, made if need be: below the root, or in the folder for temporary files
    /// when the path would be too long for a socket or the server could not be told it.
    pub(crate) fn make_socket_dir(&self) -> Result<PathBuf, StartError> {
        let path = self.socket_dir();
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => self.account.give(&path).about("give away", &path)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => Err(error).about("make", &path)?,
        }
        let meta = fs::symlink_metadata(&path).about("look at", &path)?;
        if meta.is_dir() && meta.uid() == self.account.uid() && meta.mode() & 0o777 == 0o700 {
            Ok(path)
        } else {
            Err(StartError::NotOurs { path, uid: self.account.uid() })
        }
    }

    fn socket_dir(&self) -> PathBuf {
        let below = self.root.join("s");
        if fits_a_socket(&below) {
            return below;
        }
        let name = format!("privpg-{}", hash(&self.root));
        let temporary = std::env::temp_dir().join(&name);
        if fits_a_socket(&temporary) && self.account.can_enter(&temporary) {
            temporary
        } else {
            Path::new("/tmp").join(name)
        }
    }
}

/// Whether the path can be a socket directory; a comma or a quote would end it in the server's list.
fn fits_a_socket(path: &Path) -> bool {
    let plain = path.to_str().is_some_and(|text| !text.contains([',', '"', '\'', '\\', '\n']));
    plain && path.as_os_str().len() + SOCKET_NAME.len() <= SOCKET_PATH_LIMIT
}

/// The path with links resolved as far as it exists.
fn real_path(path: &Path) -> Result<PathBuf, FileError> {
    let absolute = std::path::absolute(path).about("resolve", path)?;
    for ancestor in absolute.ancestors() {
        if let Ok(real) = fs::canonicalize(ancestor) {
            let rest = absolute.strip_prefix(ancestor).expect("an ancestor is a prefix");
            return Ok(if rest.as_os_str().is_empty() { real } else { real.join(rest) });
        }
    }
    Ok(absolute)
}

/// Makes the missing folders; each may be entered by everybody, whatever the umask is.
pub(crate) fn make_folders(path: &Path) -> Result<(), FileError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_folders(parent)?;
    }
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(0o755)).about("open up", path),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error).about("make", path),
    }
}

/// A short name for a path that stays the same with every build (FNV-1a).
fn hash(path: &Path) -> String {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = path.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fold);
    format!("{hash:016x}")
}
