//! `cargo xtask db`: a look into the database that the service uses while one develops.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use private_postgres::{Cluster, Settings};

/// The database in the private Postgres, as `serve` names it.
const DATABASE: &str = "leadscore";

/// Runs `psql` with these arguments: on `DATABASE_URL`, or else on the private Postgres in `data`, which a running
/// service shares.
pub(crate) fn psql(repository: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    if let Some(url) = env::var("DATABASE_URL").ok().filter(|url| !url.is_empty()) {
        return run(Path::new("psql"), &url, arguments);
    }
    let cluster = Cluster::start(&Settings {
        root: repository.join("data/pg"),
        supervisor: vec![env::current_exe()?.into(), "pg-supervise".into()],
        grace: Duration::ZERO,
        durable: true,
        max_connections: 100,
    })?;
    let ran = run(&program(&cluster), &cluster.url(DATABASE), arguments);
    cluster.stop()?;
    ran
}

/// The `psql` of the cluster's own version if there is one, or else the one on the `PATH`.
fn program(cluster: &Cluster) -> PathBuf {
    let own = cluster.bin_dir().join("psql");
    if own.is_file() { own } else { "psql".into() }
}

fn run(program: &Path, url: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(program).arg(url).args(arguments).status().context(
        "cannot run psql; install the client programs of PostgreSQL, in Debian `postgresql-client`",
    )?;
    ensure!(
        status.success(),
        "psql ended with {status}; if the database is missing, run `cargo run -- serve` once"
    );
    Ok(())
}
