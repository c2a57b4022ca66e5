//! The service from start to stop.

use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use private_postgres::Cluster;
use sqlx::{Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    config::{Limits, Serve},
    http,
    intake::{links, normalisation},
    keys::{self, Made},
    models,
    platform::{clock::Clock, db, ids::Ids},
    routes, sweeps, telemetry,
};

/// The name of the database in the service's own Postgres.
const DATABASE: &str = "leadscore";
/// An example of a database's address, for messages.
const EXAMPLE: &str = "postgres://user@host/database";
/// How long background work, and requests without a connection, may still take after the requests have ended.
const FINISH: Duration = Duration::from_secs(5);
/// How often to check that the service's own Postgres still runs.
const LOOK: Duration = Duration::from_secs(1);

/// Runs the service until a signal says to stop. Then finishes what has begun, and stops the service's own Postgres.
pub async fn run(settings: Serve) -> anyhow::Result<()> {
    let listener = TcpListener::bind(settings.listen).await.with_context(|| {
        format!("cannot listen on {}; choose another address with --listen", settings.listen)
    })?;
    let address = listener.local_addr()?;
    on_database(settings.database_url(), &settings.data_dir, async |options| {
        serve(&settings, options, listener, address).await
    })
    .await
}

/// Does work with a database: the one at `url`, or the service's own.
///
/// The service's own Postgres is started for as long as the work takes. If another process has started it, this process
/// joins it.
pub async fn on_database(
    url: Option<&str>,
    data_dir: &Path,
    work: impl AsyncFnOnce(PgConnectOptions) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if let Some(url) = url.filter(|url| !url.trim().is_empty()) {
        anyhow::ensure!(url.starts_with("postgres"), "DATABASE_URL is not an address such as {EXAMPLE}");
        let options =
            url.parse().with_context(|| format!("DATABASE_URL is not an address such as {EXAMPLE}"))?;
        return work(options).await;
    }
    anyhow::ensure!(!data_dir.is_file(), "{} is a file; name a folder with --data-dir", data_dir.display());
    let root = data_dir.join("pg");
    let cluster = bring_up(root.clone()).await?;
    let database = own_database(&cluster).await;
    let done = CancellationToken::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "this task keeps Postgres running until the service has stopped"
    )]
    let tending = tokio::spawn(tend(cluster, root, done.clone()));
    let served = match database {
        Ok(options) => work(options).await,
        Err(error) => Err(error),
    };
    done.cancel();
    let cluster = tending.await?;
    tokio::task::spawn_blocking(move || cluster.stop()).await?.context("cannot stop Postgres")?;
    served
}

async fn serve(
    settings: &Serve,
    options: PgConnectOptions,
    listener: TcpListener,
    address: SocketAddr,
) -> anyhow::Result<()> {
    let pools = db::connect(options, settings.connections, settings.writers).await?;
    db::migrate(&pools.main).await?;
    let clock = Clock::System;
    let ids = Ids::random(clock.clone());
    let app = App::start(pools, clock, ids, telemetry::metrics()?, settings.app(address));
    models::ensure_default(&app.models).await?;
    let made = keys::ensure(&app.keys, settings.admin_key.clone(), settings.write_key.clone()).await?;
    links::ensure(&app.links).await?;
    normalisation::ensure(&app.lifecycle).await?;
    sweeps::start_all(&app);
    app.tasks.spawn(telemetry::keep_up(app.metrics.clone(), telemetry::UPKEEP, app.stop.clone()));
    allow_files();
    // Signals are handled before the greeting, because its reader may send one at once.
    let hard = CancellationToken::new();
    let delay = Duration::from_secs(settings.limits.stop_delay.into());
    heed_signals(&app, delay, hard.clone())?;
    greet(&app, &made)?;
    until_stopped(&app, listener, &settings.limits, &hard).await;
    // Nothing that is cut off here was acknowledged.
    tokio::select! {
        () = app.shut_down() => {}
        () = hard.cancelled() => {}
        () = tokio::time::sleep(FINISH) => tracing::warn!("some work did not finish in time and was cut off; nothing of it was acknowledged"),
    }
    Ok(())
}

/// Raises the limit of open files as far as the system allows. Each connection takes one file.
fn allow_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::debug!(%error, "the limit of open files cannot be raised");
    }
}

/// Starts the service's own Postgres, or joins the one that another process has started in the same folder.
async fn bring_up(root: PathBuf) -> anyhow::Result<Cluster> {
    let settings = private_postgres::Settings {
        root,
        supervisor: vec![std::env::current_exe()?.into(), "pg-supervise".into()],
        grace: Duration::ZERO,
        durable: true,
        max_connections: 100,
    };
    Ok(tokio::task::spawn_blocking(move || Cluster::start(&settings)).await??)
}

/// Starts the service's own Postgres again if it was killed. Returns the cluster when it is no longer needed.
async fn tend(mut cluster: Cluster, root: PathBuf, done: CancellationToken) -> Cluster {
    while done.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        if cluster.is_running().unwrap_or(true) {
            continue;
        }
        tracing::error!("the private Postgres has ended; starting it again");
        match bring_up(root.clone()).await {
            // The old lease is dropped only now, so that the new server never counts as unused.
            Ok(again) => cluster = again,
            Err(error) => tracing::error!("the private Postgres cannot be started: {error:#}"),
        }
    }
    cluster
}

async fn own_database(cluster: &Cluster) -> anyhow::Result<PgConnectOptions> {
    let mut conn = PgConnection::connect(&cluster.url("postgres"))
        .await
        .context("cannot reach the service's own Postgres")?;
    let exists = sqlx::query_scalar!(
        r#"-- own_database
        select exists (select from pg_database where datname = $1) as "exists!""#,
        DATABASE
    )
    .fetch_one(&mut conn)
    .await?;
    if !exists {
        conn.execute("create database leadscore").await?;
    }
    conn.close().await?;
    Ok(cluster.url(DATABASE).parse()?)
}

/// Prints the service's address, and the keys that were made at this start. The keys are shown only here.
fn greet(app: &App, made: &Made) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "Leadscore is ready at {}  (API: {}/docs)", app.public_url, app.public_url)?;
    if made.admin.is_some() || made.write.is_some() {
        writeln!(out, "\nKeys, shown only now; keep them:")?;
    }
    if let Some(key) = &made.admin {
        writeln!(out, "  admin key  {}   everything; for you", key.reveal())?;
    }
    if let Some(key) = &made.write {
        writeln!(out, "  write key  {}   sends events; for web pages and trackers", key.reveal())?;
    }
    out.flush()?;
    Ok(())
}

/// Serves until the service is to stop, and then until the requests that have begun are answered. After the time in the
/// settings, requests that still run are cut off.
async fn until_stopped(app: &App, listener: TcpListener, limits: &Limits, hard: &CancellationToken) {
    let patience = Duration::from_secs(limits.stop_timeout.into());
    let stop = app.stop.clone();
    tokio::select! {
        () = http::listen::serve(listener, routes::router(app), limits.connections(), stop.clone()) => {}
        () = hard.cancelled() => {}
        () = async { stop.cancelled().await; tokio::time::sleep(patience).await } => {
            tracing::warn!("some connections were still open after {} seconds", patience.as_secs());
        }
    }
}

/// Handles signals from now on. The first SIGTERM makes the service unready and stops it after the delay. Ctrl-C stops
/// it without a delay, because a person is waiting. A second signal stops it at once. What was acknowledged is safe in
/// each case.
fn heed_signals(app: &App, delay: Duration, hard: CancellationToken) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle signals")?;
    let (leaving, soft) = (app.leaving.clone(), app.stop.clone());
    #[expect(
        clippy::disallowed_methods,
        reason = "this task waits for signals also while the service stops"
    )]
    tokio::spawn(async move {
        let delay = tokio::select! {
            _ = interrupt.recv() => Duration::ZERO,
            _ = terminate.recv() => delay,
        };
        tracing::info!("stopping in {} seconds", delay.as_secs());
        leaving.cancel();
        let again = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        let mut again = pin!(again);
        tokio::select! {
            () = tokio::time::sleep(delay) => {
                soft.cancel();
                again.await;
            }
            () = &mut again => soft.cancel(),
        }
        tracing::info!("stopping at once");
        hard.cancel();
    });
    Ok(())
}
