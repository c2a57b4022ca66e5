//! How fast a new model's scores are made from the log, and what that costs those who send events meanwhile:
//! `cargo bench --bench rebuild`.
//!
//! Figures of one run on one durable private Postgres: the rebuild of every lead from its events; the same events
//! streamed out by `COPY event TO STDOUT`; events taken a second alone, and while a rebuild runs at the pace that it
//! keeps then.
//!
//! `LEADSCORE_BENCH_LEADS` (20 000), `LEADSCORE_BENCH_EVENTS` (20 a lead) and `LEADSCORE_BENCH_SECONDS` (10) change the
//! scale.

#![expect(clippy::disallowed_methods, reason = "statements of a bench look into the tables")]

mod load;

use std::{
    fmt::Write as _,
    io::Write as _,
    time::{Duration, Instant},
};

use futures_util::TryStreamExt;
use leadscore::{
    app::App,
    models,
    platform::{
        ids::ModelId,
        sweep::{Job, Sweep},
    },
    publishing::{self, Run, jobs::Rebuild},
};
use load::setting;
use private_postgres::Cluster;
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};

fn main() -> anyhow::Result<()> {
    if !load::asked() {
        return Ok(());
    }
    let cluster = load::cluster()?;
    let report = tokio::runtime::Runtime::new()?.block_on(measure(&cluster))?;
    std::io::stdout().write_all(report.as_bytes())?;
    cluster.stop()?;
    Ok(())
}

async fn measure(cluster: &Cluster) -> anyhow::Result<String> {
    let leads = setting("LEADSCORE_BENCH_LEADS", 20_000);
    let each = setting("LEADSCORE_BENCH_EVENTS", 20);
    let time = Duration::from_secs(setting("LEADSCORE_BENCH_SECONDS", 10));
    let app = load::service(cluster).await?;
    let mut conn = PgConnection::connect(&cluster.url("bench")).await?;
    load::introduce(&app, leads).await?;
    remember(&mut conn, each).await?;

    let mut report = String::new();
    let events = leads * each;
    writeln!(report, "{leads} leads, {events} events")?;
    let before = Spent::so_far(&mut conn).await?;
    stream_out(&mut conn).await?;
    let streamed = before.on(events, &mut conn).await?;
    writeln!(report, "COPY event TO STDOUT: {streamed}")?;
    let first = publish(&app, 1).await?;
    let resident = peak_memory();
    let before = Spent::so_far(&mut conn).await?;
    let (mut reading, mut at) = (Duration::ZERO, before.at);
    while publishing_is_under_way(&app, first).await? {
        let done = Rebuild::run_once(&app.publishing).await?;
        let worked = std::mem::replace(&mut at, Instant::now()).elapsed();
        reading += if done == 1 { worked } else { Duration::ZERO };
    }
    let rebuilt = before.on(events, &mut conn).await?;
    let share = rebuilt.per_second / streamed.per_second;
    writeln!(report, "rebuild:              {rebuilt}, {share:.2} of COPY")?;
    let read = reading.as_secs_f64();
    let written = before.at.elapsed().as_secs_f64() - read;
    writeln!(report, "of which:             {read:>9.1} s reading the log, {written:.1} s writing states")?;
    let bytes = peak_memory().saturating_sub(resident) as f64 / leads as f64;
    writeln!(report, "memory meanwhile:     {bytes:>9.0} bytes a lead")?;

    let load::Rate { events_per_second: alone, own_micros } = load::load(&app, leads, 50, time).await?;
    let second = publish(&app, 2).await?;
    Job::of::<Rebuild>(&app.publishing).start(&app);
    let began = Instant::now();
    let beside = load::load(&app, leads, 50, time).await?.events_per_second;
    let seconds = began.elapsed().as_secs_f64();
    let run = progress(&app, second).await?;
    writeln!(
        report,
        "events taken alone:   {alone:>9.0} events/s, under the live version and the one before \
         ({own_micros:.1} µs of our CPU an event)"
    )?;
    writeln!(
        report,
        "beside a rebuild:     {beside:>9.0} events/s, {:.2} of that; in these {seconds:.0} s {:.0} % of the log read, \
         {} leads rebuilt",
        beside / alone,
        run.log_read * 100.0,
        run.rebuilt
    )?;
    app.shut_down().await;
    Ok(report)
}

/// Gives every lead a past: events spread over ninety days, as scattered on disk as those of many leads at once are.
async fn remember(conn: &mut PgConnection, each: u64) -> anyhow::Result<()> {
    sqlx::query(
        "insert into event (identity_id, event_key, id, type, occurred_at, received_at, verdict, digest, properties)
        select identity_id, gen_random_uuid(), 'past-' || n, 'page_viewed', at, at, 'human', n,
            jsonb_build_object('path', (array['/', '/product', '/pricing', '/blog/post'])[1 + n % 4],
                'url', 'https://www.acme.example/')
        from generate_series(2, $1::bigint) n, identity_span,
            lateral (select now() - n * interval '4 days' as at) times
        order by n, identity_id",
    )
    .bind(i64::try_from(each)?)
    .execute(&mut *conn)
    .await?;
    conn.execute("vacuum analyze").await?;
    Ok(())
}

async fn stream_out(conn: &mut PgConnection) -> anyhow::Result<()> {
    let mut stream = conn.copy_out_raw("copy event to stdout").await?;
    while stream.try_next().await?.is_some() {}
    Ok(())
}

/// What has been spent up to an instant.
struct Spent {
    at: Instant,
    own: f64,
    server: f64,
}

/// What was spent on a number of events. On a machine that others use too, the processor time says more than the rate.
struct Cost {
    per_second: f64,
    own_micros: f64,
    server_micros: f64,
}

impl Spent {
    async fn so_far(conn: &mut PgConnection) -> anyhow::Result<Spent> {
        let sessions: Vec<i32> =
            sqlx::query_scalar("select pid from pg_stat_activity where datname = current_database()")
                .fetch_all(conn)
                .await?;
        let server = sessions.iter().map(|pid| load::cpu_of(&pid.to_string())).sum();
        Ok(Spent { at: Instant::now(), own: load::cpu_seconds(), server })
    }

    async fn on(&self, events: u64, conn: &mut PgConnection) -> anyhow::Result<Cost> {
        let now = Spent::so_far(conn).await?;
        let micros = |seconds: f64| seconds * 1e6 / events as f64;
        Ok(Cost {
            per_second: events as f64 / (now.at - self.at).as_secs_f64(),
            own_micros: micros(now.own - self.own),
            server_micros: micros(now.server - self.server),
        })
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Cost { per_second, own_micros, server_micros } = self;
        write!(
            f,
            "{per_second:>9.0} events/s ({server_micros:.1} µs of Postgres's CPU an event, {own_micros:.1} of ours)"
        )
    }
}

/// A version that differs from every other by its name.
async fn publish(app: &App, number: u64) -> anyhow::Result<ModelId> {
    let mut document: Value = models::document::from_yaml(models::DEFAULT_DOCUMENT)?;
    document["name"] = json!(format!("version {number}"));
    let id = models::add_draft(&app.models, &document).await?;
    publishing::publish(&app.publishing, id, false).await?;
    Ok(id)
}

async fn publishing_is_under_way(app: &App, id: ModelId) -> anyhow::Result<bool> {
    Ok(progress(app, id).await?.rebuilt_at.is_none())
}

async fn progress(app: &App, id: ModelId) -> anyhow::Result<Run> {
    publishing::run(&app.publishing, id).await?.ok_or_else(|| anyhow::anyhow!("it is not scored"))
}

/// The most memory that this process has held at once, in bytes (Linux; elsewhere 0).
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
