//! Who stops being an MQL, and who comes back from being recycled.

use chrono::TimeDelta;
use serde_json::json;

use super::{event, fit_director, passages, stage};
use crate::harness::{
    does,
    models::{publish, visits},
    run,
    sales::{act, answered, mql, open},
};

#[tokio::test]
async fn who_falls_too_low_leaves_after_the_dwell_and_not_before() {
    run(async |app| {
        app.events(json!([fit_director(), event("e1", "trial_started"), event("e2", "email_subscribed")]))
            .await;
        assert_eq!(stage(app).await, "mql");

        app.events(event("e3", "email_unsubscribed")).await;
        assert_eq!(stage(app).await, "mql", "50 is above the 45 at which one leaves");
        app.events(event("e4", "review_negative")).await;
        assert_eq!(stage(app).await, "mql", "40 is too low, but the dwell is a day");

        app.advance(TimeDelta::days(1) - TimeDelta::microseconds(1));
        app.run_due().await;
        assert_eq!(stage(app).await, "mql");
        app.advance(TimeDelta::microseconds(1));
        app.run_due().await;

        assert_eq!(passages(app).await, ["lead > mql: threshold (1, 65)", "mql > lead: score_fell (1, 40)"]);
    })
    .await;
}

#[tokio::test]
async fn who_is_an_mql_already_and_then_raises_a_hand_does_not_leave_by_score_either() {
    run(async |app| {
        app.events(json!([fit_director(), event("e1", "trial_started"), event("e2", "email_subscribed")]))
            .await;
        app.advance(TimeDelta::hours(1));
        app.events(event("e3", "demo_requested")).await;

        app.events(json!([event("e4", "complaint_received"), event("e5", "review_negative")])).await;
        app.advance(TimeDelta::days(300));
        app.run_due().await;

        let lead = app.only_lead().await;
        assert!(lead["score"].as_i64().unwrap() < 45, "{lead}");
        assert_eq!((&lead["stage"], &lead["cycle"]), (&json!("mql"), &json!(1)));
    })
    .await;
}

#[tokio::test]
async fn a_score_that_recovers_within_the_dwell_stays() {
    run(async |app| {
        app.events(json!([fit_director(), event("e1", "trial_started"), event("e2", "email_subscribed")]))
            .await;
        app.events(json!([event("e3", "email_unsubscribed"), event("e4", "review_negative")])).await;
        app.advance(TimeDelta::hours(20));

        app.events(json!([event("e5", "chat_started"), event("e6", "content_downloaded")])).await;

        app.advance(TimeDelta::hours(20));
        app.run_due().await;
        assert_eq!(stage(app).await, "mql");
    })
    .await;
}

#[tokio::test]
async fn points_fade_without_an_event_and_only_due_leads_are_woken() {
    run(async |app| {
        app.events(json!([
            {"id": "e1", "type": "page_viewed", "lead": {"user_id": "u1"}, "properties": {"path": "/pricing"}},
            {"id": "e2", "type": "email_subscribed", "lead": {"user_id": "u2"}},
        ]))
        .await;
        app.advance(TimeDelta::days(7));

        let woken = app.run_due().await;

        assert_eq!(woken, 1, "the pricing page fades after a week, the newsletter does not");
        assert_eq!(app.lead("u1").await["raw"], 7_500);
    })
    .await;
}

#[tokio::test]
async fn who_is_recycled_waits_for_the_cooldown_and_is_looked_at_at_its_very_end() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        answered(app, &open(app, &lead).await, "recycle", json!({"rep": "ana"})).await;
        app.advance(TimeDelta::days(29));
        act(app, "u1", "hand", "contact_sales_requested").await;
        assert_eq!(stage(app).await, "recycled", "not even by asking");
        app.advance(TimeDelta::days(1) - TimeDelta::microseconds(1));
        app.run_due().await;
        assert_eq!(stage(app).await, "recycled");

        app.advance(TimeDelta::microseconds(1));
        assert!(app.run_due().await >= 1);

        let kept = passages(app).await;
        assert!(kept[1].starts_with("mql > recycled: recycled (1, "), "{kept:?}");
        assert!(kept[2].starts_with("recycled > mql: hand_raise (2, "), "{kept:?}");
    })
    .await;
}

#[tokio::test]
async fn who_is_recycled_and_does_nothing_stays_so_however_high_the_score() {
    run(async |app| {
        publish(app, &visits(20)).await;
        for n in 0..3 {
            act(app, "u1", &format!("v{n}"), "page_viewed").await;
        }
        let lead = app.lead("u1").await["id"].as_str().unwrap().to_owned();
        answered(app, &open(app, &lead).await, "recycle", json!({})).await;
        let adjust = json!({"points": 30, "reason": "r"});
        does(app, "POST", &format!("/v1/leads/{lead}/adjustments"), adjust).await;

        app.advance(TimeDelta::days(60));
        app.run_due().await;

        let lead = app.only_lead().await;
        assert_eq!((&lead["stage"], &lead["score"]), (&json!("recycled"), &json!(90)));
        act(app, "u1", "back", "chat_started").await;
        assert_eq!(stage(app).await, "mql");
    })
    .await;
}
