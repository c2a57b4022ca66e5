//! Ids, and traits of the person whom a message names.

use serde_json::json;

use super::{fields, log, only_event, take};
use crate::harness::run;

#[tokio::test]
async fn null_and_empty_ids_are_absent_and_numbers_are_text() {
    run(async |app| {
        let batch = json!({"batch": [
            {"type": "track", "event": "One", "messageId": 1, "userId": null, "anonymousId": "d1"},
            {"type": "track", "event": "Two", "messageId": 2, "userId": "", "anonymousId": 42},
            {"type": "track", "event": "Three", "messageId": 3, "userId": 12345, "anonymousId": null},
        ]});

        take(app, "/v1/batch", &batch).await;

        assert_eq!(
            fields(&log(app).await, &["id", "who"]),
            json!([["1", "anonymous_id:d1"], ["2", "anonymous_id:42"], ["3", "user_id:12345"]])
        );
    })
    .await;
}

#[tokio::test]
async fn a_number_of_up_to_512_digits_is_an_id_however_large_it_is() {
    run(async |app| {
        let message = |user: &str| format!(r#"{{"type": "track", "event": "One", "userId": {user}}}"#);
        let digits = ["9".repeat(308), "9".repeat(309), "9".repeat(512), "9".repeat(513)];
        let users: Vec<&str> = digits.iter().map(String::as_str).chain(["-1e400", "1e99999"]).collect();
        let messages: Vec<String> = users.iter().map(|user| message(user)).collect();

        let answer = app.post("/v1/batch", format!(r#"{{"batch": [{}]}}"#, messages.join(","))).await.json();

        let refused = answer["rejected"].as_array().unwrap();
        let refused: Vec<_> = refused.iter().map(|one| (&one["index"], &one["code"])).collect();
        assert_eq!(
            refused,
            [(&json!(3), &json!("invalid_number")), (&json!(5), &json!("invalid_number"))],
            "{answer}"
        );
        let known = format!("-1{}", "0".repeat(400));
        let who = [&digits[0], &digits[1], &digits[2], &known].map(|user| json!([format!("user_id:{user}")]));
        let mut logged = fields(&log(app).await, &["who"]).as_array().unwrap().clone();
        logged.sort_by_key(|one| who.iter().position(|known| known == one));
        assert_eq!(logged, who);
    })
    .await;
}

#[tokio::test]
async fn a_number_too_large_for_a_float_is_refused_where_it_is_no_id() {
    run(async |app| {
        let large = "9".repeat(400);
        let message = format!(
            r#"{{"type": "track", "event": "One", "userId": {large}, "properties": {{"n": {large}}}}}"#
        );

        let answer = app.post("/v1/batch", format!(r#"{{"batch": [{message}]}}"#)).await.json();

        assert_eq!(answer["rejected"][0]["code"], "invalid_json", "{answer}");
    })
    .await;
}

#[tokio::test]
async fn what_a_stranger_saw_counts_for_the_lead_that_identifies() {
    run(async |app| {
        take(app, "/v1/p", &json!({"anonymousId": "d1", "properties": {"path": "/pricing"}})).await;

        take(app, "/v1/i", &json!({"anonymousId": "d1", "userId": "u1", "traits": {"email": "Jane@Acme.example", "title": "Director"}})).await;

        let lead = app.only_lead().await;
        assert_eq!([&lead["user_id"], &lead["email"], &lead["stage"]], ["u1", "jane@acme.example", "lead"]);
        assert_eq!([&lead["fit"], &lead["engagement"]], [20_000, 10_000]);
    })
    .await;
}

#[tokio::test]
async fn traits_that_stand_only_in_the_context_are_taken_too() {
    run(async |app| {
        // RudderStack's python SDK.
        let traits = json!({"email": "jane@acme.example", "title": "Director"});

        take(app, "/v1/identify", &json!({"userId": "u1", "context": {"traits": traits}})).await;

        let lead = app.only_lead().await;
        assert_eq!([&lead["email"], &lead["profile"]["title"]], ["jane@acme.example", "Director"]);
    })
    .await;
}

#[tokio::test]
async fn a_group_is_the_persons_company_and_takes_none_of_the_persons_traits() {
    run(async |app| {
        // RudderStack's browser SDK repeats the person's traits in the context of every message.
        let message = json!({
            "userId": "u1", "groupId": 7, "traits": {"name": "Acme", "industry": "Software", "employees": 200},
            "context": {"traits": {"name": "Jane", "email": "jane@acme.example", "title": "Director"}}
        });

        take(app, "/v1/group", &message).await;

        let event = only_event(app).await;
        let company = json!({"id": "7", "name": "Acme", "industry": "Software", "employees": 200});
        assert_eq!((&event["name"], &event["traits"]), (&json!("Acme"), &json!({"company": company})));
        assert_eq!(event["properties"], json!({"group_id": "7"}));
        assert_eq!(app.only_lead().await["fit"], 20_000, "15 for its size, 5 for its industry");
    })
    .await;
}
