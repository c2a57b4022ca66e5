//! How many MQLs a day there are to be expected.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{director, event, exactly, five, preview, talkative};
use crate::harness::run;

#[tokio::test]
async fn mqls_a_day_are_those_that_each_model_would_have_made_in_the_last_four_weeks() {
    run(async |app| {
        let almost = |user: &str| {
            json!([director(user), event(user, "chat_started"), event(user, "email_subscribed")])
        };
        let ripe = |user: &str| {
            json!([director(user), event(user, "trial_started"), event(user, "email_subscribed")])
        };
        app.events(ripe("long-ago")).await;
        app.events(almost("long-ago-almost")).await;
        app.advance(TimeDelta::days(12));
        app.run_due().await;
        app.events(ripe("r1")).await;
        app.advance(TimeDelta::days(10));
        app.run_due().await;
        for user in ["a1", "a2", "a3"] {
            app.events(almost(user)).await;
        }
        app.events(event("asks", "demo_requested")).await;
        app.advance(TimeDelta::days(17));
        app.run_due().await;
        let model = talkative(app).await;

        let preview = preview(app, &model, json!({"capacity_per_day": 0.1})).await;

        let intake = &preview["mqls_per_day"];
        assert_eq!(intake["days"], 28);
        assert_eq!(intake["live"]["leads"], exactly(2), "r1 and who asks; the other was 39 days ago");
        assert_eq!(intake["model"]["leads"], exactly(4), "three who chatted and who asks");
        assert_eq!(intake["live"]["mean"].as_f64(), Some(2.0 / 28.0));
        assert_eq!(
            (&intake["live"]["exceeds_capacity"], &intake["model"]["exceeds_capacity"]),
            (&json!(false), &json!(true))
        );
    })
    .await;
}

#[tokio::test]
async fn a_log_that_is_younger_than_four_weeks_is_counted_by_the_days_that_it_has() {
    run(async |app| {
        five(app).await;
        app.advance(TimeDelta::hours(36));
        app.run_due().await;
        let model = talkative(app).await;

        let intake = preview(app, &model, json!({})).await["mqls_per_day"].clone();

        assert_eq!((&intake["days"], &intake["live"]["mean"]), (&json!(2), &json!(1.0)));
        assert_eq!(
            (&intake["capacity_per_day"], &intake["live"]["exceeds_capacity"]),
            (&Value::Null, &Value::Null)
        );
    })
    .await;
}

#[tokio::test]
async fn who_was_a_stranger_counts_from_the_day_on_which_it_became_known() {
    run(async |app| {
        app.events(json!({"id": "e1", "type": "demo_requested", "lead": {"anonymous_id": "d1"}})).await;
        app.advance(TimeDelta::days(40));
        app.run_due().await;
        app.events(json!({"id": "e2", "type": "identify", "lead": {"anonymous_id": "d1", "email": "a@acme.example"}}))
            .await;
        app.events(json!({"id": "e3", "type": "demo_requested", "lead": {"anonymous_id": "d2"}})).await;
        let model = talkative(app).await;

        let intake = preview(app, &model, json!({})).await["mqls_per_day"].clone();

        assert_eq!(intake["live"]["leads"], exactly(1));
    })
    .await;
}
