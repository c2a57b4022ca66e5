//! An alias joins what was known before.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::take;
use crate::harness::run;

#[tokio::test]
async fn an_alias_joins_what_was_known_before_whether_device_or_user() {
    run(async |app| {
        let batch = json!({"batch": [
            {"type": "track", "event": "Trial Started", "userId": "old"},
            {"type": "page", "anonymousId": "d1", "properties": {"path": "/pricing"}},
            {"type": "identify", "userId": "new"},
        ]});
        take(app, "/v1/batch", &batch).await;

        take(
            app,
            "/v1/batch",
            &json!({"batch": [
                {"type": "alias", "userId": "new", "previousId": "old"},
                {"type": "alias", "userId": "new", "previousId": "d1"},
            ]}),
        )
        .await;

        let lead = app.only_lead().await;
        assert_eq!((&lead["user_id"], &lead["engagement"]), (&json!("new"), &json!(30_000)));
    })
    .await;
}

#[tokio::test]
async fn an_alias_again_changes_nothing_that_a_reader_sees() {
    run(async |app| {
        take(app, "/v1/track", &json!({"event": "Trial Started", "userId": "old"})).await;
        let alias = json!({"userId": "new", "previousId": "old", "timestamp": "2026-03-02T08:00:00Z"});
        take(app, "/v1/alias", &alias).await;
        let before = app.only_lead().await;
        app.advance(TimeDelta::seconds(5));

        let again = take(app, "/v1/alias", &alias).await;

        assert_eq!(again["duplicates"], 1);
        assert_eq!(app.only_lead().await, before);
    })
    .await;
}

#[tokio::test]
async fn an_alias_of_a_user_to_itself_changes_nothing() {
    run(async |app| {
        take(app, "/v1/track", &json!({"event": "Trial Started", "userId": "u1"})).await;
        let before = app.only_lead().await;

        take(app, "/v1/a", &json!({"userId": "u1", "previousId": "u1", "anonymousId": "d1"})).await;

        let after = app.only_lead().await;
        assert_eq!(
            [&after["id"], &after["score"], &after["user_id"]],
            [&before["id"], &before["score"], &before["user_id"]]
        );
    })
    .await;
}

/// An alias as analytics.js sends it: without a word of what the former id was.
fn alias(user: &str, former: &str, time: &str) -> Value {
    json!({"type": "alias", "userId": user, "previousId": former, "timestamp": format!("2026-03-02T{time}Z")})
}

#[tokio::test]
async fn two_users_who_are_aliases_of_one_device_stay_two() {
    run(async |app| {
        let page = |time: &str| {
            json!({"type": "page", "anonymousId": "kiosk", "properties": {"path": "/pricing"},
            "timestamp": format!("2026-03-02T{time}Z")})
        };

        let batch = json!({"batch": [page("08:00:00"), alias("u1", "kiosk", "08:10:00"), page("08:20:00"),
            alias("u2", "kiosk", "08:30:00"), page("08:40:00")]});
        take(app, "/v1/batch", &batch).await;

        let of = async |user: &str| app.get(&format!("/v1/leads/by/external_id/{user}")).await.json();
        let (one, two) = (of("u1").await, of("u2").await);
        assert_ne!(one["id"], two["id"]);
        let views = async |lead: &Value| {
            app.get(&format!("/v1/leads/{}/events?type=page_viewed", lead["id"].as_str().unwrap()))
                .await
                .json()["data"]
                .as_array()
                .unwrap()
                .len()
        };
        assert_eq!((views(&one).await, views(&two).await), (2, 1), "each has what was seen in its time");
    })
    .await;
}

#[tokio::test]
async fn a_former_user_id_joins_when_somebody_is_known_by_it_whatever_comes_first() {
    let (says, trial) = (
        alias("new", "old", "08:00:00"),
        json!({"type": "track", "event": "Trial Started", "userId": "old"}),
    );
    for order in [[&says, &trial], [&trial, &says]] {
        run(async |app| {
            for message in order {
                take(app, "/v1/batch", &json!({"batch": [message]})).await;
            }

            let lead = app.only_lead().await;
            assert_eq!((&lead["user_id"], &lead["engagement"]), (&json!("new"), &json!(20_000)));
        })
        .await;
    }
}
