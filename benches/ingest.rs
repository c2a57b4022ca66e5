//! How fast events become scores, beside what the database does with the same rows: `cargo bench`.
//!
//! Three figures of one run on one durable private Postgres, so that their ratios mean something on any machine:
//! events through the service's writers (identity, log, tally, score, ranking, one answer a request); `pgbench` with
//! one transaction an event (an insert and an update); and a bare `COPY` of the same rows into a log table.
//!
//! `LEADSCORE_BENCH_LEADS` (100 000) and `LEADSCORE_BENCH_SECONDS` (10) change the scale.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use leadscore::{
    app::{self, App},
    clock::Clock,
    db,
    ids::{Ids, KeyId},
    ingest::{
        Submission,
        event::{Arrival, Found, NewEvent},
        submit,
    },
    leads::identity::{Identity, Kind, Named},
    models,
};
use private_postgres::{Cluster, Settings};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

/// How many requests wait at once.
const CLIENTS: usize = 32;
/// The types of the traffic, most of it page views.
const PATHS: [&str; 6] = ["/", "/product", "/pricing", "/customers/acme", "/blog/post", "/careers"];

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` builds and runs this too; it measures only when cargo bench asks.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let cluster = Cluster::start(&Settings {
        root: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-pg"),
        supervisor: vec![env!("CARGO_BIN_EXE_leadscore").into(), "pg-supervise".into()],
        grace: Duration::ZERO,
        durable: true,
        max_connections: 50,
    })?;
    let report = tokio::runtime::Runtime::new()?.block_on(measure(&cluster))?;
    std::io::stdout().write_all(report.as_bytes())?;
    cluster.stop()?;
    Ok(())
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

async fn measure(cluster: &Cluster) -> anyhow::Result<String> {
    let leads = setting("LEADSCORE_BENCH_LEADS", 100_000);
    let time = Duration::from_secs(setting("LEADSCORE_BENCH_SECONDS", 10));
    let mut server = PgConnection::connect(&cluster.url("postgres")).await?;
    server.execute("drop database if exists bench with (force)").await?;
    server.execute("create database bench").await?;
    let url = cluster.url("bench");
    let pools = db::connect(url.parse()?, 5, leadscore::ingest::WRITERS).await?;
    db::migrate(&pools.main).await?;
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
    let app = App::start(pools, Clock::System, Ids::random(Clock::System), metrics, app::Settings::default());
    models::ensure_default(&app).await?;

    let mut report = String::new();
    let began = Instant::now();
    introduce(&app, leads).await?;
    writeln!(report, "{leads} new leads in {:.1} s", began.elapsed().as_secs_f64())?;
    app.db.acquire().await?.execute("vacuum analyze").await?;
    for size in [50, 1_000] {
        let line = writers(&app, leads, size, time).await?;
        writeln!(report, "{line}")?;
    }
    app.shut_down().await;
    writeln!(report, "{}", pgbench(cluster, &mut PgConnection::connect(&url).await?, leads, time).await?)?;
    writeln!(report, "{}", copy(&mut PgConnection::connect(&url).await?, leads).await?)?;
    Ok(report)
}

/// Every lead's first event, so that the measured ones meet leads that are there.
async fn introduce(app: &App, leads: u64) -> anyhow::Result<()> {
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
    };
    Ok(submit(&app.writers, submission).await?.accepted)
}

fn arrival(app: &App) -> Arrival {
    Arrival { at: app.clock.now(), api_key: KeyId(Uuid::nil()) }
}

/// The event with this number, of this lead.
fn event(app: &App, number: u64, lead: u64) -> NewEvent {
    let path = PATHS[usize::try_from(number).unwrap_or_default() % PATHS.len()];
    let Value::Object(properties) = json!({"path": path, "url": format!("https://www.acme.example{path}")})
    else {
        unreachable!("an object")
    };
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
        context: None,
    };
    found.into_event(arrival(app), String::new).expect("it is valid")
}

/// Requests of `size` events for leads drawn at random, until the time is over.
async fn writers(app: &App, leads: u64, size: usize, time: Duration) -> anyhow::Result<String> {
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
    let seconds = began.elapsed().as_secs_f64();
    let own = (cpu_seconds() - cpu) / accepted as f64 * 1e6;
    Ok(format!(
        "writers, {size:>5} events a request: {:>8.0} events/s  ({own:.1} µs of our CPU an event)",
        accepted as f64 / seconds
    ))
}

/// What the same hardware does with one transaction an event.
async fn pgbench(
    cluster: &Cluster,
    conn: &mut PgConnection,
    leads: u64,
    time: Duration,
) -> anyhow::Result<String> {
    let program = cluster.bin_dir().join("pgbench");
    if !program.exists() {
        return Ok("pgbench is not among this Postgres's programs".to_owned());
    }
    conn.execute(
        "create unlogged table if not exists plain_lead (id bigint primary key, score integer not null)",
    )
    .await?;
    conn.execute("alter table plain_lead set logged").await?;
    conn.execute("create table if not exists plain_event (lead_id bigint, id uuid, body jsonb, primary key (lead_id, id))").await?;
    sqlx::query("insert into plain_lead select n, 0 from generate_series(0, $1) n on conflict do nothing")
        .bind(i64::try_from(leads)?)
        .execute(&mut *conn)
        .await?;
    let script = std::env::temp_dir().join(format!("leadscore-pgbench-{}.sql", std::process::id()));
    std::fs::write(
        &script,
        format!(
            "\\set lead random(0, {leads})\nbegin;\n\
            insert into plain_event values (:lead, gen_random_uuid(), '{{\"path\": \"/pricing\"}}') on conflict do nothing;\n\
            update plain_lead set score = score + 10 where id = :lead;\ncommit;\n"
        ),
    )?;
    let out = Command::new(program)
        .args(["--no-vacuum", "--protocol=prepared", "--client=8", "--jobs=2"])
        .arg(format!("--time={}", time.as_secs()))
        .arg("--file")
        .arg(&script)
        .arg(cluster.url("bench"))
        .output()?;
    std::fs::remove_file(&script)?;
    let text = String::from_utf8_lossy(&out.stdout);
    let tps =
        text.lines().find_map(|line| line.strip_prefix("tps = ")).and_then(|rest| rest.split(' ').next());
    let tps: f64 =
        tps.ok_or_else(|| anyhow::anyhow!("pgbench: {}", String::from_utf8_lossy(&out.stderr)))?.parse()?;
    Ok(format!("pgbench, one transaction an event: {tps:>6.0} events/s"))
}

/// What it does with nothing but the rows.
async fn copy(conn: &mut PgConnection, leads: u64) -> anyhow::Result<String> {
    conn.execute("create table if not exists copied (like event including all)").await?;
    conn.execute("truncate copied").await?;
    let rows = leads.clamp(100_000, 500_000);
    let mut text = String::new();
    for number in 0..rows {
        let (identity, key) = (
            Uuid::from_u64_pair(number.wrapping_mul(0x9E37_79B9_7F4A_7C15), 1),
            Uuid::from_u64_pair(number, 2),
        );
        writeln!(
            text,
            "{identity}\t{key}\tevent-{number}\tpage_viewed\t\\N\t2026-03-02 09:00:00Z\t2026-03-02 09:00:00Z\t\\N\t\\N\thuman\t{number}\t{{\"path\": \"/pricing\", \"url\": \"https://www.acme.example/pricing\"}}\t\\N\t\\N\t\\N"
        )?;
    }
    let began = Instant::now();
    let mut sink = conn.copy_in_raw("copy copied from stdin").await?;
    sink.send(text.as_bytes()).await?;
    sink.finish().await?;
    Ok(format!(
        "bare COPY of the same rows:        {:>8.0} events/s",
        rows as f64 / began.elapsed().as_secs_f64()
    ))
}

/// Processor time of this process so far, in seconds (Linux; elsewhere 0).
fn cpu_seconds() -> f64 {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return 0.0 };
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
