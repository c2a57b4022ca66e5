//! What every answer has, and answers outside every room.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::json;
use tower::ServiceExt;

use crate::harness::{ADMIN, run, shown};

#[tokio::test]
async fn a_request_id_that_is_given_is_echoed_and_one_is_made_otherwise() {
    run(async |app| {
        let given = Request::get("/v1/leads/nobody")
            .header(header::AUTHORIZATION, format!("Bearer {ADMIN}"))
            .header("x-request-id", "my-own-id");

        let echoed = app.send(given.body(Body::empty()).unwrap()).await;
        let made = app.get("/v1/leads/nobody").await;

        assert_eq!(
            (&echoed.headers["x-request-id"], &echoed.json()["request_id"]),
            (&"my-own-id".parse().unwrap(), &json!("my-own-id"))
        );
        let id = made.headers["x-request-id"].to_str().unwrap().to_owned();
        assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
        assert_eq!(made.json()["request_id"], id);
        for odd in [&"a".repeat(5_000), "two words", "quo\"te", ""] {
            let given = Request::get("/livez").header("x-request-id", odd);
            let answer = app.send(given.body(Body::empty()).unwrap()).await;
            let id = answer.headers["x-request-id"].to_str().unwrap();
            assert!(uuid::Uuid::parse_str(id).is_ok(), "{odd} became {id}");
        }
        assert!(app.get("/livez").await.headers.contains_key("x-request-id"), "successes have one too");
    })
    .await;
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_are_problems_too() {
    run(async |app| {
        for (method, path, status, code) in [
            ("GET", "/v1/nothing", 404, "not_found"),
            ("POST", "/", 404, "not_found"),
            ("GET", "/v1/leads/", 404, "not_found"),
            ("GET", "/v1/events", 405, "method_not_allowed"),
            ("DELETE", "/v1/leads", 405, "method_not_allowed"),
            ("PATCH", "/v1/track", 405, "method_not_allowed"),
        ] {
            let answer = app.call(method, path, None, "").await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem().as_str()),
                (status, code),
                "{method} {path}"
            );
        }
        let answer = app.call("GET", "/v1/events", None, "").await;
        assert_eq!(answer.headers[header::ALLOW], "POST");
        insta::assert_snapshot!(shown(&answer.json()), @r#"
        {
          "code": "method_not_allowed",
          "detail": "This path does not support this method. See /docs.",
          "message": "This path does not support this method. See /docs.",
          "request_id": "[id]",
          "status": 405,
          "title": "Method Not Allowed",
          "type": "urn:leadscore:problem:method_not_allowed"
        }
        "#);
    })
    .await;
}

#[tokio::test]
async fn a_body_without_a_media_type_is_asked_for_json() {
    run(async |app| {
        let answer = app.post_with("/v1/keys", &[("content-type", "text/plain")], "{}").await;

        assert_eq!((answer.status.as_u16(), answer.problem()), (415, "unsupported_media_type".to_owned()));
        assert!(answer.json()["message"].as_str().unwrap().contains("application/json"));
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_origin_may_ask_before_it_sends() {
    run(async |app| {
        let ask = Request::options("/v1/events")
            .header(header::ORIGIN, "https://shop.example")
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");

        let answer = app.router.clone().oneshot(ask.body(Body::empty()).unwrap()).await.unwrap();

        assert_eq!(answer.status(), 200);
        let headers = answer.headers();
        assert_eq!(headers["access-control-allow-origin"], "https://shop.example");
        assert_eq!(headers["access-control-allow-headers"], "authorization,content-type");
        assert_eq!(headers["access-control-allow-credentials"], "true");
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_origin_may_neither_read_nor_change_anything() {
    run(async |app| {
        for path in ["/v1/leads", "/v1/keys", "/v1/changes", "/metrics", "/openapi.yaml", "/readyz"] {
            let ask = Request::options(path)
                .header(header::ORIGIN, "https://shop.example")
                .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET");
            let read = Request::get(path)
                .header(header::ORIGIN, "https://shop.example")
                .header(header::AUTHORIZATION, format!("Bearer {ADMIN}"));
            for request in [ask, read] {
                let answer = app.send(request.body(Body::empty()).unwrap()).await;
                let allowed: Vec<_> = answer
                    .headers
                    .keys()
                    .filter(|name| name.as_str().starts_with("access-control"))
                    .collect();
                assert!(allowed.is_empty(), "{path}: {allowed:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn answers_are_kept_by_nobody_and_stand_in_no_frame() {
    run(async |app| {
        for path in ["/v1/leads", "/v1/nothing", "/livez", "/metrics", "/v1/pixel/page?data=", "/docs/"] {
            let headers = app.get(path).await.headers;

            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
            assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY", "{path}");
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
            assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("no-store"), "{path}");
        }
        let tracker = app.call("GET", "/analytics.js/v1/wk_x/analytics.min.js", None, "").await;
        assert_eq!(
            tracker.headers[header::CACHE_CONTROL],
            "public, max-age=3600",
            "it is the same for everybody"
        );
    })
    .await;
}
