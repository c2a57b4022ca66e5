//! Which of the addresses in a message names a lead.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{fields, log, only_event, take};
use crate::harness::{TestApp, run};

#[tokio::test]
async fn an_address_alone_names_a_lead() {
    run(async |app| {
        let message =
            json!({"event": "Trial Started", "context": {"traits": {"email": "jane@acme.example"}}});

        take(app, "/v1/track", &message).await;

        assert_eq!(only_event(app).await["who"], "email:jane@acme.example");
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_none_does_not_sink_what_it_came_with() {
    run(async |app| {
        take(
            app,
            "/v1/identify",
            &json!({"userId": "u1", "traits": {"email": "jane at acme", "title": "Director"}}),
        )
        .await;

        let lead = app.only_lead().await;
        assert_eq!([&lead["email"], &lead["profile"]["title"]], [&Value::Null, &json!("Director")]);
    })
    .await;
}

/// The ids by which a lead is known, as its profile page shows them.
async fn known_as(app: &TestApp, email: &str) -> Value {
    app.get(&format!("/v1/leads/by/email/{email}")).await.json()["user_id"].clone()
}

#[tokio::test]
async fn an_address_that_an_sdk_repeats_with_every_message_is_the_users() {
    run(async |app| {
        let track = |user: &str, email: &str| {
            json!({"type": "track", "event": "Trial Started", "userId": user,
            "anonymousId": "d1", "context": {"traits": {"email": email}}})
        };

        take(app, "/v1/track", &track("u1", "jane@acme.example")).await;
        for day in 0..3 {
            app.advance(TimeDelta::days(day));
            take(
                app,
                "/v1/page",
                &json!({"userId": "u1", "context": {"traits": {"email": "jane@acme.example"}}}),
            )
            .await;
        }
        take(app, "/v1/track", &track("u2", "jane@acme.example")).await;

        assert_eq!(known_as(app, "jane@acme.example").await, "u1");
        let conflicts = app.get("/v1/conflicts").await.json();
        assert_eq!(
            conflicts["data"][0]["claimant_user_id"], "u2",
            "a later claim is a conflict: {conflicts}"
        );
        assert_eq!(app.count("identity_link").await, 2, "a claim is kept once, however often it is repeated");
    })
    .await;
}

#[tokio::test]
async fn an_address_among_the_properties_counts_where_the_event_is_about_it() {
    run(async |app| {
        let track = |event: &str, user: &str| {
            json!({"type": "track", "event": event, "userId": user,
            "properties": {"email": format!("{user}@acme.example")}})
        };

        take(app, "/v1/track", &track("Signed Up", "u1")).await;
        take(app, "/v1/track", &track("Invite Sent", "u2")).await;
        let opened = json!({"event": "Email Opened", "properties": {"email": "u3@acme.example"}});
        take(app, "/v1/track", &opened).await;

        assert_eq!(known_as(app, "u1@acme.example").await, "u1");
        assert_eq!(app.get("/v1/leads/by/email/u2@acme.example").await.status, 404);
        assert_eq!(app.get("/v1/leads/by/email/u3@acme.example").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn what_happens_to_a_mail_is_of_its_address_which_is_the_users() {
    run(async |app| {
        let track = |event: &str| {
            json!({"type": "track", "event": event, "userId": "u1",
            "context": {"traits": {"email": "jane@acme.example"}}})
        };

        take(app, "/v1/track", &track("Email Link Clicked")).await;
        take(app, "/v1/track", &track("Email Bounced")).await;

        let log = log(app).await;
        assert_eq!(fields(&log, &["who"]), json!([["email:jane@acme.example"], ["email:jane@acme.example"]]));
        assert_eq!(known_as(app, "jane@acme.example").await, "u1", "and counts for the user");
        let suppressed = app.get("/v1/suppressions").await.json();
        assert_eq!(
            fields(suppressed["data"].as_array().unwrap(), &["email", "state"]),
            json!([["jane@acme.example", "bounced"]])
        );
    })
    .await;
}
