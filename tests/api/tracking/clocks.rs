//! When something happened: by the sender's clock, corrected by when it says it sent.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};

use super::{basic, only_event, take, taken};
use crate::harness::{TestApp, WRITE, run};

/// The service's clock stands at 2026-03-02T09:00:00Z.
fn demo(times: &Value) -> Value {
    let mut message = times.clone();
    (message["type"], message["event"], message["userId"]) =
        (json!("track"), json!("Demo Requested"), json!("u1"));
    message
}

async fn occurred(app: &TestApp) -> Value {
    only_event(app).await["at"].clone()
}

#[tokio::test]
async fn the_time_of_sending_on_the_batch_corrects_the_clock() {
    run(async |app| {
        // A clock that is a year ahead: sent ten minutes after it happened.
        let batch = json!({
            "batch": [demo(&json!({"timestamp": "2027-03-02T08:50:00.000Z"}))],
            "sentAt": "2027-03-02T09:00:00.000Z"
        });

        take(app, "/v1/batch", &batch).await;

        assert_eq!(occurred(app).await, "2026-03-02T08:50:00+00:00");
    })
    .await;
}

#[tokio::test]
async fn the_time_of_sending_on_the_message_corrects_the_clock() {
    run(async |app| {
        let message = demo(&json!({
            "originalTimestamp": "2025-03-02T08:50:00.000Z", "sentAt": "2025-03-02T09:00:00.000Z"
        }));

        take(app, "/v1/t", &message).await;

        assert_eq!(occurred(app).await, "2026-03-02T08:50:00+00:00");
    })
    .await;
}

#[tokio::test]
async fn the_time_of_sending_in_a_header_corrects_the_clock() {
    run(async |app| {
        let message = demo(&json!({"originalTimestamp": "2027-03-02T08:50:00.000Z"}));
        let request = Request::post("/v1/track")
            .header(header::AUTHORIZATION, basic(WRITE))
            .header("SentAt", "2027-03-02T09:00:00.000Z");

        taken(&app.send(request.body(Body::from(message.to_string())).unwrap()).await);

        assert_eq!(occurred(app).await, "2026-03-02T08:50:00+00:00");
    })
    .await;
}

#[tokio::test]
async fn the_messages_own_time_of_sending_wins_over_the_batchs() {
    run(async |app| {
        let times = json!({"timestamp": "2027-03-02T08:50:00Z", "sentAt": "2027-03-02T09:00:00Z"});
        let batch = json!({"batch": [demo(&times)], "sentAt": "2027-03-02T11:00:00Z"});

        take(app, "/v1/batch", &batch).await;

        assert_eq!(occurred(app).await, "2026-03-02T08:50:00+00:00");
    })
    .await;
}

#[tokio::test]
async fn without_a_time_of_sending_the_senders_clock_is_believed() {
    run(async |app| {
        let batch =
            json!({"batch": [demo(&json!({"timestamp": "2026-03-02T08:50:00.123+00:00"}))], "sentAt": ""});

        take(app, "/v1/batch", &batch).await;

        assert_eq!(occurred(app).await, "2026-03-02T08:50:00.123+00:00");
    })
    .await;
}

#[tokio::test]
async fn a_message_without_any_time_happens_now() {
    run(async |app| {
        take(app, "/v1/t", &demo(&json!({"timestamp": null}))).await;

        assert_eq!(occurred(app).await, "2026-03-02T09:00:00+00:00");
    })
    .await;
}

#[tokio::test]
async fn what_segment_has_received_and_corrected_is_not_corrected_again() {
    run(async |app| {
        let message = demo(&json!({
            "originalTimestamp": "2027-03-02T08:50:00Z", "sentAt": "2027-03-02T09:00:00Z",
            "timestamp": "2026-03-02T08:40:00Z", "receivedAt": "2026-03-02T08:50:00Z"
        }));

        take(app, "/v1/track", &message).await;

        assert_eq!(occurred(app).await, "2026-03-02T08:40:00+00:00");
    })
    .await;
}

#[tokio::test]
async fn the_time_that_a_caller_set_wins_over_the_sdks_own() {
    run(async |app| {
        // RudderStack's SDKs keep both.
        let message = demo(&json!({
            "timestamp": "2026-01-02T09:00:00Z", "originalTimestamp": "2026-03-02T09:00:00Z", "sentAt": "2026-03-02T09:00:00Z"
        }));

        take(app, "/v1/track", &message).await;

        assert_eq!(occurred(app).await, "2026-01-02T09:00:00+00:00");
    })
    .await;
}

#[tokio::test]
async fn nothing_happens_later_than_now() {
    run(async |app| {
        let times = json!({"timestamp": "2026-03-02T09:10:00Z", "sentAt": "2026-03-02T09:00:00Z"});

        take(app, "/v1/track", &demo(&times)).await;

        assert_eq!(occurred(app).await, "2026-03-02T09:00:00+00:00");
    })
    .await;
}

#[tokio::test]
async fn a_time_of_sending_that_cannot_be_read_corrects_nothing() {
    run(async |app| {
        let batch = json!({
            "batch": [demo(&json!({"timestamp": "2026-03-02T08:50:00.000Z"}))],
            "sentAt": "Mon, 02 Mar 2026 09:00:00 GMT"
        });

        take(app, "/v1/batch", &batch).await;

        assert_eq!(occurred(app).await, "2026-03-02T08:50:00+00:00");
    })
    .await;
}
