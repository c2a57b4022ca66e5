//! Links are made for one recipient, and signed.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{JANE, ONE_CLICK, fetch, known, links, made, path, post_form};
use crate::harness::run;

#[tokio::test]
async fn links_are_made_for_one_recipient_and_to_web_pages_alone() {
    run(async |app| {
        let lead = known(app).await;
        let refused = async |wanted: Value| app.post("/v1/links", wanted.to_string()).await;
        for url in [
            "javascript:alert(1)",
            "ftp://acme.example",
            "/pricing",
            "//evil.example",
            "data:text/html,x",
            "https://",
        ] {
            let answer = refused(json!({"email": JANE, "message_id": "m", "links": [{"url": url}]})).await;
            assert_eq!(answer.problem(), "invalid_request", "{url}");
            assert_eq!(answer.json()["errors"][0]["pointer"], "/links/0/url", "{url}");
        }
        assert_eq!(refused(json!({"email": "nobody", "message_id": "m"})).await.problem(), "invalid_request");
        assert_eq!(
            refused(json!({"lead_id": uuid::Uuid::nil(), "message_id": "m"})).await.problem(),
            "not_found"
        );
        assert_eq!(refused(json!({"email": JANE, "message_id": ""})).await.problem(), "invalid_request");
        assert_eq!(
            refused(json!({"email": JANE, "message_id": "m".repeat(201)})).await.problem(),
            "invalid_request"
        );
        assert_eq!(refused(json!({"message_id": "m"})).await.problem(), "invalid_request");
        let both = json!({"email": JANE, "lead_id": lead["id"], "message_id": "m"});
        assert_eq!(refused(both).await.problem(), "invalid_request");

        app.events(json!({"type": "identify", "lead": {"user_id": "u1", "email": "jane@home.example"}}))
            .await;
        let several = refused(json!({"lead_id": lead["id"], "message_id": "m"})).await;
        assert_eq!(several.json()["errors"][0]["code"], "several_addresses");
    })
    .await;
}

#[tokio::test]
async fn a_mail_to_somebody_unknown_makes_no_lead_and_counts_once_it_is_one() {
    run(async |app| {
        let wanted = json!({"email": JANE, "message_id": "m", "links": [{"url": "https://acme.example/"}]});
        let links = made(app, wanted).await;

        fetch(app, "GET", path(&links["open_url"])).await;
        fetch(app, "GET", path(&links["links"][0]["click_url"])).await;
        post_form(app, path(&links["unsubscribe_url"]), "application/x-www-form-urlencoded", ONE_CLICK).await;

        assert_eq!(app.get("/v1/leads").await.json()["data"], json!([]));
        assert_eq!(app.count("event").await, 3);
        let lead = known(app).await["id"].as_str().unwrap().to_owned();
        let events = app.get(&format!("/v1/leads/{lead}/events")).await.json();
        assert_eq!(events["data"].as_array().unwrap().len(), 4, "{events}");
    })
    .await;
}

#[tokio::test]
async fn a_new_secret_leaves_older_links_working_unless_they_are_to_end() {
    run(async |app| {
        known(app).await;
        let old = links(app).await;
        let click = path(&old["links"][0]["click_url"]);
        let second = app.second_instance().await;
        assert_eq!(fetch(&second, "GET", click).await.status, 302);

        assert_eq!(app.post("/v1/links/rotate", "").await.status, 204);

        let new = links(app).await;
        let new_click = path(&new["links"][0]["click_url"]);
        assert_ne!(new_click, click);
        app.advance(TimeDelta::seconds(1));
        for instance in [app, &second] {
            assert_eq!(fetch(instance, "GET", click).await.status, 302);
            assert_eq!(fetch(instance, "GET", new_click).await.status, 302);
        }

        assert_eq!(app.post("/v1/links/rotate?end_others=true", "").await.status, 204);

        assert_eq!(fetch(app, "GET", click).await.status, 404);
        assert_eq!(fetch(app, "GET", new_click).await.status, 404);
        let newest = links(app).await;
        assert_eq!(fetch(app, "GET", path(&newest["links"][0]["click_url"])).await.status, 302);
        second.app.shut_down().await;
    })
    .await;
}
