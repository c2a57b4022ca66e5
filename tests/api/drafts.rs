//! Versions of models in the making.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};

use crate::harness::{ADMIN, Answer, TestApp, models::document, run};

async fn put(app: &TestApp, id: &str, if_match: Option<&str>, document: &Value) -> Answer {
    let mut request = Request::put(format!("/v1/models/{id}"))
        .header(header::AUTHORIZATION, format!("Bearer {ADMIN}"))
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(tag) = if_match {
        request = request.header(header::IF_MATCH, tag);
    }
    app.send(request.body(Body::from(document.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_draft_is_the_next_version_of_its_name() {
    run(async |app| {
        let second = app.post("/v1/models", document().to_string()).await;
        let mut other = document();
        other["name"] = json!("another");
        let first = app.post("/v1/models", other.to_string()).await;

        assert_eq!((second.status.as_u16(), first.status.as_u16()), (201, 201));
        let place = second.headers[header::LOCATION].to_str().unwrap().to_owned();
        let (second, first) = (second.json(), first.json());
        assert_eq!((&second["version"], &second["state"]), (&json!(2), &json!("draft")));
        assert_eq!((&first["version"], &first["name"]), (&json!(1), &json!("another")));
        assert_eq!(app.get(&place).await.json(), second);
        assert_eq!(second["document"], document());
    })
    .await;
}

#[tokio::test]
async fn a_document_with_mistakes_is_no_draft() {
    run(async |app| {
        let mut document = document();
        document["bands"] = json!([]);

        let answer = app.post("/v1/models", document.to_string()).await;

        assert_eq!(answer.problem(), "invalid_request");
        assert_eq!(answer.json()["errors"][0]["pointer"], "/bands");
        assert_eq!(app.get("/v1/models").await.json()["data"].as_array().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_document_in_which_a_key_stands_twice_cannot_be_read() {
    run(async |app| {
        let text = document().to_string().replacen(r#""bands":"#, r#""bands":[],"bands":"#, 1);

        let answer = app.post("/v1/models", text).await;

        assert_eq!(answer.problem(), "invalid_body");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("`bands` stands twice") && !message.contains("YAML"), "{message}");
    })
    .await;
}

#[tokio::test]
async fn a_draft_changes_until_leads_are_scored_by_it() {
    run(async |app| {
        let draft = app.post("/v1/models", document().to_string()).await.json();
        let id = draft["id"].as_str().unwrap();
        let mut changed = document();
        changed["name"] = json!("renamed");

        let replaced = put(app, id, None, &changed).await;

        assert_eq!(replaced.status, 200, "{replaced:?}");
        assert_eq!(replaced.json()["document"], changed);
        assert_eq!((&replaced.json()["name"], &replaced.json()["version"]), (&json!("renamed"), &json!(1)));
        let models = app.get("/v1/models").await.json();
        let live = models["data"].as_array().unwrap().iter().find(|model| model["role"] == "live").unwrap();
        let live = live["id"].as_str().unwrap();
        assert_eq!(put(app, live, None, &changed).await.problem(), "conflict");
        assert_eq!(
            app.call("DELETE", &format!("/v1/models/{live}"), Some(ADMIN), "").await.problem(),
            "conflict"
        );
    })
    .await;
}

#[tokio::test]
async fn who_has_not_seen_the_newest_form_of_a_draft_does_not_overwrite_it() {
    run(async |app| {
        let created = app.post("/v1/models", document().to_string()).await;
        let seen = created.headers[header::ETAG].to_str().unwrap().to_owned();
        let id = created.json()["id"].as_str().unwrap().to_owned();
        let mut changed = document();
        changed["description"] = json!("by one");
        assert_eq!(put(app, &id, Some(&seen), &changed).await.status, 200);

        changed["description"] = json!("by another");
        let late = put(app, &id, Some(&seen), &changed).await;

        assert_eq!((late.status.as_u16(), late.problem().as_str()), (412, "precondition_failed"));
        assert_eq!(app.get(&format!("/v1/models/{id}")).await.json()["document"]["description"], "by one");
    })
    .await;
}

#[tokio::test]
async fn a_draft_can_be_thrown_away() {
    run(async |app| {
        let draft = app.post("/v1/models", document().to_string()).await.json();
        let path = format!("/v1/models/{}", draft["id"].as_str().unwrap());

        assert_eq!(app.call("DELETE", &path, Some(ADMIN), "").await.status, 204);

        assert_eq!(app.get(&path).await.problem(), "not_found");
        assert_eq!(app.call("DELETE", &path, Some(ADMIN), "").await.problem(), "not_found");
    })
    .await;
}

#[tokio::test]
async fn drafts_of_one_name_at_one_moment_get_different_numbers() {
    run(async |app| {
        let body = document().to_string();
        let drafts = (0..8).map(|_| app.post("/v1/models", body.clone()));
        let mut versions: Vec<i64> = futures_util::future::join_all(drafts)
            .await
            .iter()
            .map(|answer| answer.json()["version"].as_i64().unwrap())
            .collect();

        versions.sort_unstable();
        assert_eq!(versions, (2..10).collect::<Vec<_>>());
    })
    .await;
}
