//! The repository's chores: `cargo xtask`, then one of
//!
//! | | |
//! |---|---|
//! | `check` | all that CI checks |
//! | `queries` | writes `.sqlx`, by which a build checks statements; with `--check`, compares it |
//! | `openapi` | writes `openapi.yaml` from the code; with `--check`, compares it |
//! | `architecture` | draws the picture of who imports whom in ARCHITECTURE.md |
//! | `db` | opens `psql` on the database of the service in `data`, or on `DATABASE_URL`; what follows goes to `psql` |

mod db;
mod queries;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, bail, ensure};

/// What the chores are, for who names none or another.
const USAGE: &str = "usage: cargo xtask check | queries [--check] | openapi [--check] | architecture | db [ARGUMENTS OF PSQL]";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let repository = repository()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check"] => check(&repository),
        ["queries"] => queries::queries(&repository, false),
        ["queries", "--check"] => queries::queries(&repository, true),
        ["openapi"] => openapi(&repository, false),
        ["openapi", "--check"] => openapi(&repository, true),
        ["architecture"] => architecture(&repository),
        ["db", ref rest @ ..] => db::psql(&repository, rest),
        ["pg-supervise", root, grace] => {
            Ok(private_postgres::supervise(Path::new(root), Duration::from_secs_f64(grace.parse()?))?)
        }
        _ => bail!(USAGE),
    }
}

/// The folder of the repository.
fn repository() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../..").canonicalize().with_context(|| format!("{} is gone", here.display()))
}

/// Cargo with these arguments, in the repository.
fn cargo(repository: &Path, arguments: &[&str]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(repository);
    cargo
}

/// Runs everything that CI runs.
fn check(repository: &Path) -> anyhow::Result<()> {
    let status = Command::new("bash").arg(repository.join(".ci/run")).status().context("cannot run bash")?;
    ensure!(status.success(), "a check failed");
    Ok(())
}

/// Writes `openapi.yaml` as the code describes the API, or compares it.
fn openapi(repository: &Path, check: bool) -> anyhow::Result<()> {
    let described = cargo(repository, &["run", "--quiet", "--package", "leadscore", "--", "openapi"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(described.status.success(), "the service cannot describe itself");
    let file = repository.join("openapi.yaml");
    if check {
        ensure!(
            std::fs::read(&file)? == described.stdout,
            "openapi.yaml is not what the code says; run `cargo xtask openapi` and commit it"
        );
        return Ok(());
    }
    std::fs::write(&file, described.stdout).with_context(|| format!("cannot write {}", file.display()))
}

/// Draws the picture of ARCHITECTURE.md anew, by the test that compares it.
fn architecture(repository: &Path) -> anyhow::Result<()> {
    let test = ["test", "--quiet", "--package", "leadscore", "--test", "architecture", "the_picture"];
    let status = cargo(repository, &test).env("DRAW", "1").status().context("cannot run cargo")?;
    ensure!(status.success(), "the picture could not be drawn");
    Ok(())
}
