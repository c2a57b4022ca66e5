//! Whatever has happened: a publish and its rollback leave everybody as they were.

use chrono::TimeDelta;
use proptest::{
    prelude::*,
    sample::{Index, select},
    strategy::ValueTree,
    test_runner::TestRunner,
};
use serde_json::{Value, json};

use super::{everything, go_live, roll_back_at_once, user};
use crate::harness::{
    ADMIN, TestApp,
    models::{add, publish, visits},
    run,
};

/// How many random stories.
const CASES: u32 = 24;

/// Two models, what people do under the first, and how the second is published.
#[derive(Debug, Clone)]
struct Story {
    models: [Value; 3],
    events: Vec<(usize, &'static str, i64)>,
    offers: [bool; 2],
    /// Whose event comes between the publish and the rollback.
    meanwhile: Vec<Index>,
}

const PEOPLE: usize = 6;

fn models() -> impl Strategy<Value = Value> {
    let mql = (20..95_i64, 0..60_i64, any::<bool>(), any::<bool>(), any::<bool>());
    let points = (1..40_i64, -30..60_i64, any::<bool>());
    (points, mql, any::<bool>()).prop_map(
        |((visit, trial, fades), (enter, below, leaves, dwells, cools), hands)| {
            let mut document = visits(visit);
            let rules = &mut document["dimensions"]["engagement"]["groups"][0]["rules"];
            let mut trial = json!({"name": "trial", "event": "trial_started", "points": trial});
            if fades {
                trial["window"] = json!("2d");
            }
            rules.as_array_mut().unwrap().push(trial);
            let mut mql = json!({"enter": enter});
            if leaves {
                mql["leave"] = json!((enter - below).max(0));
            }
            if dwells {
                mql["dwell"] = json!("1d");
            }
            if cools {
                mql["cooldown"] = json!("3d");
            }
            document["mql"] = mql;
            document["hand_raise"] = if hands { json!(["demo_requested"]) } else { json!([]) };
            document
        },
    )
}

fn stories() -> impl Strategy<Value = Story> {
    let kinds =
        select(vec!["page_viewed", "page_viewed", "trial_started", "demo_requested", "recycle", "accept"]);
    let event = (0..PEOPLE, kinds, select(vec![0, 30, 90_000]));
    let events = prop::collection::vec(event, 1..30);
    let meanwhile = prop::collection::vec(any::<Index>(), 0..3);
    ([models(), models(), models()], events, any::<[bool; 2]>(), meanwhile)
        .prop_map(|(models, events, offers, meanwhile)| Story { models, events, offers, meanwhile })
}

async fn happens(app: &TestApp, case: u32, (person, kind, wait): (usize, &str, i64)) {
    app.advance(TimeDelta::seconds(wait));
    app.run_due().await;
    let user = user(case, person);
    if !["recycle", "accept"].contains(&kind) {
        app.events(json!([{"type": kind, "lead": {"user_id": user}}])).await;
        return;
    }
    let leads = app.get(&format!("/v1/leads?q={user}")).await.json();
    let Some(lead) = leads["data"][0]["id"].as_str() else { return };
    let open = app.get(&format!("/v1/handoffs?state=open&lead_id={lead}")).await.json();
    if let Some(offer) = open["data"][0]["id"].as_str() {
        app.post(&format!("/v1/handoffs/{offer}/{kind}"), "{}").await;
    }
}

#[tokio::test]
async fn a_publish_and_its_rollback_leave_everybody_as_they_were() {
    run(async |app| {
        let policy = json!({"handoff": {"auto_sql": {"min_score": 85}, "expires_after": "20d"}});
        assert_eq!(app.call("PUT", "/v1/policy", Some(ADMIN), policy.to_string()).await.status, 200);
        let mut runner = TestRunner::deterministic();
        let mut moved = 0;
        for case in 0..CASES {
            let story = stories().new_tree(&mut runner).unwrap().current();
            moved += usize::from(plays_out(app, case, &story).await);
        }
        assert!(moved > CASES as usize / 3, "only {moved} of the publishes moved anybody");
    })
    .await;
}

/// Plays a story; whether the publish moved anybody.
async fn plays_out(app: &TestApp, case: u32, story: &Story) -> bool {
    let [first, second, third] = &story.models;
    publish(app, first).await;
    for event in &story.events {
        happens(app, case, *event).await;
    }
    let (second, third) = (add(app, second).await, add(app, third).await);
    app.run_due().await;
    let before = everything(app).await;

    // There, and back; and again.
    go_live(app, &second, story.offers[0]).await;
    let there = everything(app).await;
    roll_back_at_once(app, &second).await;
    assert_eq!(everything(app).await, before, "case {case}, back: {story:#?}");
    go_live(app, &second, story.offers[1]).await;
    roll_back_at_once(app, &second).await;
    assert_eq!(everything(app).await, before, "case {case}, back again: {story:#?}");
    // There once more by rolling that back; and a third, of which the same holds.
    roll_back_at_once(app, &second).await;
    let second_stands = everything(app).await;
    go_live(app, &third, story.offers[0]).await;
    roll_back_at_once(app, &third).await;
    assert_eq!(everything(app).await, second_stands, "case {case}, the third: {story:#?}");

    // With traffic between, those who do nothing are as they were.
    go_live(app, &third, story.offers[1]).await;
    let busy: Vec<String> = story.meanwhile.iter().map(|index| user(case, index.index(PEOPLE))).collect();
    for user in &busy {
        app.events(json!([{"type": "page_viewed", "lead": {"user_id": user}}])).await;
    }
    roll_back_at_once(app, &third).await;
    let mut ids = Vec::new();
    for user in &busy {
        ids.push(app.lead(user).await["id"].as_str().unwrap().to_owned());
    }
    let quiet = |all: Vec<String>| -> Vec<String> {
        all.into_iter().filter(|line| ids.iter().all(|id| !line.contains(id.as_str()))).collect()
    };
    assert_eq!(quiet(everything(app).await), quiet(second_stands), "case {case}, meanwhile: {story:#?}");
    there != before
}
