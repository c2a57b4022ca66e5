//! Keys are made, described and listed.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::create;
use crate::harness::{run, shown};

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
async fn the_name_of_a_key_is_kept_without_the_spaces_around_it() {
    run(async |app| {
        let name = format!("{}website\n", " ".repeat(1_000));

        let made = create(app, &json!({"name": name, "scopes": ["read"]})).await;

        assert_eq!((made.status.as_u16(), &made.json()["name"]), (201, &json!("website")));
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
