//! How long each kind of request keeps a thread on which requests are answered from everything else, at its worst:
//! `cargo bench --bench workers`.
//!
//! The service has one such thread here. *Held* is the longest time for which nothing else went on on it, the least of
//! `LEADSCORE_BENCH_TIMES` (5) requests; *answered* is when the answer was there. There are a lead of 10 000 events and 500 leads
//! with 48 KiB of attributes each.

#![expect(clippy::disallowed_methods, reason = "statements of a bench look into the tables")]

#[expect(dead_code, reason = "shared with the benches that send traffic")]
mod load;
mod worst;

use std::{
    fmt::Write as _,
    io::Write as _,
    time::{Duration, Instant},
};

use axum::Router;
use leadscore::{
    intake::links,
    keys::{self, Prefix, Secret},
    routes,
};
use load::setting;
use private_postgres::Cluster;
use worst::{ADMIN, Ground, Pulse, Worst};

fn main() -> anyhow::Result<()> {
    if !load::asked() {
        return Ok(());
    }
    let cluster = load::cluster()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let report = runtime.block_on(measure(&cluster))?;
    std::io::stdout().write_all(report.as_bytes())?;
    cluster.stop()?;
    Ok(())
}

async fn measure(cluster: &Cluster) -> anyhow::Result<String> {
    let times = setting("LEADSCORE_BENCH_TIMES", 5);
    let app = load::service(cluster).await?;
    let admin = Secret::given(ADMIN, Prefix::Secret).map_err(anyhow::Error::msg)?;
    keys::ensure(&app.keys, Some(admin), None).await?;
    links::ensure(&app.links).await?;
    let router = routes::router(&app);
    let ground = Ground::prepare(&router, 10_000, 500).await;
    let pulse = Pulse::start();
    let mut report =
        String::from("| request | bytes | status | held, ms | answered, ms |\n|---|--:|--:|--:|--:|\n");
    for worst in ground.requests(app.clock.now()) {
        let (mut held, mut answered, mut status) = (Duration::MAX, Duration::MAX, 0);
        for _ in 0..times {
            let one = one(&router, &worst, &pulse).await?;
            held = held.min(one.held);
            answered = answered.min(one.answered);
            status = one.status;
        }
        let [held, answered] = [held, answered].map(|time| time.as_secs_f64() * 1e3);
        writeln!(report, "| {} | {} | {status} | {held:.1} | {answered:.0} |", worst.name, worst.size())?;
    }
    app.shut_down().await;
    Ok(report)
}

struct Measured {
    held: Duration,
    answered: Duration,
    status: u16,
}

async fn one(router: &Router, worst: &Worst, pulse: &Pulse) -> anyhow::Result<Measured> {
    let (router, worst) = (router.clone(), worst.clone());
    pulse.longest();
    let began = Instant::now();
    // On the one thread, as the task of a connection is.
    let (status, _) = tokio::spawn(async move { worst.send(&router).await }).await?;
    let answered = began.elapsed();
    // What is let go of after the answer counts too.
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(Measured { held: pulse.longest(), answered, status })
}
