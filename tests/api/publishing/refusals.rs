//! What is not published, and what a published version does not permit.

use serde_json::json;

use super::call;
use crate::harness::{
    ADMIN,
    models::{add, begin, publish, visit, visits},
    run,
};

#[tokio::test]
async fn a_version_whose_own_tests_fail_is_not_published() {
    run(async |app| {
        let mut document = visits(1);
        document["tests"] = json!([{"name": "a visit is worth two", "as_of": "2026-01-02T00:00:00Z",
            "events": [{"type": "page_viewed", "occurred_at": "2026-01-01T00:00:00Z"}], "expect": {"score": 2}}]);
        let id = add(app, &document).await;

        let answer = call(app, "POST", &id, "publish", "").await;

        assert_eq!(answer.problem(), "invalid_request");
        assert_eq!(
            answer.json()["errors"][0]["message"],
            "a visit is worth two: score should be 2 but is 1"
        );
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_published_says_why() {
    run(async |app| {
        let live = publish(app, &visits(1)).await;
        visit(app, "ann", 1).await;
        let under_way = begin(app, &visits(2)).await;
        let other = add(app, &visits(3)).await;
        let unknown = "01a4de95-2b41-7835-a2fd-cd4d4cf496d4";

        assert_eq!(call(app, "POST", &live, "publish", "").await.problem(), "conflict");
        let busy = call(app, "POST", &other, "publish", "").await;
        assert_eq!(busy.problem(), "conflict");
        assert!(busy.json()["message"].as_str().unwrap().contains(&under_way), "{busy:?}");
        assert_eq!(call(app, "POST", unknown, "publish", "").await.problem(), "not_found");
        assert_eq!(call(app, "POST", unknown, "rollback", "").await.problem(), "not_found");
        assert_eq!(call(app, "POST", &other, "rollback", "").await.problem(), "conflict");
        assert_eq!(call(app, "GET", &other, "progress", "").await.problem(), "not_found");
        assert_eq!(call(app, "PUT", &live, "shadow", "").await.problem(), "conflict");
        assert_eq!(call(app, "DELETE", &other, "shadow", "").await.problem(), "not_found");
        let odd = call(app, "POST", &other, "publish", r#"{"offer": true}"#).await;
        assert_eq!(odd.problem(), "invalid_request");
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn a_version_never_changes_once_leads_are_scored_by_it() {
    run(async |app| {
        visit(app, "ann", 1).await;
        let under_way = begin(app, &visits(2)).await;
        let path = format!("/v1/models/{under_way}");

        assert_eq!(app.call("PUT", &path, Some(ADMIN), visits(9).to_string()).await.problem(), "conflict");
        assert_eq!(app.call("DELETE", &path, Some(ADMIN), "").await.problem(), "conflict");
        app.run_due().await;
        assert_eq!(app.call("PUT", &path, Some(ADMIN), visits(9).to_string()).await.problem(), "conflict");
    })
    .await;
}
