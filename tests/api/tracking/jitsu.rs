//! Jitsu's SDK: paths of its own, and the key in a header of its own.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use serde_json::{Value, json};

use super::{fields, log, only_event, taken};
use crate::harness::{Answer, TestApp, WRITE, run};

/// Posts as the SDK does: its key is an id and a secret, and masked in the body.
async fn post(app: &TestApp, path: &str, key: &str, message: &Value) -> Answer {
    let mut message = message.clone();
    message["writeKey"] = json!("wk_test:***");
    let request = Request::post(path)
        .header("Content-Type", "application/json")
        .header("X-Write-Key", format!("{key}:anything"));
    app.send(request.body(Body::from(message.to_string())).expect("a request")).await
}

#[tokio::test]
async fn the_path_names_the_call_from_pages_and_from_servers() {
    run(async |app| {
        let message = json!({"event": "Demo Requested", "userId": "u1", "previousId": "d1", "groupId": "g1"});
        let mut expected = Vec::new();
        for (call, kind) in [
            ("identify", "identify"),
            ("track", "demo_requested"),
            ("page", "page_viewed"),
            ("screen", "screen_viewed"),
            ("group", "group"),
            ("alias", "alias"),
        ] {
            for path in [format!("/api/s/{call}"), format!("/api/s/{call}/"), format!("/api/s/s2s/{call}")] {
                let mut message = message.clone();
                message["messageId"] = json!(path);

                assert_eq!(taken(&post(app, &path, WRITE, &message).await)["accepted"], 1, "{path}");
                expected.push(json!([path, kind]));
            }
        }

        expected.sort_by_key(Value::to_string);
        assert_eq!(fields(&log(app).await, &["id", "type"]), Value::Array(expected));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_key_is_refused_though_anything_may_stand_behind_its_colon() {
    run(async |app| {
        let answer = post(app, "/api/s/track", "wk_test_no_such_key_at_all", &json!({"event": "x"})).await;

        assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::UNAUTHORIZED, "unauthorized"));
    })
    .await;
}

#[tokio::test]
async fn a_page_is_named_among_its_properties() {
    run(async |app| {
        let message = json!({
            "type": "page", "anonymousId": "d1", "properties": {"name": "Pricing", "path": "/pricing"},
            "timestamp": "2026-03-02T09:00:00.000Z", "sentAt": "2026-03-02T09:00:00.000Z"
        });

        taken(&post(app, "/api/s/page", WRITE, &message).await);

        let event = only_event(app).await;
        assert_eq!([&event["name"], &event["properties"]["path"]], ["Pricing", "/pricing"]);
    })
    .await;
}
