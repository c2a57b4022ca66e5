//! Where an installed server may lie, in the order in which the places are looked at.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// The places, as an error tells them.
pub(crate) const PLACES: &str = "$PG_BINDIR, $PATH, pg_config --bindir, /usr/lib/postgresql/*/bin, /usr/pgsql-*/bin, Homebrew, Postgres.app";

/// Every existing folder with a `postgres` in it, best first, each once. It is made bit by bit:
/// a folder that fits early spares the search of the later ones.
pub(crate) fn folders() -> impl Iterator<Item = PathBuf> {
    let mut seen = Vec::new();
    let places: [fn() -> Vec<PathBuf>; 4] = [named, on_path, told_by_pg_config, well_known];
    places.into_iter().flat_map(|place| place()).filter(move |folder| {
        let new = !seen.contains(folder);
        if new {
            seen.push(folder.clone());
        }
        new
    })
}

/// `$PG_BINDIR`.
fn named() -> Vec<PathBuf> {
    let Some(folder) = env::var_os("PG_BINDIR").map(PathBuf::from) else { return Vec::new() };
    let home = home_of(&folder);
    if home.is_none() {
        tracing::warn!(folder = %folder.display(), "there is no postgres in $PG_BINDIR: looking elsewhere");
    }
    home.into_iter().collect()
}

/// `$PATH`. A link is followed: its own folder may hold only some of the programs.
fn on_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .filter_map(|folder| home_of(&folder))
        .collect()
}

/// `pg_config --bindir`, which distributions put on the path even when the server is not.
fn told_by_pg_config() -> Vec<PathBuf> {
    let output =
        Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let Ok(output) = output else { return Vec::new() };
    home_of(Path::new(String::from_utf8_lossy(&output.stdout).trim())).into_iter().collect()
}

/// Where packages put servers without telling `PATH`; the highest version first.
fn well_known() -> Vec<PathBuf> {
    let families = [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/opt/homebrew/opt", "postgresql@", "bin"),
        ("/usr/local/opt", "postgresql@", "bin"),
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ];
    families
        .iter()
        .flat_map(|(parent, prefix, below)| versions_in(Path::new(parent), prefix, below))
        .collect()
}

/// `PARENT/PREFIX<version>/BELOW` for every version there is, the highest first.
fn versions_in(parent: &Path, prefix: &str, below: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let version =
                entry.file_name().to_str()?.strip_prefix(prefix)?.split('.').next()?.parse().ok()?;
            Some((version, home_of(&entry.path().join(below))?))
        })
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// The folder in which the `postgres` of this folder really lies.
fn home_of(folder: &Path) -> Option<PathBuf> {
    let server = fs::canonicalize(folder.join("postgres")).ok()?;
    server.is_file().then(|| server.parent().map(Path::to_owned))?
}
