//! What the feed of changes tells of standings.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{
    harness::{TestApp, run},
    publishing::{publish, visits},
};

/// `type data` of every change so far, but for those of stages and offers to sales.
async fn told(app: &TestApp) -> Vec<String> {
    let feed = app.get("/v1/changes?limit=500").await;
    assert_eq!(feed.status, StatusCode::OK, "{feed:?}");
    let feed = feed.json();
    let rows = feed["data"].as_array().unwrap();
    let said = |one: &Value| format!("{} {}", one["type"].as_str().unwrap(), one["data"]);
    let of_standing = |one: &&Value| {
        let kind = one["type"].as_str().unwrap();
        kind != "lead.stage_changed" && !kind.starts_with("handoff.")
    };
    rows.iter().filter(of_standing).map(said).collect()
}

async fn visit(app: &TestApp, lead: Value) {
    app.events(json!({"type": "page_viewed", "lead": lead})).await;
}

#[tokio::test]
async fn it_tells_of_every_change_of_a_published_score_and_band_and_of_no_other_event() {
    run(async |app| {
        publish(app, &visits(25)).await;
        visit(app, json!({"user_id": "ann"})).await;
        visit(app, json!({"user_id": "ann"})).await;
        app.events(json!({"type": "email_delivered", "lead": {"user_id": "ann"}})).await;

        assert_eq!(
            told(app).await,
            [
                r#"lead.score_changed {"from":null,"to":25}"#,
                r#"lead.band_changed {"from":null,"score":25,"to":"cold"}"#,
                r#"lead.score_changed {"from":25,"to":50}"#,
                r#"lead.band_changed {"from":"cold","score":50,"to":"hot"}"#,
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn strangers_are_not_told_of_until_they_are_known() {
    run(async |app| {
        publish(app, &visits(10)).await;
        visit(app, json!({"anonymous_id": "phone"})).await;
        assert_eq!(told(app).await, [""; 0]);

        app.events(json!({"type": "identify", "lead": {"anonymous_id": "phone", "user_id": "ann"}})).await;
        visit(app, json!({"anonymous_id": "phone"})).await;

        assert_eq!(told(app).await, [r#"lead.score_changed {"from":10,"to":20}"#]);
    })
    .await;
}

#[tokio::test]
async fn it_tells_who_asked_not_to_be_contacted() {
    run(async |app| {
        visit(app, json!({"user_id": "ann"})).await;
        let before = told(app).await.len();

        app.events(json!({"type": "do_not_contact_requested", "lead": {"user_id": "ann"}})).await;

        let told = told(app).await;
        assert!(
            told[before..].contains(&r#"lead.consent_changed {"do_not_contact":true}"#.to_owned()),
            "{told:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_lead_that_became_another_is_named_with_the_one_that_goes_on() {
    run(async |app| {
        visit(app, json!({"email": "ann@acme.example"})).await;
        let gone = app.only_lead().await["id"].as_str().unwrap().to_owned();
        visit(app, json!({"user_id": "ann"})).await;

        app.events(json!({"type": "identify", "lead": {"email": "ann@acme.example", "user_id": "ann"}}))
            .await;

        let heir = app.only_lead().await["id"].as_str().unwrap().to_owned();
        let feed = app.get("/v1/changes?limit=500").await.json();
        let merged =
            feed["data"].as_array().unwrap().iter().find(|one| one["type"] == "lead.merged").unwrap();
        assert_eq!((&merged["lead_id"], &merged["data"]["into"]), (&json!(gone), &json!(heir)));
    })
    .await;
}
