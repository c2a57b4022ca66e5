//! What a verdict on its events does to the stage of a lead.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{CHROME, HEADLESS, decide, standing};
use crate::harness::run;

#[tokio::test]
async fn a_verdict_opens_an_mql_and_closes_it_at_once() {
    run(async |app| {
        let asks = json!({"id": "e1", "type": "demo_requested", "lead": {"user_id": "u1"},
            "context": {"user_agent": HEADLESS}});
        app.events(asks).await;
        assert_eq!(app.lead("u1").await["stage"], "lead");

        let opened = decide(app, "u1", "e1", "human").await.json();
        assert_eq!(opened["lead"]["stage"], "mql");
        app.advance(TimeDelta::hours(1));
        let closing = decide(app, "u1", "e1", "machine").await.json();

        assert_eq!(closing["lead"]["stage"], "lead", "the hand was raised by nobody");
        app.advance(TimeDelta::days(1));
        app.run_due().await;
        assert_eq!(app.lead("u1").await["stage"], "lead");
    })
    .await;
}

#[tokio::test]
async fn who_is_an_mql_by_a_machines_doing_is_none_and_who_would_be_one_all_the_same_stays() {
    run(async |app| {
        let story = |user: &str, agent: &str, more: &[Value]| {
            let event = |id: &str, kind: &str, agent: &str| {
                json!({"id": id, "type": kind, "lead": {"user_id": user}, "properties": {"path": "/pricing"},
                    "context": {"user_agent": agent},
                    "traits": {"title": "Director", "company": {"employees": 2000}}})
            };
            let seen = [event("e1", "page_viewed", CHROME), event("e2", "chat_started", CHROME)];
            let asks = event("e3", "demo_requested", agent);
            Value::Array(seen.into_iter().chain(more.iter().cloned()).chain([asks]).collect())
        };
        let trial = |user: &str| json!({"id": "t", "type": "trial_started", "lead": {"user_id": user}});
        app.events(story("twin", HEADLESS, &[])).await;
        app.events(story("lead", CHROME, &[])).await;
        app.events(story("ripe", CHROME, &[trial("ripe")])).await;
        for user in ["lead", "ripe"] {
            assert_eq!(app.lead(user).await["stage"], "mql", "{user}");
            app.advance(TimeDelta::minutes(1));
            decide(app, user, "e3", "machine").await;
        }

        let (lead, twin) = (standing(app, "lead").await.1, standing(app, "twin").await.1);
        assert_eq!(lead, twin, "between `leave` and `enter` nobody is an MQL who was none before");
        assert_eq!(app.get("/v1/queues/sales/leads").await.json()["data"].as_array().unwrap().len(), 1);
        let ripe = app.lead("ripe").await;
        assert_eq!((&ripe["stage"], &ripe["qualified_by"]), (&json!("mql"), &json!("threshold")));
    })
    .await;
}
