//! How fast events become scores, beside what the database does with the same rows: `cargo bench`.
//!
//! Three figures of one run on one durable private Postgres, so that their ratios mean something on any machine:
//! events through the service's writers (identity, log, tally, score, ranking, one answer a request); `pgbench` with
//! one transaction an event (an insert and an update); and a bare `COPY` of the same rows into a log table.
//!
//! `LEADSCORE_BENCH_LEADS` (100 000) and `LEADSCORE_BENCH_SECONDS` (10) change the scale.

#![expect(clippy::disallowed_methods, reason = "statements of a bench look into the tables")]

mod load;

use std::{
    fmt::Write as _,
    io::Write as _,
    process::Command,
    time::{Duration, Instant},
};

use load::setting;
use private_postgres::Cluster;
use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

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
    let leads = setting("LEADSCORE_BENCH_LEADS", 100_000);
    let time = Duration::from_secs(setting("LEADSCORE_BENCH_SECONDS", 10));
    let app = load::service(cluster).await?;

    let mut report = String::new();
    let began = Instant::now();
    load::introduce(&app, leads).await?;
    writeln!(report, "{leads} new leads in {:.1} s", began.elapsed().as_secs_f64())?;
    app.db.acquire().await?.execute("vacuum analyze").await?;
    for size in [50, 1_000] {
        let load::Rate { events_per_second, own_micros } = load::load(&app, leads, size, time).await?;
        writeln!(
            report,
            "writers, {size:>5} events a request: {events_per_second:>8.0} events/s  ({own_micros:.1} µs of our CPU an event)",
        )?;
    }
    app.shut_down().await;
    let url = cluster.url("bench");
    writeln!(report, "{}", pgbench(cluster, &mut PgConnection::connect(&url).await?, leads, time).await?)?;
    writeln!(report, "{}", copy(&mut PgConnection::connect(&url).await?, leads).await?)?;
    Ok(report)
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

const COPY: &str =
    "copy copied (identity_id, event_key, id, type, name, occurred_at, received_at, original_at, sent_at,
    verdict, digest, properties, traits, context, api_key_id) from stdin";

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
            "{identity}\t{key}\tevent-{number}\tpage_viewed\t\\N\t2026-03-02 09:00:00Z\t2026-03-02 09:00:00Z\t\\N\t\\N\thuman\t{number}\t{{\"path\": \"/pricing\", \"url\": \"https://www.acme.example/pricing\"}}\t\\N\t{{\"userAgent\": \"{}\"}}\t\\N",
            load::BROWSER
        )?;
    }
    let began = Instant::now();
    let mut sink = conn.copy_in_raw(COPY).await?;
    sink.send(text.as_bytes()).await?;
    sink.finish().await?;
    Ok(format!(
        "bare COPY of the same rows:        {:>8.0} events/s",
        rows as f64 / began.elapsed().as_secs_f64()
    ))
}
