//! What the feed of changes tells of standings.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{
    TestApp,
    models::{publish, visits},
    run,
};

/// `type data` of every change so far, but for those of stages and handoffs to sales.
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
                "lead.created {}",
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

        assert_eq!(told(app).await, ["lead.created {}", r#"lead.score_changed {"from":10,"to":20}"#]);
    })
    .await;
}

/// `lead.created` and `lead.updated` since a number of changes.
async fn described(app: &TestApp, since: usize) -> Vec<String> {
    let told = told(app).await.into_iter().skip(since);
    told.filter(|one| one.starts_with("lead.created") || one.starts_with("lead.updated")).collect()
}

fn updated(attributes: &[&str], identities: bool) -> String {
    format!("lead.updated {}", json!({"attributes": attributes, "identities": identities}))
}

#[tokio::test]
async fn it_names_the_attributes_that_have_another_value_and_never_the_values() {
    run(async |app| {
        let identify = async |at: &str, traits: Value| {
            let before = told(app).await.len();
            app.events(
                json!({"type": "identify", "occurred_at": at, "lead": {"user_id": "ann"}, "traits": traits}),
            )
            .await;
            described(app, before).await
        };
        let first =
            identify("2026-03-02T08:00:00Z", json!({"title": "VP", "company": {"name": "Acme"}})).await;
        let same = identify("2026-03-02T08:01:00Z", json!({"title": "VP"})).await;
        let older = identify("2026-03-02T07:00:00Z", json!({"title": "Intern", "city": "Oslo"})).await;
        let other = identify("2026-03-02T08:02:00Z", json!({"title": null, "seats": 5})).await;

        assert_eq!(first, ["lead.created {}"]);
        assert_eq!((same, older), (vec![], vec![updated(&["city"], false)]));
        assert_eq!(other, [updated(&["seats", "title"], false)]);
    })
    .await;
}

#[tokio::test]
async fn it_tells_of_what_is_derived_and_of_members_of_a_company() {
    run(async |app| {
        let identify = async |traits: Value| {
            let before = told(app).await.len();
            app.events(json!({"type": "identify", "lead": {"user_id": "ann"}, "traits": traits})).await;
            described(app, before).await
        };
        identify(json!({"company": {"name": "Acme", "employees": 10}})).await;

        let company = identify(json!({"company": {"name": "Acme", "employees": 20}})).await;
        let derived = identify(json!({"email": "ann@acme.example"})).await.concat();

        assert_eq!(company, [updated(&["company.employees"], false)]);
        assert!(derived.contains("\"email\"") && derived.contains("derived"), "{derived}");
    })
    .await;
}

#[tokio::test]
async fn an_upsert_is_told_of_only_where_it_says_something_new() {
    run(async |app| {
        let upsert = async |body: Value| {
            let before = told(app).await.len();
            app.post("/v1/leads", body.to_string()).await;
            described(app, before).await
        };
        let body = json!({"user_id": "ann", "traits": {"owner": "eve"}});

        assert_eq!(upsert(body.clone()).await, ["lead.created {}"]);
        assert_eq!(upsert(body).await, [""; 0]);
        assert_eq!(
            upsert(json!({"user_id": "ann", "traits": {"owner": "bob"}})).await,
            [updated(&["owner"], false)]
        );
        assert_eq!(upsert(json!({"user_id": "ann", "email": "ann@acme.example"})).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_a_merge_brings_and_its_undoing_takes_is_told_of() {
    run(async |app| {
        for (user, traits) in [("ann", json!({"title": "VP"})), ("anna", json!({"city": "Oslo"}))] {
            app.events(json!({"type": "identify", "lead": {"user_id": user}, "traits": traits})).await;
        }
        let id = async |user: &str| {
            let lead = app.get(&format!("/v1/leads/by/external_id/{user}")).await.json();
            lead["id"].as_str().unwrap().to_owned()
        };
        let (ann, anna) = (id("ann").await, id("anna").await);
        let of = async |lead: &str, since: usize| {
            let feed = app.get("/v1/changes?limit=500").await.json();
            let rows = feed["data"].as_array().unwrap().iter().skip(since);
            let rows = rows.filter(|row| row["lead_id"] == lead && row["type"] == "lead.updated");
            rows.map(|row| row["data"].clone()).collect::<Vec<_>>()
        };
        let count = async || app.get("/v1/changes?limit=500").await.json()["data"].as_array().unwrap().len();

        let before = count().await;
        let body = json!({"lead_id": anna, "reason": "one person"}).to_string();
        let merged = app.post(&format!("/v1/leads/{ann}/merge"), body.clone()).await;
        assert!(merged.status.is_success(), "{merged:?}");
        assert_eq!(of(&ann, before).await, [json!({"attributes": ["city"], "identities": true})]);

        let before = count().await;
        let parted = app.post(&format!("/v1/leads/{ann}/unmerge"), body).await;
        assert!(parted.status.is_success(), "{parted:?}");
        assert_eq!(of(&ann, before).await, [json!({"attributes": ["city"], "identities": true})]);
        assert_eq!(of(&anna, before).await, [json!({"attributes": ["city"], "identities": true})]);
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
