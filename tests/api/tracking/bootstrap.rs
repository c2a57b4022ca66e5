//! What browser SDKs ask for before they send anything.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::json;

use super::basic;
use crate::harness::{Answer, TestApp, WRITE, run};

async fn ask(app: &TestApp, uri: &str) -> Answer {
    let request = Request::get(uri).header(header::ORIGIN, "https://www.acme.example");
    app.send(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn segments_browser_sdk_is_told_to_send_here_and_no_telemetry() {
    run(async |app| {
        for slash in ["", "/"] {
            let answer = ask(app, &format!("/v1/projects/{WRITE}/settings{slash}")).await;

            assert_eq!(answer.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://www.acme.example");
            assert_eq!(
                answer.json(),
                json!({
                    "integrations": {
                        "Segment.io": {"apiKey": WRITE, "apiHost": "leads.test/v1", "protocol": "http"}
                    },
                    "metrics": {"sampleRate": 0}
                })
            );
        }
    })
    .await;
}

#[tokio::test]
async fn settings_for_an_unknown_key_are_refused() {
    run(async |app| {
        let answer = ask(app, "/v1/projects/wk_test_no_such_key_at_all/settings").await;

        assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::UNAUTHORIZED, "unauthorized"));
    })
    .await;
}

#[tokio::test]
async fn rudderstacks_browser_sdk_is_told_of_one_source_and_no_other_destination() {
    run(async |app| {
        for slash in ["", "/"] {
            let request = Request::get(format!("/sourceConfig{slash}?p=npm&v=3.34.1&writeKey={WRITE}"))
                .header(header::AUTHORIZATION, basic(WRITE));

            let answer = app.send(request.body(Body::empty()).unwrap()).await;

            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            let source = &answer.json()["source"];
            assert!(
                source["id"].is_string() && source["name"].is_string() && source["workspaceId"].is_string(),
                "{source}"
            );
            assert_eq!(
                [&source["enabled"], &source["config"], &source["destinations"]],
                [&json!(true), &json!({}), &json!([])]
            );
        }
    })
    .await;
}

#[tokio::test]
async fn the_sources_key_may_stand_in_the_address_alone() {
    run(async |app| {
        let with = ask(app, &format!("/sourceConfig/?writeKey={WRITE}")).await;
        let without = ask(app, "/sourceConfig/").await;

        assert_eq!((with.status, without.status), (StatusCode::OK, StatusCode::UNAUTHORIZED));
    })
    .await;
}
