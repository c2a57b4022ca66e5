//! From lead to MQL and back, by score and by a raised hand.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{TestApp, run};

/// 40 of fit and 20 of engagement by the default model: exactly `enter`, but for engagement.
fn fit_director() -> Value {
    json!({"id": "fit", "type": "identify", "lead": {"user_id": "u1"},
        "traits": {"title": "Director", "phone": "+1 555 0100", "company": {"employees": 200}}})
}

fn event(id: &str, kind: &str) -> Value {
    json!({"id": id, "type": kind, "lead": {"user_id": "u1"}})
}

async fn stage(app: &TestApp) -> String {
    app.only_lead().await["stage"].as_str().unwrap().to_owned()
}

/// `from > to: cause (cycle, score)` of every passage, in order.
async fn passages(app: &TestApp) -> Vec<String> {
    sqlx::query_scalar(
        "select from_stage || ' > ' || to_stage || ': ' || cause || ' (' || cycle || ', ' || score || ')'
        from transition order by at, id",
    )
    .fetch_all(&mut app.database.connect().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_lead_that_reaches_the_thresholds_becomes_an_mql_with_the_event() {
    run(async |app| {
        app.events(json!([fit_director(), event("e1", "trial_started")])).await;
        assert_eq!(stage(app).await, "lead", "60 points, but only 20 of engagement");

        let answer = app.events(event("e2", "email_subscribed")).await;

        assert_eq!(answer["leads"][0]["stage"], "mql");
        assert_eq!(passages(app).await, ["lead > mql: threshold (1, 65)"]);
    })
    .await;
}

#[tokio::test]
async fn a_raised_hand_makes_an_mql_whatever_the_score() {
    run(async |app| {
        app.events(event("e1", "contact_sales_requested")).await;

        assert_eq!(passages(app).await, ["lead > mql: hand_raise (1, 30)"]);
        app.advance(TimeDelta::days(400));
        app.run_due().await;
        assert_eq!(stage(app).await, "mql", "who raised a hand does not leave by score");
    })
    .await;
}

#[tokio::test]
async fn a_stranger_does_not_become_an_mql_until_it_is_known() {
    run(async |app| {
        app.events(json!({"id": "e1", "type": "demo_requested", "lead": {"anonymous_id": "d1"}})).await;
        assert_eq!(stage(app).await, "anonymous");

        app.events(json!({"id": "e2", "type": "identify", "lead": {"anonymous_id": "d1", "email": "a@acme.example"}}))
            .await;

        assert_eq!(
            passages(app).await,
            ["anonymous > lead: identified (0, 30)", "lead > mql: hand_raise (1, 30)"]
        );
    })
    .await;
}

#[tokio::test]
async fn nobody_enters_while_asked_not_to_be_contacted() {
    run(async |app| {
        app.events(json!([
            fit_director(),
            event("e1", "trial_started"),
            event("e2", "do_not_contact_requested"),
            event("e3", "chat_started"),
            event("e4", "meeting_held"),
            event("e5", "webinar_attended"),
            event("e6", "webinar_registered"),
            event("e7", "content_downloaded"),
        ]))
        .await;
        let lead = app.only_lead().await;
        assert_eq!((&lead["stage"], &lead["consent"]["do_not_contact"]), (&json!("lead"), &json!(true)));

        app.advance(TimeDelta::hours(1));
        app.events(event("e8", "demo_requested")).await;

        assert_eq!(stage(app).await, "mql", "asking for a demo is asking to be contacted");
    })
    .await;
}

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
async fn a_second_passage_needs_something_that_the_person_did_since() {
    run(async |app| {
        app.events(json!([fit_director(), event("e1", "trial_started"), event("e2", "email_subscribed")])).await;
        let out = json!({"id": "e3", "type": "identify", "lead": {"user_id": "u1"}, "traits": {"relationship": "competitor"}});
        app.events(out).await;
        app.advance(TimeDelta::days(2));
        app.run_due().await;
        assert_eq!(stage(app).await, "lead");

        let back = json!({"id": "e4", "type": "identify", "lead": {"user_id": "u1"}, "traits": {"relationship": null}});
        app.events(back).await;
        assert_eq!(stage(app).await, "lead", "a profile edit opens nothing by itself");
        app.advance(TimeDelta::hours(1));
        app.events(event("e5", "content_downloaded")).await;

        assert_eq!(passages(app).await.last().unwrap(), "lead > mql: threshold (2, 73)");
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
async fn a_late_event_opens_a_passage_now_and_never_then() {
    run(async |app| {
        let late = json!({"id": "e1", "type": "demo_requested", "lead": {"user_id": "u1"}, "occurred_at": "2026-02-20T09:00:00Z"});

        app.events(late).await;

        let at: chrono::DateTime<chrono::Utc> =
            sqlx::query_scalar("select at from transition").fetch_one(&mut app.database.connect().await).await.unwrap();
        assert_eq!(at, app.now());
    })
    .await;
}
