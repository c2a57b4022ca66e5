//! What the benches share: a durable Postgres of their own with the service on it, and traffic.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use leadscore::{
    app::{App, Settings},
    intake::ingest::{
        Submission,
        event::{Arrival, Found, NewEvent},
        submit,
    },
    leads::identity::{Identity, Kind, Named},
    models,
    platform::{clock::Clock, db, ids::Ids},
};
use private_postgres::Cluster;
use serde_json::{Map, json};
use sqlx::{Connection, Executor, PgConnection};

/// How many requests wait at once.
const CLIENTS: usize = 32;
/// The types of the traffic, most of it page views.
const PATHS: [&str; 6] = ["/", "/product", "/pricing", "/customers/acme", "/blog/post", "/careers"];

/// Whether `cargo bench` asks; `cargo test --benches` builds and runs the benches too.
pub(crate) fn asked() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// The Postgres that the benches share, one after the other.
pub(crate) fn cluster() -> anyhow::Result<Cluster> {
    Ok(Cluster::start(&private_postgres::Settings {
        root: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-pg"),
        supervisor: vec![env!("CARGO_BIN_EXE_leadscore").into(), "pg-supervise".into()],
        grace: Duration::ZERO,
        durable: true,
        max_connections: 50,
    })?)
}

/// The service on an empty database, `bench`.
pub(crate) async fn service(cluster: &Cluster) -> anyhow::Result<App> {
    let mut server = PgConnection::connect(&cluster.url("postgres")).await?;
    server.execute("drop database if exists bench with (force)").await?;
    server.execute("create database bench").await?;
    let pools = db::connect(cluster.url("bench").parse()?, 5, leadscore::intake::ingest::WRITERS).await?;
    db::migrate(&pools.main).await?;
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
    let app = App::start(pools, Clock::System, Ids::random(Clock::System), metrics, Settings::default());
    models::ensure_default(&app.models).await?;
    Ok(app)
}

/// A number that the environment may change.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Every lead's first event, so that the measured ones meet leads that are there.
pub(crate) async fn introduce(app: &App, leads: u64) -> anyhow::Result<()> {
    let mut next = 0;
    while next < leads {
        let last = (next + 5_000).min(leads);
        let events = (next..last).map(|lead| event(app, lead, lead)).collect();
        send(app, events).await?;
        next = last;
    }
    Ok(())
}

async fn send(app: &App, events: Vec<NewEvent>) -> anyhow::Result<usize> {
    let submission = Submission {
        arrival: arrival(app),
        events: events.into_iter().enumerate().collect(),
        refused: Vec::new(),
        want_leads: false,
        size: 0,
    };
    Ok(submit(&app.intake.writers, submission).await?.accepted)
}

fn arrival(app: &App) -> Arrival {
    Arrival { at: app.clock.now(), api_key: None }
}

/// A person's browser, by which each event is judged.
pub(crate) const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36";

/// The event with this number, of this lead.
fn event(app: &App, number: u64, lead: u64) -> NewEvent {
    let path = PATHS[usize::try_from(number).unwrap_or_default() % PATHS.len()];
    let url = format!("https://www.acme.example{path}");
    let properties = Map::from_iter([("path".to_owned(), json!(path)), ("url".to_owned(), json!(url))]);
    let context = Map::from_iter([("userAgent".to_owned(), json!(BROWSER))]);
    let user = Identity::parse(Kind::UserId, &format!("user-{lead}")).ok();
    let found = Found {
        id: Some(format!("event-{number}")),
        kind: "page_viewed".to_owned(),
        name: None,
        named: Named::new(user, None, None, false).expect("it names a user"),
        original_at: None,
        sent_at: None,
        corrected: false,
        properties,
        traits: None,
        context: Some(context),
        hint: None,
    };
    found.into_event(arrival(app), String::new).expect("it is valid")
}

/// What came of a load.
pub(crate) struct Rate {
    /// Committed, scored and answered.
    pub(crate) events_per_second: f64,
    /// Processor time of this process an event, the making of events included.
    pub(crate) own_micros: f64,
}

/// Requests of `size` events for leads drawn at random, until the time is over.
pub(crate) async fn load(app: &App, leads: u64, size: usize, time: Duration) -> anyhow::Result<Rate> {
    // Numbers beyond those of every earlier phase, so that each event is new.
    let number = Arc::new(AtomicU64::new(u64::try_from(app.clock.now().timestamp_micros())?));
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (app, number) = (app.clone(), Arc::clone(&number));
            tokio::spawn(async move {
                let mut accepted = 0;
                while began.elapsed() < time {
                    let events = (0..size).map(|_| {
                        let number = number.fetch_add(1, Ordering::Relaxed);
                        // Fibonacci hashing: spread evenly, the same each time.
                        event(&app, number, (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20) % leads)
                    });
                    accepted += send(&app, events.collect()).await?;
                }
                anyhow::Ok(accepted)
            })
        })
        .collect();
    let mut accepted = 0;
    for client in clients {
        accepted += client.await??;
    }
    Ok(Rate {
        events_per_second: accepted as f64 / began.elapsed().as_secs_f64(),
        own_micros: (cpu_seconds() - cpu) / accepted as f64 * 1e6,
    })
}

/// Processor time of this process so far, in seconds (Linux; elsewhere 0).
pub(crate) fn cpu_seconds() -> f64 {
    cpu_of("self")
}

/// Processor time so far of a process, in seconds.
pub(crate) fn cpu_of(pid: &str) -> f64 {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return 0.0 };
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
