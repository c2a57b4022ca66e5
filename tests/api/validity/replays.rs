//! What was derived when an event arrived is what a replay finds.

use serde_json::{Value, json};

use super::{derived, identify, take};
use crate::harness::{TestApp, run};

/// Has the lead read anew from its log: a device that did something joins it.
async fn replay(app: &TestApp) {
    app.events(json!({"type": "page_viewed", "lead": {"anonymous_id": "d1"}})).await;
    app.events(json!({"type": "identify", "lead": {"user_id": "u1", "anonymous_id": "d1"}})).await;
}

#[tokio::test]
async fn the_lists_are_asked_once_and_a_replay_finds_what_they_said_then() {
    run(async |app| {
        identify(app, "2026-03-01T01:00:00Z", json!({"email": "x@mailinator.com"})).await;
        // As if the event had come to an older release, whose lists did not know the domain yet.
        sqlx::query("update event set traits = jsonb_set(traits, '{derived,email_kind}', '\"work\"')")
            .execute(&mut app.database.connect().await)
            .await
            .unwrap();

        replay(app).await;
        assert_eq!(derived(app).await["email_kind"], "work");

        let said = json!({"user_id": "u1", "email": "x@mailinator.com"});
        let told = take(app, "POST", "/v1/leads", said.clone()).await;
        assert_eq!(
            (&told["status"], &told["profile"]["derived"]["email_kind"]),
            (&json!("updated"), &json!("disposable"))
        );
        assert_eq!(take(app, "POST", "/v1/leads", said).await["status"], "unchanged");
    })
    .await;
}

#[tokio::test]
async fn a_merge_and_its_undoing_derive_nothing_anew() {
    run(async |app| {
        identify(app, "2026-03-01T01:00:00Z", json!({"email": "jane@acme.example"})).await;
        let one = app.only_lead().await;
        app.events(
            json!({"type": "identify", "lead": {"user_id": "u2"}, "occurred_at": "2026-03-01T02:00:00Z",
            "traits": {"email": "x@mailinator.com", "phone": "+1 555 0100"}}),
        )
        .await;
        let two = app.lead("u2").await;
        let path = |lead: &Value| format!("/v1/leads/{}", lead["id"].as_str().unwrap());
        let said = json!({"lead_id": two["id"], "reason": "one person", "author": "ann"});

        take(app, "POST", &format!("{}/merge", path(&one)), said.clone()).await;

        let merged = app.get(&path(&one)).await.json();
        assert_eq!(
            merged["profile"]["derived"],
            json!({"email_valid": true, "email_domain": "mailinator.com", "email_kind": "disposable",
                "phone_valid": true, "company_domain": "acme.example"})
        );
        take(app, "POST", &format!("{}/unmerge", path(&one)), said).await;
        for before in [one, two] {
            assert_eq!(app.get(&path(&before)).await.json()["profile"], before["profile"]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_supposition_derives_as_an_arrival_would() {
    run(async |app| {
        identify(app, "2026-03-01T01:00:00Z", json!({"email": "jane@acme.example", "title": "Director"}))
            .await;
        let path = format!("/v1/leads/{}/score/what-if", app.only_lead().await["id"].as_str().unwrap());
        let fit = async |body: Value| take(app, "POST", &path, body).await["fit"].clone();
        let suspect = json!({"email": "x@mailinator.com", "derived": {"email_kind": "work"}});

        assert_eq!(fit(json!({"traits": suspect})).await, -10_000);
        assert_eq!(fit(json!({"events": [{"type": "identify", "traits": suspect}]})).await, -10_000);
        assert_eq!(fit(json!({"traits": {"email": null}})).await, 20_000);
        assert_eq!(fit(json!({"traits": {"phone": "0000000"}})).await, 10_000, "takes ten, gives none");
    })
    .await;
}

#[tokio::test]
async fn who_computes_without_a_lead_states_what_was_derived() {
    run(async |app| {
        let model = app.get("/v1/models").await.json()["data"][0]["id"].clone();
        let fit = async |profile: Value, traits: Value| {
            let events = json!([{"type": "identify", "occurred_at": "2026-03-01T09:00:00Z", "traits": traits}]);
            let body = json!({"model": model, "profile": profile, "events": events, "as_of": "2026-03-02T09:00:00Z"});
            take(app, "POST", "/v1/models/evaluate", body).await["fit"].clone()
        };

        assert_eq!(fit(json!({"derived": {"email_kind": "disposable"}}), json!({})).await, -30_000);
        assert_eq!(fit(json!({}), json!({"derived": {"email_kind": "disposable"}})).await, -30_000);
        assert_eq!(fit(json!({}), json!({"email": "x@mailinator.com"})).await, 0, "no list is asked");
    })
    .await;
}
