//! When a key works, and when no longer.

use chrono::TimeDelta;
use serde_json::json;

use super::{create, status};
use crate::harness::{ADMIN, WRITE, run};

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
