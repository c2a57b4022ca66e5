//! What is refused, and how: a request as a problem document, a message by its place.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::{basic, fields, log, post, taken};
use crate::harness::{WRITE, run};

#[tokio::test]
async fn a_body_that_cannot_be_read_is_a_problem_with_code_and_message() {
    run(async |app| {
        let answer = post(app, "/v1/batch", r#"{"batch": [{"type": "track""#).await;

        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        // Without the two strings some SDKs fail over their own error path, and send again.
        assert_eq!(answer.problem(), "invalid_body");
    })
    .await;
}

#[tokio::test]
async fn neither_nothing_nor_text_is_a_message() {
    run(async |app| {
        let answers = [post(app, "/v1/t", "").await, post(app, "/v1/t", "event=x").await];

        assert_eq!(answers.map(|answer| answer.problem()), ["invalid_body", "invalid_body"]);
    })
    .await;
}

#[tokio::test]
async fn a_body_that_only_claims_to_be_compressed_is_a_problem() {
    run(async |app| {
        let request = Request::post("/v1/batch")
            .header(header::AUTHORIZATION, basic(WRITE))
            .header(header::CONTENT_ENCODING, "gzip");

        let answer = app.send(request.body(Body::from(r#"{"batch": []}"#)).unwrap()).await;

        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.problem(), "invalid_body");
    })
    .await;
}

#[tokio::test]
async fn more_messages_than_a_request_may_hold_are_too_large() {
    run(async |app| {
        let batch = format!(r#"{{"batch": [{}{{}}]}}"#, "{},".repeat(10_000));

        let answer = post(app, "/v1/batch", batch).await;

        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(answer.problem(), "too_large");
    })
    .await;
}

#[tokio::test]
async fn a_bad_message_is_reported_by_its_place_and_sinks_no_other() {
    run(async |app| {
        let long = "x".repeat(65_537);
        let batch = json!({"batch": [
            {"type": "track", "event": "First", "userId": "u1"},
            {"type": "fly", "userId": "u1"},
            {"type": "track", "userId": "u1"},
            {"type": "track", "event": "Nobody's"},
            {"type": "track", "event": "Undated", "userId": "u1", "timestamp": "yesterday"},
            {"type": "alias", "userId": "u1"},
            {"type": "track", "event": "???", "userId": "u1"},
            {"type": "track", "event": "Too long", "userId": "u1", "properties": {"x": long}},
            "not an object",
            {"type": "track", "event": "Last", "userId": "u1"},
        ]});

        let answer = taken(&post(app, "/v1/batch", batch.to_string()).await);

        assert_eq!(answer["accepted"], 2);
        let refused: &Vec<Value> = answer["rejected"].as_array().unwrap();
        assert_eq!(
            fields(refused, &["index", "code"]),
            json!([
                [1, "unknown_type"],
                [2, "missing_event"],
                [3, "missing_identity"],
                [4, "invalid_time"],
                [5, "missing_previous_id"],
                [6, "invalid_event_type"],
                [7, "event_too_large"],
                [8, "invalid_event"],
            ])
        );
        assert_eq!(fields(&log(app).await, &["name"]), json!([["First"], ["Last"]]));
    })
    .await;
}

#[tokio::test]
async fn what_has_a_call_of_its_own_cannot_be_tracked() {
    run(async |app| {
        let message = json!({"type": "track", "event": "Score Adjusted", "userId": "u1"});

        let answer = taken(&post(app, "/v1/track", message.to_string()).await);

        assert_eq!(answer["rejected"][0]["code"], "reserved_event_type");
    })
    .await;
}

#[tokio::test]
async fn bytes_that_are_no_text_sink_only_the_message_that_holds_them() {
    run(async |app| {
        let mut body =
            br#"{"batch": [{"type":"track","event":"Good","userId":"u1"},{"type":"track","event":"B"#
                .to_vec();
        body.push(0xff);
        body.extend_from_slice(br#"d","userId":"u1"}]}"#);

        let answer = taken(&post(app, "/v1/batch", body).await);

        assert_eq!(answer["accepted"], 1);
        assert_eq!(answer["rejected"][0]["code"], "invalid_utf8");
    })
    .await;
}

#[tokio::test]
async fn who_is_too_slow_is_told_to_send_again_and_loses_nothing() {
    run(async |app| {
        let begun = stream::iter([Ok::<_, std::convert::Infallible>(r#"{"batch": ["#)]);
        let stalled = Body::from_stream(begun.chain(stream::pending()));
        let impatient = app.impatient_instance().await;
        let request = Request::post("/v1/batch").header(header::AUTHORIZATION, basic(WRITE));

        let answer = impatient.send(request.body(stalled).unwrap()).await;

        // What is refused by 400, SDKs throw away.
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "overloaded")
        );
        assert_eq!(answer.headers[header::RETRY_AFTER], "1");
        impatient.app.shut_down().await;
    })
    .await;
}
