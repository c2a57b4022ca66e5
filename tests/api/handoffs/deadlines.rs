//! Handoffs that nobody answers in time, and those that end because their lead is no longer ripe.

use chrono::TimeDelta;
use serde_json::json;

use super::{states, told};
use crate::harness::{
    run,
    sales::{act, answered, change_terms, handoffs, last_passage, mql, open, stage},
};

#[tokio::test]
async fn an_offer_that_nobody_answers_in_time_is_overdue_and_that_is_told_once() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        app.advance(TimeDelta::hours(4) - TimeDelta::microseconds(1));
        app.run_due().await;
        assert_eq!((open(app, &lead).await["overdue"].clone(), told(app).await.len()), (json!(false), 1));
        assert_eq!(app.get("/v1/handoffs?overdue=true").await.json()["data"], json!([]));

        app.advance(TimeDelta::microseconds(1));
        assert_eq!(open(app, &lead).await["overdue"], true, "late at the very instant, and seen at once");
        assert_eq!(open(app, &lead).await["breached_at"], json!(null));
        app.run_due().await;
        app.advance(TimeDelta::hours(1));
        app.run_due().await;

        assert_eq!(told(app).await, ["handoff.offered open", "handoff.overdue open"]);
        let handoff = open(app, &lead).await;
        assert_eq!(handoff["breached_at"], "2026-03-02T13:00:00Z");
        assert_eq!(app.get("/v1/handoffs?overdue=true").await.json()["data"][0]["id"], handoff["id"]);
        let accepted = answered(app, &handoff, "accept", json!({})).await;
        assert_eq!(
            (&accepted["overdue"], &accepted["breached_at"]),
            (&json!(false), &handoff["breached_at"])
        );
    })
    .await;
}

#[tokio::test]
async fn an_offer_that_expires_sends_its_lead_where_the_policy_says() {
    run(async |app| {
        for (user, to) in [("u1", "recycled"), ("u2", "lead")] {
            change_terms(app, json!({"sla": null, "expires_after": "3d", "expired_to": to})).await;
            let lead = mql(app, user).await;
            assert_eq!(open(app, &lead).await["due_at"], json!(null));
            app.advance(TimeDelta::days(3) - TimeDelta::microseconds(1));
            app.run_due().await;
            assert_eq!(states(app, &lead).await, ["open"]);

            app.advance(TimeDelta::microseconds(1));
            app.run_due().await;

            assert_eq!(states(app, &lead).await, ["expired"]);
            assert_eq!(
                (stage(app, &lead).await, last_passage(app).await),
                (to.to_owned(), format!("mql > {to}: expired"))
            );
        }
        assert_eq!(told(app).await.iter().filter(|line| *line == "handoff.expired expired").count(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_offer_is_taken_back_when_its_lead_is_no_longer_ripe() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        act(app, "u1", "a", "email_unsubscribed").await;
        act(app, "u1", "b", "review_negative").await;
        app.advance(TimeDelta::days(1));

        app.run_due().await;

        let [handoff] = &handoffs(app, &lead).await[..] else { panic!("one") };
        assert_eq!((&handoff["state"], &handoff["reason"]), (&json!("withdrawn"), &json!("score_fell")));
        assert_eq!((&handoff["answered_by"], stage(app, &lead).await), (&json!(null), "lead".to_owned()));
        assert_eq!(told(app).await.last().unwrap(), "handoff.withdrawn withdrawn");
    })
    .await;
}
