//! Sales accepts a handoff, or the policy does, or somebody else is given it.

use chrono::TimeDelta;
use serde_json::json;

use super::{states, told};
use crate::harness::{
    run,
    sales::{act, answered, change_terms, changes, handoffs, last_passage, mql, open, stage},
};

#[tokio::test]
async fn who_accepts_makes_the_sql_and_has_the_lead() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let handoff = open(app, &lead).await;
        app.advance(TimeDelta::hours(1));

        let accepted = answered(app, &handoff, "accept", json!({"rep": "ana", "note": "called"})).await;

        assert_eq!(
            (&accepted["state"], &accepted["rep"], &accepted["accepted_by"], &accepted["answered_by"]),
            (&json!("accepted"), &json!("ana"), &json!("ana"), &json!("ana"))
        );
        assert_eq!(
            (&accepted["note"], &accepted["accepted_at"]),
            (&json!("called"), &json!("2026-03-02T10:00:00Z"))
        );
        assert_eq!(stage(app, &lead).await, "sql");
        assert_eq!(last_passage(app).await, "mql > sql: accepted by ana");
        assert_eq!(told(app).await, ["handoff.offered open", "handoff.accepted accepted"]);
        app.advance(TimeDelta::days(400));
        app.run_due().await;
        assert_eq!(stage(app, &lead).await, "sql", "no score moves what sales has");
    })
    .await;
}

#[tokio::test]
async fn an_open_offer_may_be_given_to_somebody_else() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let handoff = open(app, &lead).await;
        answered(app, &handoff, "reassign", json!({"rep": "ana"})).await;

        let moved = answered(app, &handoff, "reassign", json!({"rep": "bob", "author": "boss"})).await;
        answered(app, &handoff, "reassign", json!({"rep": "bob"})).await;

        assert_eq!((&moved["rep"], &moved["due_at"]), (&json!("bob"), &handoff["due_at"]));
        assert_eq!(app.get("/v1/handoffs?rep=ana").await.json()["data"], json!([]));
        assert_eq!(app.get("/v1/handoffs?rep=bob").await.json()["data"][0]["id"], handoff["id"]);
        let feed = changes(app).await;
        let last = feed.last().unwrap();
        assert_eq!(
            (&last["type"], &last["data"]["from"], &last["data"]["rep"], &last["data"]["by"]),
            (&json!("handoff.reassigned"), &json!("ana"), &json!("bob"), &json!("boss"))
        );
        assert_eq!(told(app).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn very_high_intent_makes_an_sql_by_itself_if_the_policy_says_so() {
    run(async |app| {
        change_terms(app, json!({"auto_sql": {"min_score": 66}})).await;
        let lead = mql(app, "u1").await;
        assert_eq!(states(app, &lead).await, ["open"], "65 is not enough");

        act(app, "u1", "more", "chat_started").await;

        assert_eq!(
            (stage(app, &lead).await, last_passage(app).await),
            ("sql".to_owned(), "mql > sql: policy".to_owned())
        );
        let [handoff] = &handoffs(app, &lead).await[..] else { panic!("one") };
        assert_eq!((&handoff["state"], &handoff["accepted_by"]), (&json!("accepted"), &json!(null)));
        change_terms(app, json!({"auto_sql": {"min_score": 0, "hand_raise_only": true}})).await;
        let (slow, fast) = (mql(app, "u2").await, {
            act(app, "u3", "hand", "demo_requested").await;
            app.lead("u3").await["id"].as_str().unwrap().to_owned()
        });
        assert_eq!((stage(app, &slow).await, stage(app, &fast).await), ("mql".to_owned(), "sql".to_owned()));
        assert_eq!(states(app, &fast).await, ["accepted"]);
    })
    .await;
}
