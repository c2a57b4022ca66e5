//! Who becomes an MQL, and by what.

use chrono::TimeDelta;
use serde_json::json;

use super::{event, fit_director, passages, stage};
use crate::harness::run;

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
