//! The promise: never two reps on one lead, every lead handed out, and the one served is the best free one.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{done, next, put};
use crate::harness::{TestApp, run};

/// How much happens.
#[derive(Clone, Copy)]
struct Scale {
    leads: usize,
    reps: usize,
}

/// What the reps saw.
struct Seen {
    /// By lead, who believes to hold it until when.
    held: Mutex<HashMap<String, (String, DateTime<Utc>)>>,
    worked: AtomicUsize,
    waits: Mutex<Vec<Duration>>,
}

/// A claim of the log.
#[derive(sqlx::FromRow)]
struct Logged {
    lead_id: uuid::Uuid,
    claimed_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    outcome: Option<String>,
}

/// Leads of a few scores, so that the order is by score, raw score and age.
async fn crowd(app: &TestApp, count: usize) {
    for from in (0..count).step_by(500) {
        let mut events: Vec<Value> = Vec::new();
        for n in from..count.min(from + 500) {
            let lead = json!({"user_id": format!("u{n}")});
            events.push(json!({"type": "demo_requested", "lead": lead}));
            for (kind, every) in [("trial_started", 3), ("chat_started", 4), ("webinar_attended", 5)] {
                if n % every == 0 {
                    events.push(json!({"type": kind, "lead": lead}));
                }
            }
        }
        app.events(json!(events)).await;
        app.advance(TimeDelta::seconds(1));
    }
}

/// A rep who calls one lead after another; of ten claims, one is abandoned. Time passes by what is done.
async fn work(app: TestApp, rep: usize, scale: Scale, seen: Arc<Seen>) {
    let name = format!("rep{rep}");
    for turn in rep.. {
        if seen.worked.load(Ordering::SeqCst) >= scale.leads {
            return;
        }
        app.advance(TimeDelta::milliseconds(1));
        let began = Instant::now();
        let claim = next(&app, "q", &name).await;
        seen.waits.lock().unwrap().push(began.elapsed());
        let Some(claim) = claim else {
            app.advance(TimeDelta::milliseconds(25));
            continue;
        };
        let lead = claim["lead_id"].as_str().unwrap().to_owned();
        let (since, until) = (instant(&claim["claimed_at"]), instant(&claim["expires_at"]));
        let before = seen.held.lock().unwrap().insert(lead.clone(), (name.clone(), until));
        if let Some((other, over)) = before {
            assert!(over <= since, "{name} was given {lead} at {since}, which {other} holds until {over}");
        }
        if turn % 10 == 0 {
            continue;
        }
        app.advance(TimeDelta::milliseconds(1));
        seen.held.lock().unwrap().remove(&lead);
        done(&app, &claim, "complete", json!({})).await;
        seen.worked.fetch_add(1, Ordering::SeqCst);
    }
}

fn instant(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// An observer who has only the ranking and the log: for each claim, in the order in which they were made, whether its
/// lead was the first of the ranking that nobody held and nobody had worked at the instant of the claim.
fn best_ones(ranking: &[uuid::Uuid], log: &[Logged]) -> usize {
    let place: HashMap<uuid::Uuid, usize> =
        ranking.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    let mut free: BTreeSet<usize> = (0..ranking.len()).collect();
    let mut returning: Vec<(DateTime<Utc>, usize)> = Vec::new();
    let mut best = 0;
    for claim in log {
        returning.retain(|(at, place)| {
            let back = *at <= claim.claimed_at;
            if back {
                free.insert(*place);
            }
            !back
        });
        let mine = place[&claim.lead_id];
        best += usize::from(free.first() == Some(&mine));
        free.remove(&mine);
        if claim.outcome.as_deref() != Some("completed") {
            returning.extend(claim.ended_at.map(|at| (at, mine)));
        }
    }
    best
}

async fn promise(scale: Scale) {
    run(async |app| {
        crowd(app, scale.leads).await;
        // So long that a claim is never over while its rep is at work, by the time that passes.
        let length = format!("{}s", 2 + scale.reps / 8);
        put(app, "q", json!({"claims": {"length": length, "rest": "30d"}})).await;
        let ranking: Vec<uuid::Uuid> = app
            .pages("/v1/queues/q/leads?limit=500")
            .await
            .iter()
            .map(|row| row["id"].as_str().unwrap().parse().unwrap())
            .collect();
        assert_eq!(ranking.len(), scale.leads);
        let second = app.second_instance().await;
        let seen =
            Arc::new(Seen { held: Mutex::default(), worked: AtomicUsize::new(0), waits: Mutex::default() });
        let began = Instant::now();

        let reps = (0..scale.reps).map(|rep| {
            let instance = if rep % 2 == 0 { app.clone() } else { second.clone() };
            tokio::spawn(work(instance, rep, scale, Arc::clone(&seen)))
        });
        for rep in join_all(reps).await {
            rep.unwrap();
        }

        let took = began.elapsed();
        app.run_due().await;
        let log: Vec<Logged> =
            sqlx::query_as("select lead_id, claimed_at, ended_at, outcome from claim order by token")
                .fetch_all(&mut app.database.connect().await)
                .await
                .unwrap();
        assert_kept(scale, &ranking, &log);
        report(&log, took, seen.waits.lock().unwrap().clone());
        assert_eq!(overlapping(app).await, 0, "by the log, no lead was held by two at any instant");
        second.app.shut_down().await;
    })
    .await;
}

/// Every lead was worked once, and by far the most claims were on the best lead that was free.
fn assert_kept(scale: Scale, ranking: &[uuid::Uuid], log: &[Logged]) {
    let outcome = |wanted: &'static str| log.iter().filter(move |one| one.outcome.as_deref() == Some(wanted));
    let mut worked: Vec<_> = outcome("completed").map(|one| one.lead_id).collect();
    worked.sort();
    worked.dedup();
    let (abandoned, best) = (outcome("expired").count(), best_ones(ranking, log));
    eprintln!("{abandoned} of {} claims abandoned, {best} on the best free lead", log.len());
    assert_eq!(worked.len(), scale.leads, "every lead was handed out, and worked once");
    assert!(abandoned * 20 >= log.len(), "{abandoned} of {} were abandoned", log.len());
    assert!(best * 100 >= log.len() * 99, "{best} of {} were the best free one", log.len());
}

/// Says how fast the queue was.
fn report(log: &[Logged], took: Duration, mut waits: Vec<Duration>) {
    waits.sort();
    eprintln!(
        "{} claims in {took:.1?}, {:.0} a second, {} calls; the median call took {:.1?}, the slowest {:.1?}",
        log.len(),
        log.len() as f64 / took.as_secs_f64(),
        waits.len(),
        waits[waits.len() / 2],
        waits[waits.len() - 1],
    );
}

/// How many claims of the log hold a lead while another does.
async fn overlapping(app: &TestApp) -> i64 {
    sqlx::query_scalar(
        "select count(*) from claim one join claim other on other.lead_id = one.lead_id and other.token > one.token
        where other.claimed_at < coalesce(one.ended_at, 'infinity')",
    )
    .fetch_one(&mut app.database.connect().await)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn reps_on_two_instances_never_meet_on_a_lead_and_get_the_best_free_one() {
    promise(Scale { leads: 300, reps: 16 }).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes; run it with --ignored --nocapture for the figures"]
async fn sixty_four_reps_on_ten_thousand_leads() {
    promise(Scale { leads: 10_000, reps: 64 }).await;
}
