//! `cargo xtask queries`: the descriptions of all statements, by which a build checks them without a database.

use std::{
    collections::BTreeMap,
    env,
    fs::File,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context, ensure};
use private_postgres::{Cluster, Settings};
use sqlx::{Connection, Executor, PgConnection, migrate::Migrator};

use crate::cargo;

/// Writes `.sqlx` anew: brings up a private Postgres with the current migrations and builds the service against it. With
/// `check`, nothing is written; an error says that `.sqlx` is not what would be written.
pub(crate) fn queries(repository: &Path, check: bool) -> anyhow::Result<()> {
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
    describe(repository, &made, &url)?;
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
    let build = cargo(repository, &["check", "--quiet", "--package", "leadscore", "--lib"])
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", made)
        .env("DATABASE_URL", url)
        .status()
        .context("cannot run cargo")?;
    ensure!(build.success(), "the service does not build");
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
