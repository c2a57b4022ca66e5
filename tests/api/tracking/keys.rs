//! The key, wherever a client puts it.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};

use super::{basic, log, taken};
use crate::harness::{ADMIN, Answer, TestApp, WRITE, run};

fn visit(id: &str) -> Value {
    json!({"type": "page", "messageId": id, "anonymousId": "d1"})
}

/// Posts without any key but those that are given.
async fn bare(app: &TestApp, uri: &str, headers: &[(&str, String)], body: &Value) -> Answer {
    let mut request = Request::post(uri);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    app.send(request.body(Body::from(body.to_string())).expect("a request")).await
}

async fn with_header(app: &TestApp, name: &str, value: String) -> Answer {
    bare(app, "/v1/batch", &[(name, value)], &json!({"batch": [visit("m1")]})).await
}

#[tokio::test]
async fn the_key_is_a_user_name_without_password() {
    run(async |app| {
        let answer = with_header(app, "authorization", basic(WRITE)).await;

        assert_eq!(taken(&answer)["accepted"], 1);
    })
    .await;
}

#[tokio::test]
async fn the_key_is_a_bearer_token() {
    run(async |app| {
        let answer = with_header(app, "authorization", format!("Bearer {WRITE}")).await;

        assert_eq!(taken(&answer)["accepted"], 1);
    })
    .await;
}

#[tokio::test]
async fn the_key_is_a_header_of_its_own_with_anything_behind_a_colon() {
    run(async |app| {
        let answer = with_header(app, "x-write-key", format!("{WRITE}:secret")).await;

        assert_eq!(taken(&answer)["accepted"], 1);
    })
    .await;
}

#[tokio::test]
async fn the_key_is_in_the_address() {
    run(async |app| {
        let uri = format!("/beacon/v1/batch?writeKey={WRITE}");

        let answer = bare(app, &uri, &[], &json!({"batch": [visit("m1")]})).await;

        assert_eq!(taken(&answer)["accepted"], 1);
    })
    .await;
}

#[tokio::test]
async fn the_key_is_in_the_body_of_a_batch_or_of_one_message() {
    run(async |app| {
        let batch = json!({"batch": [visit("m1")], "writeKey": WRITE});
        let mut one = visit("m2");
        one["writeKey"] = json!(WRITE);

        let answers = [bare(app, "/v1/b", &[], &batch).await, bare(app, "/v1/p", &[], &one).await];

        assert_eq!(answers.each_ref().map(|answer| taken(answer)["accepted"].clone()), [1, 1]);
        assert!(!log(app).await.iter().any(|event| event.to_string().contains(WRITE)), "no key in the log");
    })
    .await;
}

#[tokio::test]
async fn a_header_wins_over_the_address_and_that_over_the_body() {
    run(async |app| {
        // Jitsu masks the key in the body.
        let masked = json!({"batch": [visit("m1")], "writeKey": "wk_test:***"});
        let header = [("x-write-key", format!("{WRITE}:secret"))];
        let uri = format!("/v1/batch?writeKey={WRITE}");
        let wrong = [("authorization", basic("wk_test_no_such_key_at_all"))];
        let right = json!({"batch": [visit("m2")], "writeKey": WRITE});

        assert_eq!(taken(&bare(app, "/v1/batch?writeKey=wk_no", &header, &masked).await)["accepted"], 1);
        assert_eq!(taken(&bare(app, &uri, &[], &masked).await)["duplicates"], 1);
        assert_eq!(bare(app, &uri, &wrong, &right).await.status, StatusCode::UNAUTHORIZED);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_key_and_none_are_refused_in_a_form_that_sdks_read() {
    run(async |app| {
        let none = bare(app, "/v1/batch", &[], &json!({"batch": [visit("m1")]})).await;
        let wrong = with_header(app, "authorization", basic("wk_test_no_such_key_at_all")).await;

        for answer in [none, wrong] {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.problem(), "unauthorized");
            assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
        }
        assert!(log(app).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn leads_are_named_on_request_to_a_key_that_may_read() {
    run(async |app| {
        let batch = json!({"batch": [{"type": "track", "event": "Trial Started", "userId": "u1"}]});
        let (reader, writer) = ([("authorization", basic(ADMIN))], [("authorization", basic(WRITE))]);

        let named = bare(app, "/v1/batch?return=leads", &reader, &batch).await;
        let not_named = bare(app, "/v1/batch?return=leads", &writer, &batch).await;

        assert_eq!(taken(&named)["leads"][0]["score"], 20);
        assert_eq!(taken(&not_named).get("leads"), None);
    })
    .await;
}

#[tokio::test]
async fn a_place_that_is_left_empty_hides_no_key() {
    run(async |app| {
        let batch = json!({"batch": [visit("m1")], "writeKey": WRITE});

        let answer = bare(app, "/v1/batch?writeKey=", &[("authorization", basic(""))], &batch).await;

        assert_eq!(taken(&answer)["accepted"], 1);
    })
    .await;
}
