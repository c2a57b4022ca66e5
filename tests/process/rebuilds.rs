//! Being killed while every lead gets a state under a new model.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{
    scratch::{Scratch, wait_for, wait_until},
    service::{ADMIN, Service, send_event},
};

/// So many that a rebuild takes several steps.
const LEADS: usize = 6_000;

/// A model by which every visit is worth ten points, without bounds that could hide one.
fn document() -> Value {
    json!({
        "name": "visits",
        "score": {"min": 0, "max": 100},
        "dimensions": {
            "fit": {"min": 0, "max": 0, "groups": []},
            "engagement": {"min": 0, "max": 1_000_000, "groups": [{"name": "web", "rules": [
                {"name": "visit", "event": "page_viewed", "points": 10}
            ]}]}
        },
        "grades": {"fit": [{"label": "A"}], "engagement": [{"label": "1"}]},
        "bands": [{"label": "all"}]
    })
}

fn post(service: &Service, path: &str, body: &Value) -> Value {
    let answer = service.call("POST", path, ADMIN, &body.to_string()).unwrap();
    assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
    answer.body
}

fn done(service: &Service, model: &str) -> u64 {
    service.get(&format!("/v1/models/{model}/progress")).body["leads_done"].as_u64().unwrap()
}

/// Kills the service once the rebuild has come further than `beyond`, while events come in; and starts another.
fn killed(service: Service, scratch: &Scratch, model: &str, beyond: u64) -> Service {
    let (address, ended) = (service.address, AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                // The same people again: those who have a state, and those who have none yet.
                let sent = send_event(address, &format!("{}", number * 7 % LEADS));
                if sent.is_err() || ended.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        wait_until("the rebuild to come further", || done(&service, model) > beyond);
        service.signal(Signal::SIGKILL);
        service.wait();
        ended.store(true, Ordering::Relaxed);
    });
    Service::start(scratch)
}

#[test]
fn a_process_that_is_killed_while_it_rebuilds_loses_nothing() {
    let scratch = Scratch::new();
    let mut service = Service::start(&scratch);
    let visits: Vec<Value> = (0..LEADS)
        .map(|lead| json!({"type": "page_viewed", "lead": {"user_id": format!("lead-{lead}")}}))
        .collect();
    post(&service, "/v1/events", &Value::Array(visits));
    let model = post(&service, "/v1/models", &document())["id"].as_str().unwrap().to_owned();
    post(&service, &format!("/v1/models/{model}/publish"), &json!({}));

    for beyond in [0, 1_500] {
        service = killed(service, &scratch, &model, beyond);
    }

    wait_until_live(&service, &model);
    assert_eq!(scratch.count("select count(*) from lead"), i64::try_from(LEADS).unwrap());
    every_lead_has_every_visit_once(&scratch);
    service.stop();
}

fn wait_until_live(service: &Service, model: &str) {
    let phase = || service.get(&format!("/v1/models/{model}/progress")).body["phase"].clone();
    wait_for("the model to be live", || (phase() == "live").then_some(()));
}

fn every_lead_has_every_visit_once(scratch: &Scratch) {
    let right = "select count(*) from score
        join scored_model using (model_id)
        join (select lead_id, count(*) as visits from identity_span join event using (identity_id) group by lead_id)
            as log using (lead_id)
        where live_since is not null and raw = visits * 10000";
    assert_eq!(scratch.count(right), i64::try_from(LEADS).unwrap());
}

#[test]
fn a_process_that_is_killed_while_it_replays_older_semantics_leaves_what_the_next_one_ends() {
    let scratch = Scratch::new();
    let service = Service::start(&scratch);
    let visits: Vec<Value> = (0..LEADS)
        .map(|lead| json!({"type": "page_viewed", "lead": {"user_id": format!("lead-{lead}")}}))
        .collect();
    post(&service, "/v1/events", &Value::Array(visits));
    let model = post(&service, "/v1/models", &document())["id"].as_str().unwrap().to_owned();
    post(&service, &format!("/v1/models/{model}/publish"), &json!({}));
    wait_until_live(&service, &model);
    service.stop();
    // What an instance with older semantics leaves behind: another state, and another score.
    let older = "with older as (
            update score set tally = set_byte(tally, 0, 1), raw = 0, score = 0 returning lead_id
        ) select count(distinct lead_id) from older";
    assert_eq!(scratch.count(older), i64::try_from(LEADS).unwrap());
    let left = || {
        usize::try_from(scratch.count("select count(distinct lead_id) from score where semantics < 2"))
            .unwrap()
    };

    for beyond in [0, 2_000] {
        let service = Service::start(&scratch);
        wait_until("the replay to come further", || LEADS - left() > beyond);
        service.signal(Signal::SIGKILL);
        service.wait();
        assert!(left() > 0, "it was killed before its end");
    }
    let service = Service::start(&scratch);

    wait_until("the replay to end", || left() == 0);
    every_lead_has_every_visit_once(&scratch);
    service.stop();
}
