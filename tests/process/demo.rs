//! The demo: a year that took place, on the database of a service that runs, or of one that never started.

use std::process::{Command, Stdio};

use chrono::{DateTime, TimeDelta, Utc};
use leadscore::models::Live;
use nix::sys::signal::Signal;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::{
    replay::assert_stored_is_replay,
    scratch::{PROGRAM, Scratch, send, wait_until},
    service::{ADMIN, Service},
};

/// How many stages a database holds.
const STAGES: &str = "select count(*) from pg_namespace where nspname = 'leadscore_demo'";

fn command(scratch: &Scratch, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .arg("demo")
        .args(arguments)
        .env_remove("DATABASE_URL")
        .env("LEADSCORE_DATA_DIR", scratch.data())
        .env("LEADSCORE_ADMIN_KEY", ADMIN);
    command
}

/// Plays a story; what the demo prints.
fn demo(scratch: &Scratch, arguments: &[&str]) -> String {
    let output = command(scratch, arguments).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).expect("text")
}

fn rows(service: &Service, path: &str) -> Vec<Value> {
    service.get(path).body["data"].as_array().unwrap_or_else(|| panic!("{path} is a list")).clone()
}

fn at(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn a_story_took_place_on_a_service_that_runs() {
    let scratch = Scratch::new();
    let service = Service::start(&scratch);
    let story = ["--leads", "200", "--days", "120"];

    let said = demo(&scratch, &story);

    assert!(said.contains("Played the story") && said.contains("Top of the queue `sales`"), "{said}");
    for stage in ["anonymous", "lead", "mql", "sql", "customer", "lost", "recycled"] {
        let leads = rows(&service, &format!("/v1/leads?limit=1&stage={stage}"));
        assert!(!leads.is_empty(), "somebody is at {stage}: {said}");
    }
    let offers = rows(&service, "/v1/handoffs?limit=500");
    let offered: Vec<DateTime<Utc>> = offers.iter().map(|offer| at(&offer["offered_at"])).collect();
    let span = *offered.iter().max().unwrap() - *offered.iter().min().unwrap();
    assert!(span > TimeDelta::days(60), "offers were made all the time: {span}");
    let accepted = offers.iter().find(|offer| offer["state"] == "accepted").expect("one was accepted");
    assert!(at(&accepted["accepted_at"]) > at(&accepted["offered_at"]));
    let rejected = offers.iter().find(|offer| offer["state"] == "rejected").expect("one was rejected");
    assert!(rejected["reason"].is_string(), "for a reason: {rejected}");
    let lost = &rows(&service, "/v1/leads?limit=1&stage=lost")[0];
    let outcomes = rows(&service, &format!("/v1/leads/{}/outcomes", lost["id"].as_str().unwrap()));
    assert!(outcomes.iter().any(|one| one["outcome"] == "lost" && one["reason"].is_string()), "{outcomes:?}");
    let first = &rows(&service, "/v1/queues/sales/leads?limit=1")[0];
    assert!(said.contains(first["profile"]["name"].as_str().unwrap()), "the table is the queue's answer");
    assert_eq!(scratch.count(STAGES), 0, "the stage is gone");

    let again = demo(&scratch, &story);

    assert!(again.contains("Nothing was added: seed 1 was played before"), "{again}");
    assert_eq!(rows(&service, "/v1/handoffs?limit=500").len(), offers.len());
    assert_eq!(service.send("1").unwrap(), (200, 1), "the real clock goes on");
    service.stop();
}

#[test]
fn a_service_that_never_started_finds_the_story_when_it_does() {
    let scratch = Scratch::new();
    let said = demo(&scratch, &["--seed", "7", "--leads", "20", "--days", "30"]);
    assert!(said.contains("This service is new. Its write key, shown this once, is wk_"), "{said}");

    let service = Service::start_with(&scratch, &[("LEADSCORE_ADMIN_KEY", ADMIN)]);

    assert_eq!(service.status_for(ADMIN), 200);
    assert!(rows(&service, "/v1/leads?limit=500").len() > 20);
    service.stop();
}

#[test]
fn what_moved_in_of_every_lead_is_what_a_replay_of_its_log_says() {
    let scratch = Scratch::new();
    demo(&scratch, &["--seed", "3", "--leads", "25", "--days", "40"]);

    let cluster = scratch.cluster();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let leads: i64 = runtime.block_on(async {
        let mut conn = PgConnection::connect(&cluster.url("leadscore")).await.unwrap();
        let scored = Live::default().scored(&mut conn).await.unwrap();
        assert_stored_is_replay(&mut conn, &scored, None, "moved in").await;
        sqlx::query_scalar("select count(*) from lead").fetch_one(&mut conn).await.unwrap()
    });
    assert!(leads > 25, "{leads}");
}

#[test]
fn a_story_that_is_interrupted_leaves_nothing() {
    let scratch = Scratch::new();
    let service = Service::start(&scratch);
    let played = command(&scratch, &[]).stderr(Stdio::piped()).spawn().expect("the program runs");
    wait_until("the story to have begun", || {
        scratch.count("select count(*) from pg_class where relname = 'webhook_lane'") == 2
    });

    send(i32::try_from(played.id()).unwrap(), Signal::SIGINT);

    let output = played.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("interrupted; nothing was changed"), "{said}");
    assert_eq!((scratch.count(STAGES), scratch.count("select count(*) from lead")), (0, 0));
    service.stop();
}
