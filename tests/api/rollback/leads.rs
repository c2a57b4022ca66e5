//! What a rollback does to stages, handoffs and claims.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{begin, everything, go_live, offers, roll_back, roll_back_at_once, texts};
use crate::harness::{
    ADMIN, TestApp,
    models::{add, publish, visit, visits},
    run,
};

/// The same worth of a visit as [`visits`], with other thresholds and no dwell.
fn strict(points: i64, enter: i64, leave: i64) -> Value {
    let mut document = visits(points);
    document["mql"] = json!({"enter": enter, "leave": leave});
    document
}

async fn passages(app: &TestApp) -> Vec<String> {
    texts(
        app,
        "select from_stage || ' > ' || to_stage || ': ' || cause || ' ' || cycle from transition order by seq",
    )
    .await
}

async fn stage(app: &TestApp, user: &str) -> String {
    app.lead(user).await["stage"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_rollback_that_is_repeated_under_its_key_does_not_go_forth_again() {
    run(async |app| {
        let first = publish(app, &visits(10)).await;
        let second = publish(app, &visits(20)).await;
        let path = format!("/v1/models/{second}/rollback");
        let call =
            async |key: &'static str| app.post_with(&path, &[("idempotency-key", key)], "").await.json();

        let answers = [call("k-1").await, call("k-1").await];
        app.run_due().await;

        for answer in answers {
            assert_eq!((&answer["model_id"], &answer["phase"]), (&json!(first), &json!("settling")));
        }
        assert_eq!(call("k-2").await["model_id"], json!(second), "a second step goes forth");
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn whoever_lost_mql_by_the_version_has_stage_cycle_offer_and_place_back() {
    run(async |app| {
        publish(app, &visits(10)).await;
        visit(app, "ann", 6).await;
        visit(app, "bob", 7).await;
        let before = everything(app).await;
        let strict = publish(app, &strict(10, 95, 90)).await;
        assert_eq!(stage(app, "ann").await, "lead");
        assert_eq!(offers(app).await, ["withdrawn model_change", "withdrawn model_change"]);

        roll_back(app, &strict, r#"{"offer_to_sales": true}"#).await;
        app.run_due().await;

        assert_eq!(everything(app).await, before);
        let twice = |passage: &str| [passage.to_owned(), passage.to_owned()];
        let expected = ["lead > mql: threshold 1", "mql > lead: model_change 1", "lead > mql: rollback 1"];
        assert_eq!(passages(app).await, expected.map(twice).concat());
    })
    .await;
}

#[tokio::test]
async fn whoever_gained_mql_by_the_version_has_not_and_the_offer_is_withdrawn() {
    run(async |app| {
        publish(app, &visits(1)).await;
        visit(app, "ann", 6).await;
        let before = everything(app).await;
        let new = publish(app, &visits(2)).await;
        let path = format!("/v1/models/{new}/rollback");
        app.call("POST", &path, Some(ADMIN), "").await;
        app.run_due().await;
        assert_eq!(everything(app).await, before);

        let generous = add(app, &visits(10)).await;
        go_live(app, &generous, true).await;
        assert_eq!((stage(app, "ann").await.as_str(), offers(app).await), ("mql", vec!["open".to_owned()]));
        roll_back_at_once(app, &generous).await;

        assert_eq!(everything(app).await, before);
        assert_eq!(offers(app).await, ["withdrawn rollback"]);
        assert_eq!(passages(app).await, ["lead > mql: model_change 1", "mql > lead: rollback 0"]);
        visit(app, "ann", 44).await;
        assert_eq!(app.lead("ann").await["stage"], "mql", "what comes later finds the gates as they were");
    })
    .await;
}

#[tokio::test]
async fn whoever_left_by_the_version_after_its_dwell_or_by_its_faster_decay_comes_back_too() {
    run(async |app| {
        publish(app, &visits(10)).await;
        visit(app, "ann", 6).await;
        visit(app, "bob", 9).await;
        let before = everything(app).await;
        let mut fading = visits(10);
        fading["dimensions"]["engagement"]["groups"][0]["rules"] = json!([
            {"name": "visit", "event": "page_viewed", "points": 10, "window": "2d"},
            {"name": "seven", "event": "page_viewed", "points": -6, "limit": {"count": 8}}
        ]);
        let fading = publish(app, &fading).await;

        for _ in 0..4 {
            app.advance(TimeDelta::days(1));
            app.run_due().await;
        }
        assert_eq!(passages(app).await[2..], ["mql > lead: model_change 1", "mql > lead: score_fell 1"]);
        roll_back_at_once(app, &fading).await;

        let due = |all: Vec<String>| {
            all.into_iter().map(|line| line.split(" | ").next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(due(everything(app).await), due(before));
        assert_eq!(offers(app).await, ["open", "open"]);
    })
    .await;
}

#[tokio::test]
async fn the_clock_of_an_offer_stands_still_while_it_is_withdrawn() {
    run(async |app| {
        publish(app, &visits(10)).await;
        visit(app, "ann", 6).await;
        app.advance(TimeDelta::hours(1));
        let strict = publish(app, &strict(10, 95, 90)).await;

        app.advance(TimeDelta::days(2));
        app.run_due().await;
        roll_back_at_once(app, &strict).await;

        let offer = app.get("/v1/handoffs?state=open").await.json()["data"][0].clone();
        let left =
            offer["due_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap() - app.now();
        assert_eq!(left, TimeDelta::hours(3) - TimeDelta::seconds(1), "of four hours");
        assert_eq!(offer["overdue"], false);
    })
    .await;
}

#[tokio::test]
async fn whoever_something_has_happened_to_since_stays_where_that_has_put_it() {
    run(async |app| {
        publish(app, &visits(10)).await;
        for user in ["moved", "told", "silent", "busy"] {
            visit(app, user, 6).await;
        }
        let strict = publish(app, &strict(10, 95, 90)).await;

        visit(app, "moved", 4).await;
        let told = app.lead("told").await["id"].as_str().unwrap().to_owned();
        let word = json!({"stage": "disqualified", "reason": "a student", "author": "mia"});
        assert_eq!(app.post(&format!("/v1/leads/{told}/stage"), word.to_string()).await.status, 200);
        let silent = app.lead("silent").await["id"].as_str().unwrap().to_owned();
        let word = json!({"state": "withdrawn", "reason": "said so"});
        assert_eq!(app.post(&format!("/v1/leads/{silent}/consent"), word.to_string()).await.status, 201);
        visit(app, "busy", 1).await;
        roll_back_at_once(app, &strict).await;

        let moved = app.lead("moved").await;
        assert_eq!((&moved["stage"], &moved["cycle"]), (&json!("mql"), &json!(2)), "by its visits, anew");
        assert_eq!(stage(app, "told").await, "disqualified");
        let busy = app.lead("busy").await;
        assert_eq!(
            (&busy["stage"], &busy["cycle"]),
            (&json!("mql"), &json!(1)),
            "a visit that moves nobody is no matter"
        );
        let open = app.get("/v1/handoffs?state=open").await.json();
        assert_eq!(open["data"].as_array().unwrap().len(), 2, "{open}");
    })
    .await;
}

#[tokio::test]
async fn a_claim_goes_on_through_publish_and_rollback_and_keeps_nobody_from_coming_back() {
    run(async |app| {
        publish(app, &visits(10)).await;
        for user in ["held", "called"] {
            visit(app, user, 6).await;
        }
        let mut claims = Vec::new();
        for rep in ["ann", "bob"] {
            let claim = app.post("/v1/queues/sales/next", json!({"rep": rep}).to_string()).await.json();
            claims.push(claim["id"].as_str().unwrap().to_owned());
        }
        let strict = publish(app, &strict(10, 95, 90)).await;
        let renewed = app.post(&format!("/v1/claims/{}/renew", claims[0]), "{}").await;
        assert_eq!(renewed.problem(), "claim_not_renewable");
        assert_eq!(app.post(&format!("/v1/claims/{}/complete", claims[1]), "{}").await.status, 200);

        roll_back_at_once(app, &strict).await;

        assert_eq!(
            (stage(app, "held").await, stage(app, "called").await),
            ("mql".to_owned(), "mql".to_owned())
        );
        assert_eq!(app.post(&format!("/v1/claims/{}/renew", claims[0]), "{}").await.status, 200);
        let page = app.get("/v1/queues/sales/leads").await.json();
        let kinds: Vec<&Value> =
            page["data"].as_array().unwrap().iter().map(|lead| &lead["obstacle"]["kind"]).collect();
        assert!(kinds.contains(&&json!("claimed")) && kinds.contains(&&json!("resting")), "{kinds:?}");
    })
    .await;
}

#[tokio::test]
async fn a_rollback_before_every_stage_was_looked_at_and_one_of_that_bring_back_what_each_found() {
    run(async |app| {
        publish(app, &visits(10)).await;
        for n in 0..3 {
            visit(app, &format!("u{n}"), 6).await;
        }
        let before = everything(app).await;
        let strict = add(app, &strict(10, 95, 90)).await;
        begin(app, &strict, false).await;
        while crate::harness::rebuild_next(app, 10).await.unwrap() > 0 {}
        visit_nobody(app, "u1").await;
        assert_eq!(stage(app, "u1").await, "lead", "looked at before its turn");

        roll_back(app, &strict, "").await;
        visit_nobody(app, "u1").await;
        assert_eq!(stage(app, "u1").await, "mql");
        roll_back(app, &strict, "").await;
        roll_back_at_once(app, &strict).await;

        assert_eq!(everything(app).await, before);
    })
    .await;
}

/// An event that counts for nothing.
async fn visit_nobody(app: &TestApp, user: &str) {
    app.events(json!([{"type": "looked_away", "lead": {"user_id": user}}])).await;
}
