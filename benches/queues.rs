//! How long it takes to hand out a lead, and to show a ranking, among a million: `cargo bench --bench queues`.
//!
//! Every lead is an MQL, one in a hundred asked for sales; sales has worked 200 000 of them before, and the best 5 000 rest
//! since this morning, so that each walk passes over them. All calls go through the service's router, in turn and then
//! from 64 reps at once on two instances.
//!
//! `LEADSCORE_BENCH_LEADS` (1 000 000) and `LEADSCORE_BENCH_SECONDS` (10) change the scale.

#![expect(clippy::disallowed_methods, reason = "statements of a bench look into the tables")]

use std::{
    fmt::Write as _,
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use futures_util::future::try_join_all;
use http_body_util::BodyExt;
use leadscore::{
    app::{self, App},
    keys::{self, Prefix, Secret},
    models,
    platform::{clock::Clock, db, ids::Ids},
    routes,
};
use private_postgres::{Cluster, Settings};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tower::ServiceExt;

const KEY: &str = "sk_bench_0123456789abcdefghij";
/// How many reps work at once.
const REPS: usize = 64;
/// How many calls make a figure.
const CALLS: usize = 300;

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` builds and runs this too; it measures only when cargo bench asks.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let cluster = Cluster::start(&Settings {
        root: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-queues-pg"),
        supervisor: vec![env!("CARGO_BIN_EXE_leadscore").into(), "pg-supervise".into()],
        grace: Duration::ZERO,
        durable: true,
        max_connections: 50,
    })?;
    tokio::runtime::Runtime::new()?.block_on(measure(&cluster))?;
    cluster.stop()?;
    Ok(())
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

async fn measure(cluster: &Cluster) -> anyhow::Result<()> {
    let leads = setting("LEADSCORE_BENCH_LEADS", 1_000_000);
    let mut server = PgConnection::connect(&cluster.url("postgres")).await?;
    server.execute("drop database if exists bench with (force)").await?;
    server.execute("create database bench").await?;
    let url = cluster.url("bench");
    let one = service(&url).await?;
    db::migrate(&one.db).await?;
    models::ensure_default(&one.models).await?;
    let key = Secret::given(KEY, Prefix::Secret).map_err(anyhow::Error::msg)?;
    keys::ensure(&one.keys, Some(key), None).await?;
    let other = service(&url).await?;
    let (first, second) = (Bench(routes::router(&one)), Bench(routes::router(&other)));

    let began = Instant::now();
    fill(&first, &mut PgConnection::connect(&url).await?, leads).await?;
    say(&format!("{leads} leads made in {:.0} s", began.elapsed().as_secs_f64()))?;
    for (name, document) in documents() {
        first.send("PUT", &format!("/v1/queues/{name}"), &document).await?;
    }
    for name in ["sales", "handbook", "territory", "attributes", "hours"] {
        first.next_of(name).await?;
    }
    for (what, query) in [("first page", "limit=50"), ("free ones", "limit=50&free=true")] {
        first.page_of("sales", what, query).await?;
    }
    first.deep_page().await?;
    crowd(&[first, second], Duration::from_secs(setting("LEADSCORE_BENCH_SECONDS", 10))).await?;
    one.shut_down().await;
    other.shut_down().await;
    Ok(())
}

async fn service(url: &str) -> anyhow::Result<App> {
    let pools = db::connect(url.parse()?, 10, 2).await?;
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
    Ok(App::start(pools, Clock::System, Ids::random(Clock::System), metrics, app::Settings::default()))
}

/// Queues that ask for more than the score.
fn documents() -> [(&'static str, Value); 4] {
    [
        (
            "handbook",
            json!({"tiers": [
                {"name": "callbacks", "when": {"is": ["callback_due"]}, "order": ["callback_at"]},
                {"name": "asked", "when": {"is": ["hand_raised", "never_contacted"]}},
                {"name": "new", "when": {"is": ["never_contacted"]}},
                {"name": "rest"},
            ]}),
        ),
        ("territory", json!({"filter": {"territory": ["t7"]}})),
        ("attributes", json!({"filter": {"attributes": {"field": "employees", "gte": 900}}})),
        (
            "hours",
            json!({"hours": {"open": [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00", "to": "12:00"}]}}),
        ),
    ]
}

/// Leads as the service would have made them, copied from one that it did make.
async fn fill(bench: &Bench, conn: &mut PgConnection, leads: u64) -> anyhow::Result<()> {
    bench
        .send("POST", "/v1/events", &json!({"type": "demo_requested", "lead": {"user_id": "pattern"}}))
        .await?;
    for statement in [
        "create temporary table pattern as select * from score".to_owned(),
        format!(
            "create temporary table made as
            select n, ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as id,
                30 + (n % 100000 * 7919) % 71 as score, now() - n * interval '1 second' as at
            from generate_series(1, {leads}) n"
        ),
        "insert into lead (id, stage, cycle, mql_by, created_at)
            select id, 'mql', 1, case when n % 101 = 0 then 'hand_raise' else 'threshold' end, at from made"
            .to_owned(),
        "insert into identity (id, kind, value, created_at) select id, 'user_id', 'u' || n, at from made".to_owned(),
        "insert into identity_span (identity_id, since, lead_id) select id, '1970-01-01', id from made".to_owned(),
        "insert into lead_profile (lead_id, attributes)
            select id, jsonb_build_object(
                'territory', jsonb_build_object('value', 't' || n % 50, 'at', '2026-01-01T00:00:00Z', 'event_id', 'e'),
                'timezone', jsonb_build_object('value', (array['Europe/Berlin', 'America/New_York', 'Asia/Tokyo'])[1 + n % 3],
                    'at', '2026-01-01T00:00:00Z', 'event_id', 'e'),
                'employees', jsonb_build_object('value', n % 1000, 'at', '2026-01-01T00:00:00Z', 'event_id', 'e'))
            from made"
            .to_owned(),
        "insert into score (lead_id, model_id, stage, do_not_contact, score, raw, fit, engagement, grade, band, as_of,
                tally, updated_at, first_seen_at, hand_raised, hand_raised_at)
            select id, model_id, 'mql', false, made.score, made.score * 1000 + n % 997, fit, engagement, grade, band, as_of,
                tally, at, at, n % 101 = 0, case when n % 101 = 0 then at end
            from made, pattern"
            .to_owned(),
        "insert into transition (lead_id, id, at, from_stage, to_stage, cause, cycle, score, raw, fit, engagement, grade,
                band, model_id)
            select made.id, made.id, at, 'lead', 'mql', 'threshold', 1, made.score, 0, 0, 0, grade, band, model_id
            from made, pattern"
            .to_owned(),
        claims("where n % 5 = 0", "now() - interval '30 days'"),
        claims("order by made.score desc, n % 997 desc, id desc limit 5000", "now()"),
    ] {
        conn.execute(AssertSqlSafe(statement)).await?;
    }
    conn.execute("vacuum analyze").await?;
    Ok(())
}

/// Claims that were completed at an instant.
fn claims(of: &str, at: &str) -> String {
    format!(
        "insert into claim (lead_id, id, queue, rep, why, claimed_at, expires_at, ended_at, outcome, rests_until)
        select id, gen_random_uuid(), 'sales', 'rep' || n % 64, '{{}}', {at}, {at} + interval '30 minutes', {at}, 'completed',
            {at} + interval '1 day'
        from made {of}"
    )
}

/// The service, called without a network.
#[derive(Clone)]
struct Bench(Router);

impl Bench {
    async fn send(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Option<Value>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {KEY}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(if body.is_null() { Body::empty() } else { body.to_string().into() })?;
        let response = self.0.clone().oneshot(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::ensure!(status.is_success(), "{method} {path}: {status} {}", String::from_utf8_lossy(&body));
        Ok(if body.is_empty() { None } else { Some(serde_json::from_slice(&body)?) })
    }

    async fn next(&self, queue: &str, rep: &str) -> anyhow::Result<Option<Value>> {
        self.send("POST", &format!("/v1/queues/{queue}/next"), &json!({"rep": rep})).await
    }

    /// One rep who asks and finishes, again and again.
    async fn next_of(&self, queue: &str) -> anyhow::Result<()> {
        let (mut asked, mut finished) = (Vec::new(), Vec::new());
        for call in 0..CALLS {
            let began = Instant::now();
            let claim = self.next(queue, "ann").await?;
            asked.push(began.elapsed());
            let Some(claim) = claim else { break };
            if call % 10 == 0 {
                continue;
            }
            let began = Instant::now();
            let path = format!("/v1/claims/{}/complete", claim["id"].as_str().unwrap_or_default());
            self.send("POST", &path, &json!({"token": claim["token"]})).await?;
            finished.push(began.elapsed());
        }
        say(&format!("{queue}: next {}; complete {}", spread(asked), spread(finished)))
    }

    async fn page_of(&self, queue: &str, what: &str, query: &str) -> anyhow::Result<()> {
        let mut took = Vec::new();
        for _ in 0..CALLS / 10 {
            let began = Instant::now();
            self.send("GET", &format!("/v1/queues/{queue}/leads?{query}"), &Value::Null).await?;
            took.push(began.elapsed());
        }
        say(&format!("{queue}: ranking, {what} {}", spread(took)))
    }

    /// Pages of 500, one after the other.
    async fn deep_page(&self) -> anyhow::Result<()> {
        let (mut took, mut cursor) = (Vec::new(), String::new());
        for _ in 0..CALLS / 10 {
            let began = Instant::now();
            let page =
                self.send("GET", &format!("/v1/queues/sales/leads?limit=500{cursor}"), &Value::Null).await?;
            took.push(began.elapsed());
            let next = page.unwrap_or_default()["next_cursor"].as_str().map(str::to_owned);
            cursor = format!("&cursor={}", next.unwrap_or_default());
        }
        say(&format!("sales: ranking, pages of 500 in a row {}", spread(took)))
    }
}

/// Reps on two instances who claim and complete for as long as the time lasts.
async fn crowd(instances: &[Bench], time: Duration) -> anyhow::Result<()> {
    let began = Instant::now();
    let reps = (0..REPS).map(|rep| {
        let bench = instances[rep % instances.len()].clone();
        tokio::spawn(async move {
            let mut took = Vec::new();
            while began.elapsed() < time {
                let asked = Instant::now();
                let claim = bench.next("sales", &format!("rep{rep}")).await?.unwrap_or_default();
                took.push(asked.elapsed());
                let path = format!("/v1/claims/{}/complete", claim["id"].as_str().unwrap_or_default());
                bench.send("POST", &path, &json!({"token": claim["token"]})).await?;
            }
            anyhow::Ok(took)
        })
    });
    let mut took = Vec::new();
    for rep in try_join_all(reps).await? {
        took.extend(rep?);
    }
    let rate = took.len() as f64 / began.elapsed().as_secs_f64();
    say(&format!("{REPS} reps at once on two instances: {rate:.0} claims/s; next {}", spread(took)))
}

/// Median, 99th percentile and slowest.
fn spread(mut took: Vec<Duration>) -> String {
    took.sort();
    let at = |part: usize| {
        took.get((took.len() * part / 100).min(took.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    let mut line = String::new();
    for (name, part) in [("median", 50), ("p99", 99), ("slowest", 100)] {
        let _ = write!(line, "{name} {:.1} ms ", at(part).as_secs_f64() * 1000.0);
    }
    line + &format!("({} calls)", took.len())
}
