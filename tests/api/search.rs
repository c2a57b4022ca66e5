//! Leads found by words: of their names, their company, their addresses and user ids.

use leadscore::{leads::jobs::MakeWords, platform::sweep};
use serde_json::{Value, json};
use sqlx::Connection;

use crate::harness::{ADMIN, TestApp, run};

async fn found(app: &TestApp, q: &str) -> String {
    let page = app.get(&format!("/v1/leads?sort=created_at&q={q}")).await.json();
    let rows = page["data"].as_array().unwrap_or_else(|| panic!("{page}"));
    let names = rows.iter().map(|lead| lead["user_id"].as_str().unwrap_or("-"));
    names.collect::<Vec<_>>().join(" ")
}

async fn describe(app: &TestApp, user: &str, traits: Value) {
    app.events(json!({"type": "identify", "lead": {"user_id": user}, "traits": traits})).await;
}

/// The words that are stored, by lead.
async fn stored(app: &TestApp) -> Vec<(uuid::Uuid, String)> {
    let mut conn = app.database.connect().await;
    let rows =
        sqlx::query_as("select lead_id, words::text from lead_words where words <> '' order by lead_id");
    let rows = rows.fetch_all(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    rows
}

/// The words of all leads, made from nothing.
async fn made_anew(app: &TestApp) -> Vec<(uuid::Uuid, String)> {
    let mut conn = app.database.connect().await;
    sqlx::query("delete from lead_words").execute(&mut conn).await.unwrap();
    sqlx::query("update lead_words_made set version = 0, last = null").execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    while sweep::run_once::<MakeWords>(&app.app.models).await.unwrap() > 0 {}
    stored(app).await
}

#[tokio::test]
async fn a_lead_is_found_by_the_beginnings_of_its_words_whatever_their_case_and_accents() {
    run(async |app| {
        describe(
            app,
            "crm-7",
            json!({"firstName": "Zoë", "lastName": "Campbell", "company": {"name": "North Cloud"}}),
        )
        .await;
        describe(app, "crm-8", json!({"name": "Bo Camp", "company": "Acme North", "title": "Zookeeper"}))
            .await;
        app.events(
            json!({"type": "identify", "lead": {"user_id": "crm-9", "email": "jane.doe@acme.example"}}),
        )
        .await;

        for (q, expected) in [
            ("Campbell", "crm-7"),
            ("camp", "crm-7 crm-8"),
            ("CAMP", "crm-7 crm-8"),
            ("north%20cloud", "crm-7"),
            ("clo%20nor", "crm-7"),
            ("north", "crm-7 crm-8"),
            ("acme", "crm-8 crm-9"),
            ("zoe", "crm-7"),
            ("zo%C3%AB", "crm-7"),
            ("z", "crm-7"),
            ("jane.doe@acme.example", "crm-9"),
            ("doe", "crm-9"),
            ("crm-8", "crm-8"),
            ("crm", "crm-7 crm-8 crm-9"),
            ("orth", ""),
            ("north%20nothing", ""),
            ("100%25", ""),
            ("%25", ""),
            ("'%5C", ""),
        ] {
            assert_eq!(found(app, q).await, expected, "{q}");
        }
    })
    .await;
}

#[tokio::test]
async fn words_follow_what_is_known_and_equal_those_made_from_nothing() {
    run(async |app| {
        describe(app, "ann", json!({"name": "Ann Archer", "company": {"name": "Acme"}})).await;
        describe(app, "eve", json!({"name": "Eve Baker"})).await;
        app.events(json!({"type": "page_viewed", "lead": {"anonymous_id": "phone"}})).await;
        app.events(json!({"type": "identify", "lead": {"anonymous_id": "phone", "user_id": "kim"}})).await;
        describe(app, "ann", json!({"name": "Ann Fletcher", "company": {"name": "Globex"}})).await;
        assert_eq!(
            (found(app, "archer").await, found(app, "fletcher").await),
            (String::new(), "ann".to_owned())
        );
        assert_eq!((found(app, "acme").await, found(app, "globex").await), (String::new(), "ann".to_owned()));
        assert_eq!(found(app, "kim").await, "kim");
        app.events(json!({"type": "identify", "lead": {"user_id": "ann", "email": "a@mail.example"}})).await;
        assert_eq!(found(app, "mail").await, "ann");
        let before = stored(app).await;
        assert_eq!(made_anew(app).await, before);

        let (ann, eve) = (app.lead("ann").await, app.lead("eve").await);
        let (ann, eve) = (ann["id"].as_str().unwrap(), eve["id"].as_str().unwrap());
        let body = json!({"lead_id": eve, "reason": "one person"}).to_string();
        assert!(app.post(&format!("/v1/leads/{ann}/merge"), body.clone()).await.status.is_success());
        assert_eq!(found(app, "eve").await, "ann");
        let merged = stored(app).await;
        assert_eq!(made_anew(app).await, merged);
        assert!(app.post(&format!("/v1/leads/{ann}/unmerge"), body).await.status.is_success());
        assert_eq!(stored(app).await, before);

        let gone = app.call("DELETE", &format!("/v1/leads/{ann}"), Some(ADMIN), "").await;
        assert!(gone.status.is_success(), "{gone:?}");
        assert_eq!(found(app, "fletcher").await, "");
        let left = stored(app).await;
        assert!(left.iter().all(|(_, words)| !words.contains("fletcher")), "{left:?}");
        assert_eq!(made_anew(app).await, left);
    })
    .await;
}

#[tokio::test]
async fn a_domain_is_found_however_it_is_written() {
    run(async |app| {
        describe(app, "mail", json!({"email": "jane@xn--mnchen-3ya.example"})).await;
        describe(app, "company", json!({"company": {"domain": "MÜNCHEN.example"}})).await;
        app.events(json!({"type": "identify", "lead": {"user_id": "named", "email": "joe@münchen.example"}}))
            .await;
        describe(app, "other", json!({"company": {"domain": "munich.example"}})).await;

        for q in [
            "m%C3%BCnchen.example",
            "M%C3%9CNCHEN.EXAMPLE",
            "munchen",
            "m%C3%BCnch",
            "xn--mnchen-3ya.example",
            "XN--MNCHEN-3YA.example",
            // In full width, with the full stop of Chinese.
            "%EF%BD%8D%C3%BC%EF%BD%8E%EF%BD%83%EF%BD%88%EF%BD%85%EF%BD%8E%E3%80%82example",
            // With a soft hyphen within.
            "m%C3%BCn%C2%ADchen",
        ] {
            assert_eq!(found(app, q).await, "mail company named", "{q}");
        }
        for q in ["xn--", "xn--99999999999", "m%D0%B0nchen", "%C3%BCnchen"] {
            assert_eq!(found(app, q).await, "", "{q}");
        }
        let before = stored(app).await;
        assert_eq!(made_anew(app).await, before);
    })
    .await;
}
