//! What a browser asks before it lets a page's script send, and see the answer.

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use serde_json::json;

use super::post;
use crate::harness::{Answer, TestApp, run};

const PAGE: &str = "https://www.acme.example";

async fn preflight(app: &TestApp, path: &str, headers: &str) -> Answer {
    let request = Request::options(path)
        .header(header::ORIGIN, PAGE)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, headers);
    app.send(request.body(Body::empty()).expect("a request")).await
}

fn assert_lets_in(headers: &HeaderMap) {
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], PAGE);
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
    assert!(headers.get_all(header::VARY).iter().any(|vary| vary.as_bytes().starts_with(b"origin")));
}

#[tokio::test]
async fn a_preflight_needs_no_key_and_is_granted_every_header() {
    run(async |app| {
        // A list of headers would break retries, and only those: they alone add these.
        let asked = "authorization,content-type,rsa-retry-attempt,rsa-retry-reason,x-retry-count";

        let answer = preflight(app, "/v1/batch", asked).await;

        assert_eq!(answer.status, StatusCode::OK);
        assert_lets_in(&answer.headers);
        assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_HEADERS], asked);
        assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_METHODS], "POST");
    })
    .await;
}

#[tokio::test]
async fn a_preflight_is_answered_on_a_path_with_a_slash_at_the_end() {
    run(async |app| {
        let answer = preflight(app, "/v1/t/", "authorization").await;

        assert_eq!(answer.status, StatusCode::OK);
        assert_lets_in(&answer.headers);
    })
    .await;
}

#[tokio::test]
async fn scripts_may_read_when_to_try_again() {
    run(async |app| {
        let request = Request::post("/v1/t").header(header::ORIGIN, PAGE);
        let message =
            json!({"writeKey": "wk_test_0123456789abcdefghij", "event": "Trial Started", "userId": "u1"});

        let answer = app.send(request.body(Body::from(message.to_string())).unwrap()).await;

        assert_eq!(answer.status, StatusCode::OK);
        assert_lets_in(&answer.headers);
        let exposed = answer.headers[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
        assert!(exposed.split(',').any(|name| name.trim() == "retry-after"), "{exposed}");
    })
    .await;
}

#[tokio::test]
async fn scripts_may_read_why_a_request_was_refused() {
    run(async |app| {
        let request = Request::post("/v1/t").header(header::ORIGIN, PAGE);

        let answer = app.send(request.body(Body::from(r#"{"writeKey": "wk_none"}"#)).unwrap()).await;

        assert_eq!(answer.problem(), "unauthorized");
        assert_lets_in(&answer.headers);
    })
    .await;
}

#[tokio::test]
async fn telemetry_of_sdks_is_taken_and_goes_nowhere() {
    run(async |app| {
        let answers = [
            post(app, "/v1/m", r#"{"series": [{"type": "Counter"}]}"#).await,
            post(app, "/v1/m/", "not even JSON").await,
        ];

        for answer in answers {
            assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"success": true})));
        }
    })
    .await;
}
