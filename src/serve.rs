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
    db, http,
    ids::Ids,
    keys::{self, Made},
    models,
    scores::jobs::DueScores,
    sweep, telemetry,
};

/// The database within the service's own cluster.
const DATABASE: &str = "leadscore";
/// How long requests that have begun may take when the service is told to stop.
const DRAIN: Duration = Duration::from_secs(25);

/// Serves until a signal says to stop; then finishes what has begun and stops the service's own Postgres.
pub async fn run(settings: Serve) -> anyhow::Result<()> {
    let listener = TcpListener::bind(settings.listen).await.with_context(|| {
        format!("cannot listen on {}; choose another address with --listen", settings.listen)
    })?;
    let address = listener.local_addr()?;
    let cluster = match settings.database_url() {
        Some(_) => None,
        None => Some(bring_up(settings.data_dir.join("pg")).await?),
    };
    let served = serve(&settings, cluster.as_ref(), listener, address).await;
    if let Some(cluster) = cluster {
        tokio::task::spawn_blocking(move || cluster.stop()).await?.context("cannot stop Postgres")?;
    }
    served
}

async fn serve(
    settings: &Serve,
    cluster: Option<&Cluster>,
    listener: TcpListener,
    address: SocketAddr,
) -> anyhow::Result<()> {
    let options = match (settings.database_url(), cluster) {
        (Some(url), _) => {
            url.parse().context("DATABASE_URL is not an address such as postgres://user@host/database")?
        }
        (None, Some(cluster)) => own_database(cluster).await?,
        (None, None) => anyhow::bail!("there is no database"),
    };
    let pools = db::connect(options, settings.connections, settings.writers).await?;
    db::migrate(&pools.main).await?;
    let clock = Clock::System;
    let ids = Ids::random(clock.clone());
    let app = App::start(pools, clock, ids, telemetry::metrics()?, settings.public_url(address));
    models::ensure_default(&app).await?;
    let made = keys::ensure(&app, settings.admin_key.clone(), settings.write_key.clone()).await?;
    sweep::start::<DueScores>(&app);
    greet(&app, &made)?;
    let served = until_signal(&app, listener).await;
    app.shut_down().await;
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

async fn until_signal(app: &App, listener: TcpListener) -> anyhow::Result<()> {
    let stop = app.stop.clone();
    let hard = CancellationToken::new();
    tokio::spawn(signals(stop.clone(), hard.clone()));
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

/// The first Ctrl-C or SIGTERM stops softly, the second at once (what was acknowledged is safe either way).
async fn signals(soft: CancellationToken, hard: CancellationToken) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::error!("signals cannot be caught; end the process to stop");
        return;
    };
    for token in [soft, hard] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
        token.cancel();
    }
}
