//! The repository's chores: `cargo xtask queries`, `cargo xtask queries --check` and `cargo xtask architecture`.
//!
//! Statements are checked when the service is built, against `.sqlx`. This makes `.sqlx` anew: it brings up a
//! private Postgres with the current migrations and builds against it. With `--check` it only says whether what is
//! committed is what it would make.
//!
//! `cargo xtask architecture` draws the picture of who imports whom in ARCHITECTURE.md.

use std::{
    collections::BTreeMap,
    env,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail, ensure};
use private_postgres::{Cluster, Settings};
use sqlx::{Connection, Executor, PgConnection, migrate::Migrator};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["queries"] => queries(false),
        ["queries", "--check"] => queries(true),
        ["architecture"] => architecture(),
        ["pg-supervise", root, grace] => {
            Ok(private_postgres::supervise(Path::new(root), Duration::from_secs_f64(grace.parse()?))?)
        }
        _ => bail!("usage: cargo xtask queries [--check] | cargo xtask architecture"),
    }
}

/// Draws the picture of ARCHITECTURE.md anew, by the test that compares it.
fn architecture() -> anyhow::Result<()> {
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["test", "--quiet", "--package", "leadscore", "--test", "architecture", "the_picture"])
        .env("DRAW", "1")
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the picture could not be drawn");
    Ok(())
}

fn queries(check: bool) -> anyhow::Result<()> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let target = repository.join("target/queries");
    let cluster = Cluster::start(&Settings {
        root: target.join("pg"),
        supervisor: vec![env::current_exe()?.into(), "pg-supervise".into()],
        grace: Duration::ZERO,
        durable: false,
        max_connections: 20,
    })?;
    let url = tokio::runtime::Runtime::new()?.block_on(migrated(&cluster, &repository.join("migrations")))?;
    let made = if check { target.join("sqlx") } else { repository.join(".sqlx") };
    describe(&repository, &made, &url)?;
    cluster.stop()?;
    let same = contents(&made)? == contents(&repository.join(".sqlx"))?;
    ensure!(same, "statements have changed since .sqlx was made; run `cargo xtask queries` and commit it");
    Ok(())
}

async fn migrated(cluster: &Cluster, migrations: &Path) -> anyhow::Result<String> {
    let mut server = PgConnection::connect(&cluster.url("postgres")).await?;
    server.execute("drop database if exists queries").await?;
    server.execute("create database queries").await?;
    let url = cluster.url("queries");
    Migrator::new(migrations).await?.run(&mut PgConnection::connect(&url).await?).await?;
    Ok(url)
}

/// Builds with every statement described by the database, not by what `.sqlx` says.
fn describe(repository: &Path, made: &Path, url: &str) -> anyhow::Result<()> {
    if made.exists() {
        std::fs::remove_dir_all(made)?;
    }
    std::fs::create_dir_all(made)?;
    // Cargo builds anew only what looks changed.
    File::options().write(true).open(repository.join("src/lib.rs"))?.set_modified(SystemTime::now())?;
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["check", "--quiet", "--package", "leadscore", "--lib"])
        .current_dir(repository)
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", made)
        .env("DATABASE_URL", url)
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the service does not build");
    Ok(())
}

fn contents(folder: &Path) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        files.insert(path.file_name().map(PathBuf::from).unwrap_or_default(), std::fs::read(&path)?);
    }
    Ok(files)
}
