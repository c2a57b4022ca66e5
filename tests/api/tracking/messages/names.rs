//! Names of events, and fields that are filled up or passed over.

use serde_json::{Value, json};

use super::{fields, log, only_event, take};
use crate::harness::run;

#[tokio::test]
async fn a_name_becomes_snake_case_and_known_names_become_ours() {
    run(async |app| {
        let track =
            |event: &str| json!({"type": "track", "event": event, "userId": "u1", "messageId": event});
        let names =
            ["Demo Requested", "trial_started", "Email Link Clicked", "Email Marked as Spam", "Unsubscribed"];

        take(app, "/v1/batch", &json!({"batch": names.map(track)})).await;

        let mut events = log(app).await;
        events.sort_by_key(|event| names.iter().position(|name| event["id"] == *name));
        assert_eq!(
            fields(&events, &["type", "name"]),
            json!([
                ["demo_requested", "Demo Requested"],
                ["trial_started", null],
                ["email_clicked", "Email Link Clicked"],
                ["email_complained", "Email Marked as Spam"],
                ["email_unsubscribed", "Unsubscribed"],
            ])
        );
    })
    .await;
}

#[tokio::test]
async fn a_name_in_any_script_is_taken_and_a_rule_may_name_what_comes_of_it() {
    run(async |app| {
        let names = [
            ("İletişim Formu Gönderildi", "iletişim_formu_gönderildi"),
            ("\u{2102} Viewed", "c_viewed"),
            ("\u{1f389}", "u1f389"),
            ("資料請求", "資料請求"),
        ];
        for (name, kind) in names {
            let event = json!({"userId": "u1", "event": name, "messageId": kind});
            take(app, "/v1/track", &event).await;
        }
        let long = json!({"userId": "u1", "event": "Very ".repeat(200), "messageId": "z"});
        take(app, "/v1/track", &long).await;

        let mut events = log(app).await;
        events.sort_by_key(|event| {
            names.iter().position(|(_, kind)| event["id"] == *kind).unwrap_or(names.len())
        });
        for ((name, kind), event) in names.iter().zip(&events) {
            assert_eq!(event["type"], *kind, "{name}");
            assert_eq!(event["name"].as_str().unwrap_or(kind), *name);
        }
        assert_eq!(events.len(), names.len() + 1);
        assert!(events[names.len()]["type"].as_str().unwrap().starts_with("very_very_"));
        let rule = |kind: &str| format!("          - {{name: {kind}, event: {kind}, points: 1}}\n");
        let rules: String = names.iter().map(|(_, kind)| rule(kind)).collect();
        let first = "          - name: pricing page\n";
        let model = leadscore::models::DEFAULT_DOCUMENT.replace(first, &format!("{rules}{first}"));
        let yaml = [("content-type", "application/yaml")];
        let report = app.post_with("/v1/models/check", &yaml, model.clone()).await.json();
        assert!(model.contains("event: u1f389") && report["errors"] == json!([]), "{report}");
        assert!(!report.to_string().contains("not_snake_case"), "{report}");
    })
    .await;
}

#[tokio::test]
async fn an_address_is_taken_apart_as_browsers_do_it() {
    run(async |app| {
        let url = "https://b\u{fc}cher.example/our \"new\" <prices>?q=a b&utm_source=spring sale&bad=%ff";
        let page = json!({"userId": "u1", "properties": {"url": url}});

        take(app, "/v1/page", &page).await;

        let seen = only_event(app).await["properties"].clone();
        assert_eq!([&seen["path"], &seen["utm_source"]], ["/our%20%22new%22%20%3Cprices%3E", "spring sale"]);
        assert_eq!(seen["url"], url, "what was said stays as it was said");
    })
    .await;
}

#[tokio::test]
async fn a_page_is_filled_up_from_its_context_and_its_address() {
    run(async |app| {
        let page = json!({"url": "https://acme.example/pricing?utm_source=google&utm_term=a+b", "title": "Prices", "referrer": null});
        let message = json!({
            "anonymousId": "d1", "name": "Pricing", "category": "Docs",
            "context": {"page": page, "campaign": {"name": "spring", "source": "news"}}
        });

        take(app, "/v1/page", &message).await;

        assert_eq!(
            only_event(app).await["properties"],
            json!({
                "name": "Pricing", "category": "Docs", "title": "Prices", "path": "/pricing",
                "url": "https://acme.example/pricing?utm_source=google&utm_term=a+b",
                "utm_campaign": "spring", "utm_source": "news", "utm_term": "a b"
            })
        );
    })
    .await;
}

#[tokio::test]
async fn fields_that_are_not_ours_are_passed_over() {
    run(async |app| {
        let message = json!({
            "type": "track", "event": "Trial Started", "userId": "u1", "channel": "server", "version": 2,
            "integrations": {"All": false}, "_metadata": {"bundled": []}, "anything": [1, {"deep": true}]
        });

        let answer = take(app, "/v1/track", &message).await;

        assert_eq!(answer["accepted"], 1);
        assert_eq!(only_event(app).await["context"], Value::Null);
    })
    .await;
}
