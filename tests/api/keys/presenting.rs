//! Where a call carries its key, and what a call without the right one is told.

use axum::{
    body::Body,
    http::{Request, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{create, present, status};
use crate::harness::{WRITE, run, shown};

#[tokio::test]
async fn a_key_that_is_none_is_refused_without_asking_the_database() {
    run(async |app| {
        let elsewhere = app.second_instance().await;
        assert_eq!(status(&elsewhere, WRITE).await, 200);
        elsewhere.app.db.close().await;

        for wrong in [
            "",
            "wk_",
            "wk_test_no_such_key_at_all",
            &"x".repeat(5_000),
            "sk_€€€€€€€€",
            WRITE.trim_end_matches('j'),
        ] {
            assert_eq!(status(&elsewhere, wrong).await, 401, "{wrong}");
        }
        assert_eq!(status(&elsewhere, WRITE).await, 200, "nor does a key that is known");
        elsewhere.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn a_call_without_a_known_key_is_told_how_to_send_one() {
    run(async |app| {
        let without = app.call("GET", "/v1/leads", None, "").await;
        let unknown = app.call("GET", "/v1/leads", Some("sk_nobody_knows_this_key_at_all"), "").await;

        assert_eq!((without.status.as_u16(), unknown.status.as_u16()), (401, 401));
        assert_eq!(without.headers[header::WWW_AUTHENTICATE], "Bearer");
        assert_eq!(unknown.headers[header::WWW_AUTHENTICATE], "Bearer");
        insta::assert_snapshot!(shown(&without.json()), @r#"
        {
          "code": "unauthorized",
          "detail": "Send a key of this service as `Authorization: Bearer <key>`.",
          "message": "Send a key of this service as `Authorization: Bearer <key>`.",
          "request_id": "[id]",
          "status": 401,
          "title": "Unauthorized",
          "type": "urn:leadscore:problem:unauthorized"
        }
        "#);
    })
    .await;
}

#[tokio::test]
async fn a_key_without_the_scope_is_told_which_one_is_missing() {
    run(async |app| {
        let answer = app.call("GET", "/v1/leads", Some(WRITE), "").await;

        insta::assert_snapshot!(shown(&answer.json()), @r#"
        {
          "code": "missing_scope",
          "detail": "This call needs a key with the scope `read`.",
          "message": "This call needs a key with the scope `read`.",
          "request_id": "[id]",
          "status": 403,
          "title": "Forbidden",
          "type": "urn:leadscore:problem:missing_scope"
        }
        "#);
    })
    .await;
}

#[tokio::test]
async fn a_key_may_stand_in_bearer_or_as_the_user_name_of_basic() {
    run(async |app| {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (value, expected) in [
            (format!("Bearer {WRITE}"), 200),
            (format!("bearer   {WRITE} "), 200),
            (basic(&format!("{WRITE}:")), 200),
            (basic(&format!("{WRITE}:a password")), 200),
            (basic(WRITE), 200),
            (basic(&format!(":{WRITE}")), 401),
            (basic(&format!("{WRITE}\0")), 401),
            (basic(&"x".repeat(1024 * 1024)), 401),
            ("Basic no base64!".to_owned(), 401),
            (format!("Digest {WRITE}"), 401),
            (WRITE.to_owned(), 401),
            (format!("Bearer {}", "x".repeat(1024 * 1024)), 401),
            (String::new(), 401),
        ] {
            let answer = present(app, header::AUTHORIZATION, &value).await;
            assert_eq!(answer.status, expected, "{}", &value[..value.len().min(80)]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_in_a_body_or_query_of_the_tracking_api_may_be_anything_and_harms_nothing() {
    run(async |app| {
        for key in
            [json!("a\0b"), json!("x".repeat(1024 * 1024)), json!(7), json!(null), json!({}), json!("")]
        {
            let body = json!({"writeKey": key, "batch": []}).to_string();
            let answer = app.call("POST", "/v1/batch", None, body).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (401, "unauthorized".to_owned()));
        }
        let answer = app.call("POST", "/v1/batch?writeKey=", None, r#"{"batch":[]}"#).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (401, "unauthorized".to_owned()));
        for (method, path) in [("POST", "/v1/batch?writeKey=%00"), ("GET", "/v1/projects/%00/settings")] {
            let answer = app.call(method, path, None, r#"{"batch":[]}"#).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (400, "invalid_parameter".to_owned()));
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_with_origins_is_taken_from_those_pages_and_from_back_ends() {
    run(async |app| {
        let new = json!({"name": "website", "scopes": ["ingest"], "allowed_origins": ["https://WWW.Example.com", "http://localhost:3000"]});
        let key = create(app, &new).await.json()["key"].as_str().unwrap().to_owned();
        let from = async |origin: &str| {
            let request = Request::post("/v1/events")
                .header(header::AUTHORIZATION, format!("Bearer {key}"))
                .header(header::ORIGIN, origin);
            app.send(request.body(Body::from("[]")).unwrap()).await
        };

        assert_eq!(from("https://www.example.com").await.status, 200);
        assert_eq!(from("http://localhost:3000").await.status, 200);
        assert_eq!(status(app, &key).await, 200, "a back end sends no origin");
        for other in ["https://example.com", "http://www.example.com", "https://www.example.com.evil.test", "null"] {
            assert_eq!(from(other).await.problem(), "origin_not_allowed", "{other}");
        }
        let refused = from("https://evil.test").await;
        assert_eq!(refused.headers["access-control-allow-origin"], "https://evil.test", "so that the page can read why");
    })
    .await;
}
