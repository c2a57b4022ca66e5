//! What a person says of who caused an event.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{CHROME, HEADLESS, click, decide, delivered, look, of_mail, raw, standing, verdicts};
use crate::harness::run;

#[tokio::test]
async fn a_lead_whose_events_verdict_is_reversed_is_what_it_would_have_been() {
    for (before, after) in [(HEADLESS, "human"), (CHROME, "machine")] {
        run(async |app| {
            let story = |user: &str, agent: &str| {
                let event = |id: &str, kind: &str, agent: &str, time: &str| {
                    json!({"id": id, "type": kind, "lead": {"user_id": user}, "properties": {"path": "/pricing"},
                        "occurred_at": format!("2026-03-0{time}Z"), "context": {"user_agent": agent},
                        "traits": {"title": "Director"}})
                };
                json!([
                    event("e1", "page_viewed", CHROME, "1T08:00:00"),
                    event("e2", "demo_requested", agent, "1T09:00:00"),
                    event("e3", "chat_started", CHROME, "2T08:00:00"),
                ])
            };
            let would_be = if after == "human" { CHROME } else { HEADLESS };
            app.events(story("twin", would_be)).await;
            app.events(story("lead", before)).await;
            assert_ne!(standing(app, "lead").await, standing(app, "twin").await);

            let answer = decide(app, "lead", "e2", after).await;

            assert_eq!(answer.status, 201, "{answer:?}");
            app.advance(TimeDelta::days(2));
            app.run_due().await;
            assert_eq!(standing(app, "lead").await, standing(app, "twin").await);
            assert_eq!(verdicts(app, "lead").await[2], format!("e2 {after} Ann: we called them"));
        })
        .await;
    }
}

#[tokio::test]
async fn a_verdict_and_the_way_back_leave_nothing_of_it() {
    run(async |app| {
        let lead = json!({"user_id": "u1", "email": "ann@acme.example"});
        app.events(json!([
            {"id": "i", "type": "identify", "lead": lead, "traits": {"title": "Director"}},
            {"id": "a", "type": "page_viewed", "lead": lead, "occurred_at": "2026-02-20T08:00:00Z"},
            {"id": "b", "type": "chat_started", "lead": lead, "occurred_at": "2026-03-01T08:00:00Z"},
            {"id": "c", "type": "email_subscribed", "lead": lead, "occurred_at": "2026-02-25T08:00:00Z"},
        ]))
        .await;
        let whole = async || {
            let mut lead = app.only_lead().await;
            let id = lead["id"].as_str().unwrap().to_owned();
            lead["updated_at"] = Value::Null;
            (lead, app.get(&format!("/v1/leads/{id}/score")).await.json())
        };
        let before = whole().await;
        let shown =
            ["score", "raw", "next_change_at", "last_activity_at", "consent"].map(|field| &before.0[field]);
        assert!(shown.iter().all(|value| !value.is_null()), "{shown:?}");

        assert_eq!(decide(app, "u1", "b", "machine").await.status, 201);
        let between = whole().await;
        assert_eq!(decide(app, "u1", "b", "human").await.status, 201);

        for field in ["score", "raw", "last_activity_at"] {
            assert_ne!(between.0[field], before.0[field], "{field}");
        }
        assert_eq!(between.0["consent"], before.0["consent"]);
        assert_eq!(whole().await, before);
    })
    .await;
}

#[tokio::test]
async fn a_verdict_takes_the_points_of_an_unsubscription_back_and_not_the_refusal() {
    run(async |app| {
        app.events(of_mail("a", "email_unsubscribed", "08:30:00", json!({}))).await;
        assert_eq!(raw(app, "ann@").await, -15_000);

        decide(app, "ann@", "a", "machine").await;

        assert_eq!(raw(app, "ann@").await, 0);
        assert_eq!(app.lead("ann@").await["consent"]["channels"]["email"]["state"], "withdrawn");
        let suppressed = app.pages("/v1/suppressions").await;
        assert_eq!((suppressed.len(), &suppressed[0]["email"]), (1, &json!("ann@acme.example")));
    })
    .await;
}

#[tokio::test]
async fn a_verdict_is_an_event_with_author_and_reason() {
    run(async |app| {
        app.events(look("e1", &json!({"user_agent": HEADLESS}))).await;
        let lead = app.only_lead().await["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/leads/{lead}/events/e1/verdict");
        let body = json!({"verdict": "human", "reason": "our own test", "author": "Ann"}).to_string();
        let headers = [("content-type", "application/json"), ("idempotency-key", "k1")];

        let answer = app.post_with(&path, &headers, body.clone()).await;

        assert_eq!(answer.status, 201, "{answer:?}");
        let said = json!({"event_id": "e1", "verdict": "human", "reason": "our own test", "author": "Ann"});
        let answer = answer.json();
        assert_eq!((&answer["type"], &answer["properties"]), (&json!("verdict_changed"), &said));
        assert_eq!(answer["lead"]["raw"], 10_000);
        let timeline = app.pages(&format!("/v1/leads/{lead}/timeline")).await;
        assert!(timeline.iter().any(|entry| entry["data"]["properties"] == said), "{timeline:?}");
        assert_eq!(app.post_with(&path, &headers, body).await.status, 200, "the same call is the same event");
        let other = json!({"verdict": "machine", "reason": "no"}).to_string();
        assert_eq!(app.post_with(&path, &headers, other).await.problem(), "conflict");
        assert_eq!(app.only_lead().await["raw"], 10_000);
    })
    .await;
}

#[tokio::test]
async fn a_verdict_on_what_nobody_did_is_refused() {
    run(async |app| {
        app.events(look("e1", &json!({}))).await;
        let lead = app.only_lead().await["id"].as_str().unwrap().to_owned();
        let body = json!({"points": 5, "reason": "r"}).to_string();
        let adjusted = app.post(&format!("/v1/leads/{lead}/adjustments"), body).await.json();
        let verdict = json!({"verdict": "machine", "reason": "r"}).to_string();
        let path = |event: &str| format!("/v1/leads/{lead}/events/{event}/verdict");

        let of_decision = app.post(&path(adjusted["id"].as_str().unwrap()), verdict.clone()).await;
        let of_none = app.post(&path("e2"), verdict.clone()).await;
        let robot = app.post(&path("e1"), json!({"verdict": "robot", "reason": "r"}).to_string()).await;

        assert_eq!(of_decision.problem(), "invalid_request");
        assert_eq!(of_none.problem(), "not_found");
        assert_eq!(robot.problem(), "invalid_request");
        let reader = app.key_with(&["read", "ingest"]).await;
        assert_eq!(app.call("POST", &path("e1"), Some(&reader), verdict).await.problem(), "missing_scope");
        assert_eq!(raw(app, "u1").await, 15_000);
    })
    .await;
}

#[tokio::test]
async fn what_a_person_says_holds_against_every_sign_and_the_later_of_two_holds() {
    run(async |app| {
        app.events(json!([delivered("08:59:30"), click("a", "08:59:50", "a")])).await;

        decide(app, "ann@", "a", "human").await;
        assert_eq!(raw(app, "ann@").await, 3_000, "it no longer waits");
        app.events(click("b", "08:59:51", "b")).await;

        let held = verdicts(app, "ann@").await;
        assert_eq!(held[1..3], ["a human Ann: we called them", "b machine several_links"], "{held:?}");
        app.advance(TimeDelta::minutes(1));
        decide(app, "ann@", "a", "machine").await;
        assert_eq!(raw(app, "ann@").await, 0);
        app.advance(TimeDelta::minutes(1));
        decide(app, "ann@", "a", "suspect").await;
        assert_eq!(raw(app, "ann@").await, 3_000);
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn a_verdict_finds_an_event_of_an_identity_that_has_joined() {
    run(async |app| {
        let seen = json!({"id": "e1", "type": "page_viewed", "lead": {"anonymous_id": "d1"},
            "properties": {"path": "/pricing"}, "context": {"user_agent": HEADLESS}});
        let joined = json!({"id": "i", "type": "identify", "lead": {"anonymous_id": "d1", "user_id": "u1"}});
        app.events(json!([seen, joined])).await;
        assert_eq!(raw(app, "u1").await, 0);

        decide(app, "u1", "e1", "human").await;

        assert_eq!(raw(app, "u1").await, 10_000);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_to_be_contacted_holds_whoever_is_thought_to_have_said_it() {
    run(async |app| {
        let refuses = json!({"id": "e1", "type": "do_not_contact_requested", "lead": {"user_id": "u1"},
            "context": {"user_agent": "Googlebot/2.1"}});

        app.events(refuses).await;
        let answer = decide(app, "u1", "e1", "machine").await;

        assert_eq!(answer.problem(), "invalid_request");
        assert_eq!(app.lead("u1").await["consent"]["do_not_contact"], true);
    })
    .await;
}
