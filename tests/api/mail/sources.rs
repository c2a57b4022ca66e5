//! Mail sources: made, listed, deleted; their secrets are never shown.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{provider, send, source};
use crate::harness::run;

const ALL: [&str; 6] = ["sendgrid", "mailgun", "postmark", "ses", "resend", "brevo"];

#[tokio::test]
async fn a_source_is_listed_without_its_address_and_secrets() {
    run(async |app| {
        let mut paths = Vec::new();
        for name in ALL {
            paths.push(source(app, &provider(name).1).await);
            app.advance(TimeDelta::milliseconds(1));
        }

        let listed = app.pages("/v1/mail-sources?limit=4").await;

        let providers: Vec<&str> = listed.iter().map(|one| one["provider"].as_str().unwrap()).collect();
        assert_eq!(providers, ALL);
        assert_eq!(listed[0]["name"], "Marketing");
        for one in &listed {
            let fields: Vec<&String> = one.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["created_at", "id", "name", "provider"]);
        }
        let stored: Vec<String> = sqlx::query_scalar("select row_to_json(s)::text from mail_source s")
            .fetch_all(&mut app.database.connect().await)
            .await
            .unwrap();
        for path in paths {
            let token = path.rsplit_once('/').unwrap().1;
            assert!(token.len() == 32 && !stored.iter().any(|row| row.contains(token)), "{token}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_deleted_source_takes_nothing_and_keeps_no_secret() {
    run(async |app| {
        let (recordings, wanted) = provider("postmark");
        let path = source(app, &wanted).await;
        let id = app.pages("/v1/mail-sources").await[0]["id"].as_str().unwrap().to_owned();

        let deleted =
            app.call("DELETE", &format!("/v1/mail-sources/{id}"), Some(crate::harness::ADMIN), "").await;

        assert_eq!(deleted.status, 204);
        assert_eq!(send(app, &path, &recordings.case("click_event")).await.status, 403);
        assert_eq!(app.pages("/v1/mail-sources").await, Vec::<Value>::new());
        assert_eq!(app.count("mail_source where verification::text like '%s3cret%'").await, 0);
        let again =
            app.call("DELETE", &format!("/v1/mail-sources/{id}"), Some(crate::harness::ADMIN), "").await;
        assert_eq!(again.problem(), "not_found");
    })
    .await;
}

#[tokio::test]
async fn a_source_that_could_not_be_verified_is_not_made() {
    run(async |app| {
        let refused = [
            (json!({"provider": "sendgrid"}), "/public_key"),
            (json!({"provider": "sendgrid", "public_key": "abc"}), "/public_key"),
            (json!({"provider": "mailgun", "signing_key": " "}), "/signing_key"),
            (json!({"provider": "resend", "secret": "abc"}), "/secret"),
            (json!({"provider": "ses"}), "/topic_arns"),
            (json!({"provider": "ses", "topic_arns": ["https://sns.example"]}), "/topic_arns"),
            (json!({"provider": "ses", "topic_arns": ["arn:aws:sns:x:1:y"], "certificates": ["abc"]}), "/certificates"),
            (json!({"provider": "postmark", "basic": {"username": "a:b", "password": "c"}}), "/basic"),
            (json!({"provider": "brevo", "header": {"name": "a b", "value": "c"}}), "/header"),
            (
                json!({"provider": "brevo", "basic": {"username": "a", "password": "b"}, "header": {"name": "a", "value": "c"}}),
                "/header",
            ),
            (json!({"provider": "brevo", "secret": "whsec_AAAA"}), "/secret"),
        ];
        for (mut wanted, pointer) in refused {
            wanted["name"] = json!("Marketing");
            let answer = app.post("/v1/mail-sources", wanted.to_string()).await;
            assert_eq!(answer.problem(), "invalid_request", "{wanted}");
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{wanted}");
        }
        let bare = json!({"provider": "postmark", "name": "The address is the secret"});
        assert_eq!(app.post("/v1/mail-sources", bare.to_string()).await.status, 201);
    })
    .await;
}
