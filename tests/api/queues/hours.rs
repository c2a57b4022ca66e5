//! Leads are called when it is time to where they live.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{leads, next_user, put, traits};
use crate::harness::{TestApp, run};

/// Nine to five on weekdays, in each lead's own time zone; in Berlin for those who do not say.
fn office_hours(claims: &str) -> Value {
    json!({
        "timezone": "Europe/Berlin",
        "hours": {
            "open": [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}],
            "countries": {"US": "America/New_York"},
        },
        "claims": {"length": claims},
    })
}

/// Who is passed over, and until when.
async fn asleep(app: &TestApp) -> Vec<String> {
    let page = app.get("/v1/queues/q/leads").await.json();
    let rows = page["data"].as_array().unwrap().iter().filter(|row| row["free"] == false);
    rows.map(|row| {
        let obstacle = &row["obstacle"];
        assert_eq!(obstacle["kind"], "outside_hours");
        let said = |value: &Value| value.as_str().unwrap().to_owned();
        format!("{} {} {}", said(&row["user_id"]), said(&obstacle["timezone"]), said(&obstacle["until"]))
    })
    .collect()
}

#[tokio::test]
async fn who_is_outside_its_hours_is_passed_over_and_shown_with_the_reason() {
    run(async |app| {
        traits(app, "tokyo", json!({"timezone": "Asia/Tokyo"})).await;
        traits(app, "york", json!({"country": "us"})).await;
        traits(app, "nowhere", json!({"timezone": "Nowhere/Land"})).await;
        leads(app, &["nowhere", "york", "tokyo"]).await;
        put(app, "q", office_hours("2d")).await;

        // Monday, 10:00 in Berlin, 04:00 in New York, 18:00 in Tokyo.
        assert_eq!(
            asleep(app).await,
            ["tokyo Asia/Tokyo 2026-03-03T00:00:00Z", "york America/New_York 2026-03-02T14:00:00Z"]
        );
        assert_eq!(next_user(app, "q", "ann").await, "nowhere");
        assert_eq!(next_user(app, "q", "ann").await, "-");
        app.advance(TimeDelta::hours(5));
        assert_eq!(next_user(app, "q", "ann").await, "york");
        app.advance(TimeDelta::hours(10));
        assert_eq!(next_user(app, "q", "ann").await, "tokyo", "it is Tuesday there");
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn after_the_clocks_change_it_is_time_an_hour_earlier() {
    run(async |app| {
        leads(app, &["berlin"]).await;
        put(app, "q", office_hours("1m")).await;
        // The last Friday of winter time, five minutes to nine in Berlin.
        app.advance("2026-03-27T07:55:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap() - app.now());
        assert_eq!(next_user(app, "q", "ann").await, "-");
        app.advance(TimeDelta::minutes(5));
        assert_eq!(next_user(app, "q", "ann").await, "berlin");

        app.advance(TimeDelta::days(3) - TimeDelta::minutes(61));
        assert_eq!(next_user(app, "q", "ann").await, "-", "Monday, 08:59 in summer time");
        app.advance(TimeDelta::minutes(1));
        assert_eq!(next_user(app, "q", "ann").await, "berlin");
        app.run_due().await;
    })
    .await;
}
