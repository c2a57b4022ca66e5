//! Machines that are known by how they follow the links of a mail.

use serde_json::json;

use super::{click, delivered, of_mail, raw, verdicts};
use crate::harness::{WRITE, run};

#[tokio::test]
async fn links_of_a_mail_that_are_followed_at_once_are_followed_by_a_machine() {
    run(async |app| {
        app.events(json!([delivered("07:00:00"), click("a", "08:30:00", "a")])).await;
        assert_eq!(raw(app, "ann@").await, 3_000);

        app.events(click("b", "08:30:02", "b")).await;

        let machine = ["a machine several_links", "b machine several_links", "delivered human -"];
        assert_eq!(verdicts(app, "ann@").await, machine);
        assert_eq!(raw(app, "ann@").await, 0, "the first is taken back");

        app.events(click("c", "08:31:00", "b")).await;
        assert_eq!(verdicts(app, "ann@").await[2], "c human -");
        assert_eq!(raw(app, "ann@").await, 3_000);
    })
    .await;
}

#[tokio::test]
async fn a_link_followed_before_its_mail_came_in_is_followed_by_a_machine() {
    run(async |app| {
        app.events(click("a", "08:30:00", "a")).await;
        assert_eq!(raw(app, "ann@").await, 3_000, "nobody has said yet when the mail came in");

        app.events(delivered("08:30:30")).await;

        assert_eq!(verdicts(app, "ann@").await, ["a machine before_delivery", "delivered human -"]);
        assert_eq!(raw(app, "ann@").await, 0);
        app.events(of_mail("other", "email_delivered", "08:00:00", json!({"message_id": "m2"}))).await;
        assert_eq!(verdicts(app, "ann@").await[0], "a machine before_delivery", "another mail says nothing");
        app.events(of_mail("first", "email_delivered", "08:00:00", json!({}))).await;
        assert_eq!(verdicts(app, "ann@").await[0], "a human -", "it had come in before");
        assert_eq!(raw(app, "ann@").await, 3_000);
    })
    .await;
}

#[tokio::test]
async fn who_follows_a_hidden_link_is_a_machine_and_so_is_what_clicks_about_then() {
    run(async |app| {
        app.events(json!([click("a", "08:30:00", "a"), click("b", "08:45:00", "b")])).await;

        app.events(of_mail("trap", "email_clicked", "08:30:40", json!({"url": "x", "honeypot": true}))).await;

        assert_eq!(verdicts(app, "ann@").await, ["a machine honeypot", "b human -", "trap machine honeypot"]);
        assert_eq!(raw(app, "ann@").await, 3_000);
    })
    .await;
}

#[tokio::test]
async fn a_scanner_that_unsubscribes_costs_the_lead_no_points() {
    run(async |app| {
        let unsubscribed = |id: &str, time: &str| of_mail(id, "email_unsubscribed", time, json!({}));

        app.events(json!([click("a", "08:30:00", "a"), unsubscribed("b", "08:30:01")])).await;

        assert_eq!(verdicts(app, "ann@").await, ["a machine several_links", "b machine several_links"]);
        assert_eq!(raw(app, "ann@").await, 0);
        app.events(unsubscribed("c", "08:50:00")).await;
        assert_eq!(raw(app, "ann@").await, -15_000, "a person's does");
    })
    .await;
}

#[tokio::test]
async fn names_of_segments_mails_are_ours_too() {
    run(async |app| {
        let clicked = |id: &str, link: &str| {
            json!({"type": "track", "event": "Email Link Clicked", "messageId": id, "userId": "u1",
                "properties": {"email_id": "m1", "link_url": link}, "timestamp": "2026-03-02T08:00:00Z"})
        };
        let batch = json!({"batch": [clicked("a", "https://acme.example/a"), clicked("b", "https://acme.example/b")]});

        app.post_with(&format!("/v1/batch?writeKey={WRITE}"), &[], batch.to_string()).await;

        assert_eq!(verdicts(app, "u1").await, ["a machine several_links", "b machine several_links"]);
    })
    .await;
}
