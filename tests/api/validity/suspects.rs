//! A suspect sign-up waits until somebody has reached a real person.

use chrono::TimeDelta;
use serde_json::json;

use super::take;
use crate::harness::run;

#[tokio::test]
async fn a_suspect_sign_up_waits_until_sales_has_reached_a_real_person() {
    run(async |app| {
        let signed_up = json!({"email": "x@mailinator.com", "title": "Director",
            "company": {"employees": 200, "industry": "software"}});
        app.events(json!([
            {"type": "identify", "lead": {"user_id": "u1"}, "traits": signed_up},
            {"type": "page_viewed", "lead": {"user_id": "u1"}, "properties": {"path": "/pricing"}},
            {"type": "trial_started", "lead": {"user_id": "u1"}},
        ]))
        .await;
        let lead = app.only_lead().await;
        assert_eq!(
            [&lead["score"], &lead["fit"], &lead["stage"]],
            [&json!(40), &json!(10_000), &json!("lead")]
        );
        let receipt = app.get(&format!("/v1/leads/{}/score", lead["id"].as_str().unwrap())).await.json();
        let lines = receipt["receipt"]["lines"].as_array().unwrap();
        let line = lines.iter().find(|line| line["rule"] == "throw-away address").unwrap();
        assert_eq!(line["points"], -30_000);
        app.advance(TimeDelta::hours(1));

        app.events(json!({"type": "meeting_held", "lead": {"user_id": "u1"}, "traits": {"reached": true}}))
            .await;

        let lead = app.only_lead().await;
        assert_eq!(
            [&lead["score"], &lead["fit"], &lead["stage"]],
            [&json!(80), &json!(40_000), &json!("mql")]
        );
    })
    .await;
}

#[tokio::test]
async fn a_suspect_sign_up_does_not_ripen_and_is_an_mql_once_a_crm_says_that_it_was_reached() {
    run(async |app| {
        let signed_up = json!({"title": "Director", "company": {"employees": 200, "industry": "software"}});
        app.events(json!([
            {"type": "signed_up", "lead": {"user_id": "u1", "email": "x@mailinator.com"}, "traits": signed_up},
            {"type": "page_viewed", "lead": {"user_id": "u1"}, "properties": {"path": "/pricing"}},
            {"type": "trial_started", "lead": {"user_id": "u1"}},
        ]))
        .await;
        app.advance(TimeDelta::hours(2));
        app.run_due().await;
        let lead = app.only_lead().await;
        assert_eq!([&lead["score"], &lead["stage"]], [&json!(40), &json!("lead")]);

        let path = format!("/v1/leads/{}", lead["id"].as_str().unwrap());
        let reached = take(app, "PATCH", &path, json!({"traits": {"reached": true}})).await;

        assert_eq!([&reached["score"], &reached["stage"]], [&json!(70), &json!("mql")]);
    })
    .await;
}
