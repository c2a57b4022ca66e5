//! The service from start to stop.

use std::{io::Write, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context;
use axum::serve::ListenerExt;
use private_postgres::Cluster;
use sqlx::{Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    clock::Clock,
    config::Serve,
    db,
    handoffs::jobs::{Breach, Expire},
    http,
    ids::Ids,
    keys::{self, Made},
    links, models, normalisation, outbox,
    publishing::jobs::{Clear, Rebuild, Settle},
    queues::claims::jobs::SettleClaims,
    scores::jobs::{DueScores, Reconsider},
    sweep, telemetry,
    verdicts::jobs::Release,
    webhooks,
};

/// The database within the service's own cluster.
const DATABASE: &str = "leadscore";
/// What an address of a database looks like.
const EXAMPLE: &str = "postgres://user@host/database";
/// How long requests that have begun may take when the service is told to stop.
const DRAIN: Duration = Duration::from_secs(25);
/// How long background work, and requests that have lost their connection, may take after that.
const FINISH: Duration = Duration::from_secs(5);
/// How often the service looks whether its own Postgres still runs.
const LOOK: Duration = Duration::from_secs(1);

/// Serves until a signal says to stop; then finishes what has begun and stops the service's own Postgres.
pub async fn run(settings: Serve) -> anyhow::Result<()> {
    let listener = TcpListener::bind(settings.listen).await.with_context(|| {
        format!("cannot listen on {}; choose another address with --listen", settings.listen)
    })?;
    let address = listener.local_addr()?;
    if let Some(url) = settings.database_url() {
        anyhow::ensure!(url.starts_with("postgres"), "DATABASE_URL is not an address such as {EXAMPLE}");
        let options =
            url.parse().with_context(|| format!("DATABASE_URL is not an address such as {EXAMPLE}"))?;
        return serve(&settings, options, listener, address).await;
    }
    let data_dir = &settings.data_dir;
    anyhow::ensure!(!data_dir.is_file(), "{} is a file; name a folder by --data-dir", data_dir.display());
    let root = data_dir.join("pg");
    let cluster = bring_up(root.clone()).await?;
    let database = own_database(&cluster).await;
    let done = CancellationToken::new();
    let tending = tokio::spawn(tend(cluster, root, done.clone()));
    let served = match database {
        Ok(options) => serve(&settings, options, listener, address).await,
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
    models::ensure_default(&app).await?;
    let made = keys::ensure(&app, settings.admin_key.clone(), settings.write_key.clone()).await?;
    links::ensure(&app).await?;
    normalisation::ensure(&app).await?;
    sweep::start::<DueScores>(&app);
    sweep::start::<Reconsider>(&app);
    sweep::start::<normalisation::jobs::Normalise>(&app);
    sweep::start::<Release>(&app);
    sweep::start::<Breach>(&app);
    sweep::start::<Expire>(&app);
    sweep::start::<Rebuild>(&app);
    sweep::start::<Settle>(&app);
    sweep::start::<Clear>(&app);
    sweep::start::<SettleClaims>(&app);
    sweep::start::<outbox::jobs::Sequence>(&app);
    sweep::start::<outbox::jobs::Forget>(&app);
    sweep::start::<webhooks::jobs::FanOut>(&app);
    sweep::start::<webhooks::jobs::Deliver>(&app);
    sweep::start::<webhooks::jobs::Forget>(&app);
    // Before the greeting: whoever reads it may stop us in the same moment.
    let hard = CancellationToken::new();
    heed_signals(app.stop.clone(), hard.clone())?;
    greet(&app, &made)?;
    let served = until_signal(&app, listener, &hard).await;
    // What is cut off here was acknowledged to nobody.
    tokio::select! {
        () = app.shut_down() => {}
        () = hard.cancelled() => {}
        () = tokio::time::sleep(FINISH) => tracing::warn!("some work was cut off"),
    }
    served
}

/// Starts the cluster, or joins the one that another process has started on the same folder.
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

/// Brings our own Postgres up again when it was killed; gives it back when it is no longer needed.
async fn tend(mut cluster: Cluster, root: PathBuf, done: CancellationToken) -> Cluster {
    while done.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
        if cluster.is_running().unwrap_or(true) {
            continue;
        }
        tracing::error!("our own Postgres is gone; bringing it up again");
        match bring_up(root.clone()).await {
            // The old lease is given back only now, so that nobody takes the new server for unused.
            Ok(again) => cluster = again,
            Err(error) => tracing::error!("it cannot be brought up: {error:#}"),
        }
    }
    cluster
}

async fn own_database(cluster: &Cluster) -> anyhow::Result<PgConnectOptions> {
    let mut conn =
        PgConnection::connect(&cluster.url("postgres")).await.context("cannot reach our own Postgres")?;
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(DATABASE)
        .fetch_one(&mut conn)
        .await?;
    if !exists {
        conn.execute("create database leadscore").await?;
    }
    conn.close().await?;
    Ok(cluster.url(DATABASE).parse()?)
}

/// Says where the service is, and shows keys that were made just now: the only time.
fn greet(app: &App, made: &Made) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "Leadscore is ready at {}  (API: {}/docs)", app.public_url, app.public_url)?;
    if made.admin.is_some() || made.write.is_some() {
        writeln!(out, "\nKeys, shown this once; keep them:")?;
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

async fn until_signal(app: &App, listener: TcpListener, hard: &CancellationToken) -> anyhow::Result<()> {
    let stop = app.stop.clone();
    // An answer is small and its client waits for it: it goes out at once.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection without TCP_NODELAY");
        }
    });
    let draining = stop.clone();
    let serving = axum::serve(listener, http::router(app)).with_graceful_shutdown(stop.cancelled_owned());
    tokio::select! {
        served = serving => served.context("the listener failed"),
        () = hard.cancelled() => Ok(()),
        () = async { draining.cancelled().await; tokio::time::sleep(DRAIN).await } => {
            tracing::warn!("some connections were still open after {} seconds", DRAIN.as_secs());
            Ok(())
        }
    }
}

/// From now on the first Ctrl-C or SIGTERM stops softly, the second at once (what was acknowledged is safe either
/// way).
fn heed_signals(soft: CancellationToken, hard: CancellationToken) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot heed signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot heed signals")?;
    tokio::spawn(async move {
        for token in [soft, hard] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            tracing::info!("stopping");
            token.cancel();
        }
    });
    Ok(())
}
