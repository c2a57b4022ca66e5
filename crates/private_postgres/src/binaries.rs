//! Server binaries: of the installed ones the first that fits, else our own cache, else a fetch.

use std::env;
use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::error::StartError;
use crate::{Progress, fetch, search};

/// The oldest major version that the service's schema is written for.
const OLDEST_MAJOR: u32 = 14;

/// The environment variable that limits where binaries come from.
const SOURCE_VARIABLE: &str = "LEADSCORE_POSTGRES";

/// A folder with `postgres` and `initdb` that the account can run.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    pub(crate) folder: PathBuf,
    /// As the server says it: `15.18`.
    pub(crate) version: String,
}

impl Binaries {
    /// Asks the server in a folder for its version, as the account that will run it.
    pub(crate) fn in_folder(folder: &Path, account: &Account) -> Result<Self, String> {
        let initdb = folder.join("initdb");
        if !initdb.is_file() {
            return Err("there is no initdb in it".into());
        }
        let output = account
            .command(folder.join("postgres"))
            .arg("--version")
            .output()
            .map_err(|error| format!("cannot run its postgres: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let version = said.split_whitespace().nth(2).unwrap_or_default().to_owned();
        if !output.status.success() || major(&version).is_empty() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(format!("its postgres --version fails ({}): {}", output.status, complaint.trim()));
        }
        Ok(Self { folder: folder.to_owned(), version })
    }

    pub(crate) fn major(&self) -> &str {
        major(&self.version)
    }
}

/// The digits that begin a version.
fn major(version: &str) -> &str {
    &version[..version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len())]
}

/// Where binaries may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// First what is installed, then a fetch.
    SearchThenFetch,
    /// Only what is installed or was fetched before.
    Search,
    /// Only what was or will be fetched.
    Fetch,
}

impl Source {
    fn from_env() -> Result<Self, StartError> {
        let value = env::var_os(SOURCE_VARIABLE).unwrap_or_default();
        match value.to_str() {
            Some("") => Ok(Self::SearchThenFetch),
            Some("search") => Ok(Self::Search),
            Some("fetch") => Ok(Self::Fetch),
            _ => Err(StartError::UnknownSource { value: value.to_string_lossy().into_owned() }),
        }
    }
}

/// Binaries for a new data directory, or for the existing one at `data`, which takes only those of
/// the major version that made it.
pub(crate) fn obtain(
    account: &Account,
    data: &Path,
    made_by: Option<&str>,
    report: &dyn Fn(Progress),
) -> Result<Binaries, StartError> {
    let source = Source::from_env()?;
    let mut seen = Seen::new(made_by);
    if source == Source::Fetch {
        seen.tried.push(format!("{SOURCE_VARIABLE}=fetch: installed servers were not looked for"));
    } else {
        for folder in search::folders() {
            if let Some(binaries) = seen.consider(&folder, account) {
                return Ok(binaries);
            }
        }
        seen.tried.insert(0, format!("looked in {}", search::PLACES));
    }
    let cache = fetch::Cache::of(account);
    for folder in cache.folders() {
        if let Some(binaries) = seen.consider(&folder, account) {
            return Ok(binaries);
        }
    }
    if source == Source::Search {
        seen.tried.push(format!("{SOURCE_VARIABLE}=search: nothing was fetched"));
    } else if made_by.is_none_or(|major| fetch::MAJORS.contains(&major)) {
        match cache.fetch(account, report) {
            Ok(binaries) => return Ok(binaries),
            Err(tries) => seen.tried.extend(tries),
        }
    }
    Err(seen.into_error(data))
}

/// What was found and why it was not taken.
struct Seen<'a> {
    made_by: Option<&'a str>,
    other_majors: Vec<String>,
    tried: Vec<String>,
}

impl<'a> Seen<'a> {
    fn new(made_by: Option<&'a str>) -> Self {
        Self { made_by, other_majors: Vec::new(), tried: Vec::new() }
    }

    fn consider(&mut self, folder: &Path, account: &Account) -> Option<Binaries> {
        let binaries = match Binaries::in_folder(folder, account) {
            Ok(binaries) => binaries,
            Err(why) => {
                self.tried.push(format!("{}: {why}", folder.display()));
                return None;
            }
        };
        let fits = match self.made_by {
            Some(major) => binaries.major() == major,
            None => binaries.major().parse().is_ok_and(|major: u32| major >= OLDEST_MAJOR),
        };
        if fits {
            return Some(binaries);
        }
        self.tried.push(format!("{}: PostgreSQL {} does not fit", folder.display(), binaries.version));
        self.other_majors.push(binaries.version);
        None
    }

    fn into_error(self, data: &Path) -> StartError {
        match self.made_by {
            Some(made_by) if !self.other_majors.is_empty() => StartError::OtherMajor {
                data: data.to_owned(),
                made_by: made_by.to_owned(),
                found: self.other_majors,
            },
            Some(made_by) => {
                let only = format!("{} was made by PostgreSQL {made_by}, and only that fits", data.display());
                StartError::NoBinaries { tried: [self.tried, vec![only]].concat() }
            }
            None => StartError::NoBinaries { tried: self.tried },
        }
    }
}
