//! Keys: made, shown once, listed, revoked; where they stand in a request; and the pages that may use them.

use axum::{
    body::Body,
    http::{Request, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{ADMIN, Answer, TestApp, WRITE, run, shown};

async fn create(app: &TestApp, key: &Value) -> Answer {
    app.post("/v1/keys", key.to_string()).await
}

/// A request that asks for nothing but whether the key is known and may send events.
async fn present(app: &TestApp, header: header::HeaderName, value: &str) -> Answer {
    let request = Request::post("/v1/events").header(header, value);
    app.send(request.body(Body::from("[]")).unwrap()).await
}

async fn status(app: &TestApp, key: &str) -> u16 {
    present(app, header::AUTHORIZATION, &format!("Bearer {key}")).await.status.as_u16()
}

#[tokio::test]
async fn a_key_is_shown_once_and_only_its_hash_is_kept() {
    run(async |app| {
        let made = create(app, &json!({"name": "website", "scopes": ["ingest"]})).await;

        assert_eq!(made.status, 201);
        let key = made.json()["key"].as_str().unwrap().to_owned();
        let rows: Vec<(String, Vec<u8>)> =
            sqlx::query_as("select row_to_json(k)::text, hash from api_key k order by id")
                .fetch_all(&mut app.database.connect().await)
                .await
                .unwrap();
        assert!(rows.iter().all(|(row, _)| !row.contains(&key[3..key.len() - 4])), "{rows:?}");
        assert!(rows.iter().any(|(_, hash)| *hash == Sha256::digest(&key).to_vec()));
        let list = app.get("/v1/keys").await;
        assert!(!String::from_utf8_lossy(&list.body).contains(&key), "a list names no key");
    })
    .await;
}

#[tokio::test]
async fn a_new_key_is_described_with_everything_but_the_hash() {
    run(async |app| {
        let new =
            json!({"name": "website", "scopes": ["ingest"], "allowed_origins": ["https://www.example.com"]});

        let mut made = create(app, &new).await.json();

        assert!(made["key"].as_str().unwrap().ends_with(made["last_four"].as_str().unwrap()));
        (made["key"], made["last_four"]) = (json!("wk_…"), json!("…"));
        insta::assert_snapshot!(shown(&made), @r#"
        {
          "allowed_origins": [
            "https://www.example.com"
          ],
          "created_at": "2026-03-02T09:00:00Z",
          "id": "[id]",
          "key": "wk_…",
          "last_four": "…",
          "name": "website",
          "prefix": "wk_",
          "scopes": [
            "ingest"
          ],
          "signed": false
        }
        "#);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_only_sends_events_is_a_write_key_and_any_other_a_secret_one() {
    run(async |app| {
        for (scopes, prefix) in [
            (json!(["ingest"]), "wk_"),
            (json!(["ingest", "ingest"]), "wk_"),
            (json!(["read"]), "sk_"),
            (json!(["read_write"]), "sk_"),
            (json!(["admin"]), "sk_"),
            (json!(["ingest", "read"]), "sk_"),
        ] {
            let made = create(app, &json!({"name": "a key", "scopes": scopes})).await.json();
            assert!(made["key"].as_str().unwrap().starts_with(prefix), "{made}");
            assert_eq!(made["prefix"], prefix);
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_holds_no_colon_and_ends_in_a_checksum_of_the_rest() {
    run(async |app| {
        for _ in 0..20 {
            let key = app.key_with(&["read"]).await;

            let (body, checksum) = key["sk_".len()..].split_at(key.len() - "sk_".len() - 6);
            assert!(key["sk_".len()..].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
            let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
            let value = checksum.bytes().fold(0, |value, byte| {
                value * 62 + digits.iter().position(|digit| *digit == byte).unwrap() as u64
            });
            assert_eq!(value, u64::from(crc32fast::hash(body.as_bytes())), "{key}");
        }
    })
    .await;
}

#[tokio::test]
async fn keys_are_listed_in_pages_that_hold_each_of_them_once() {
    run(async |app| {
        for _ in 0..5 {
            app.key_with(&["read"]).await;
        }

        let all = app.get("/v1/keys").await.json();
        let paged = app.pages("/v1/keys?limit=2").await;

        assert_eq!(all["data"], json!(paged));
        assert_eq!((paged.len(), &all["has_more"], &all["next_cursor"]), (7, &json!(false), &Value::Null));
        assert_eq!(app.get("/v1/keys?limit=0").await.problem(), "invalid_parameter");
        assert_eq!(app.get("/v1/keys?cursor=bm9uc2Vuc2U").await.problem(), "invalid_cursor");
    })
    .await;
}

#[tokio::test]
async fn a_revoked_key_is_dead_at_once_here_and_within_a_second_elsewhere() {
    run(async |app| {
        let made = create(app, &json!({"name": "website", "scopes": ["ingest"]})).await.json();
        let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
        let elsewhere = app.second_instance().await;
        assert_eq!((status(app, key).await, status(&elsewhere, key).await), (200, 200));

        let revoked = app.call("DELETE", &format!("/v1/keys/{id}"), Some(ADMIN), "").await;

        assert_eq!((revoked.status.as_u16(), revoked.body.len()), (204, 0));
        assert_eq!(status(app, key).await, 401);
        app.advance(TimeDelta::seconds(1));
        assert_eq!(status(&elsewhere, key).await, 401);
        assert_eq!(app.pages("/v1/keys").await.len(), 2, "it is listed no more");
        let again = app.call("DELETE", &format!("/v1/keys/{id}"), Some(ADMIN), "").await;
        assert_eq!((again.status.as_u16(), again.problem()), (404, "not_found".to_owned()));
        elsewhere.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn a_new_key_works_at_once_elsewhere() {
    run(async |app| {
        let elsewhere = app.second_instance().await;
        assert_eq!(status(&elsewhere, WRITE).await, 200);

        let made = create(app, &json!({"name": "website", "scopes": ["ingest"]})).await.json();

        assert_eq!(status(&elsewhere, made["key"].as_str().unwrap()).await, 200);
        elsewhere.app.shut_down().await;
    })
    .await;
}

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
async fn the_call_that_makes_a_key_makes_no_second_one_when_it_is_repeated() {
    run(async |app| {
        let call = async || {
            let body = json!({"name": "website", "scopes": ["ingest"]}).to_string();
            let headers = [("content-type", "application/json"), ("idempotency-key", "terraform-7")];
            app.post_with("/v1/keys", &headers, body).await
        };
        let made = call().await.json();

        let again = call().await;

        assert_eq!((again.status.as_u16(), again.problem()), (409, "conflict".to_owned()));
        let message = again.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(made["id"].as_str().unwrap()), "{message}");
        assert!(!message.contains(made["key"].as_str().unwrap()), "{message}");
        assert_eq!(app.count("api_key").await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_signing_secret_is_never_shown_and_is_forgotten_with_its_key() {
    run(async |app| {
        let secret = "agreed-with-segment";
        let new = json!({"name": "Segment", "scopes": ["ingest"], "signing_secret": secret});
        let kept = async || -> Vec<String> {
            sqlx::query_scalar("select signing_secret from api_key where signing_secret is not null")
                .fetch_all(&mut app.database.connect().await)
                .await
                .unwrap()
        };

        let made = create(app, &new).await;
        let listed = app.get("/v1/keys").await;

        for answer in [&made, &listed] {
            assert!(!String::from_utf8_lossy(&answer.body).contains(secret), "{answer:?}");
        }
        assert_eq!(made.json()["signed"], true);
        assert_eq!(kept().await, [secret]);
        let id = made.json()["id"].as_str().unwrap().to_owned();
        app.call("DELETE", &format!("/v1/keys/{id}"), Some(ADMIN), "").await;
        assert_eq!(kept().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_key_that_cannot_be_made_is_refused_with_a_pointer_to_each_mistake() {
    run(async |app| {
        let everything = json!({"name": " ", "scopes": [], "allowed_origins": ["https://a.example/path"]});

        let answer = create(app, &everything).await;

        let pointers: Vec<Value> = answer.json()["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["pointer"].clone())
            .collect();
        assert_eq!(json!(pointers), json!(["/name", "/scopes", "/allowed_origins", "/allowed_origins"]));
        for (body, pointer) in [
            (json!({"name": "x".repeat(101), "scopes": ["read"]}), "/name"),
            (json!({"name": "a\0b", "scopes": ["read"]}), "/name"),
            (json!({"name": 7, "scopes": ["read"]}), "/name"),
            (json!({"name": "x", "scopes": ["read", "everything"]}), "/scopes/1"),
            (json!({"name": "x", "scopes": "read"}), "/scopes"),
            (
                json!({"name": "x", "scopes": ["read"], "allowed_origins": ["https://a.example"]}),
                "/allowed_origins",
            ),
            (
                json!({"name": "x", "scopes": ["ingest"], "allowed_origins": ["a.example"]}),
                "/allowed_origins",
            ),
            (
                json!({"name": "x", "scopes": ["ingest"], "allowed_origins": ["https://\0"]}),
                "/allowed_origins/0",
            ),
            (
                json!({"name": "x", "scopes": ["read"], "signing_secret": "long-enough-for-one"}),
                "/signing_secret",
            ),
            (json!({"name": "x", "scopes": ["ingest"], "signing_secret": "too-short"}), "/signing_secret"),
            (
                json!({"name": "x", "scopes": ["ingest"], "signing_secret": "with a space in it"}),
                "/signing_secret",
            ),
        ] {
            let answer = create(app, &body).await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem()),
                (422, "invalid_request".to_owned()),
                "{body}"
            );
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_field_that_a_key_does_not_have_is_refused_by_its_name() {
    run(async |app| {
        let answer = create(app, &json!({"name": "x", "scopes": ["read"], "colour": "blue"})).await;

        insta::assert_snapshot!(shown(&answer.json()), @r#"
        {
          "code": "invalid_request",
          "detail": "/colour: unknown field `colour`, expected one of `name`, `scopes`, `allowed_origins`, `signing_secret`",
          "errors": [
            {
              "code": "unknown_field",
              "message": "unknown field `colour`, expected one of `name`, `scopes`, `allowed_origins`, `signing_secret`",
              "pointer": "/colour"
            }
          ],
          "message": "/colour: unknown field `colour`, expected one of `name`, `scopes`, `allowed_origins`, `signing_secret`",
          "request_id": "[id]",
          "status": 422,
          "title": "Unprocessable Entity",
          "type": "urn:leadscore:problem:invalid_request"
        }
        "#);
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
