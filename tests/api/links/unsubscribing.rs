//! Unsubscribing by a link: the page, and the one click of a mail program.

use chrono::TimeDelta;
use serde_json::json;

use super::{JANE, ONE_CLICK, fetch, known, links, logged, made, path, post_form};
use crate::harness::{ADMIN, run};

#[tokio::test]
async fn looking_at_the_page_for_unsubscribing_changes_nothing() {
    run(async |app| {
        known(app).await;
        let links = links(app).await;
        let page = path(&links["unsubscribe_url"]);

        let answer = fetch(app, "GET", page).await;
        let head = fetch(app, "HEAD", page).await;

        let html = String::from_utf8(answer.body).unwrap();
        assert_eq!((answer.status.as_u16(), head.status.as_u16()), (200, 200));
        assert!(html.contains("<form method=\"post\">") && html.contains("<button>"), "{html}");
        assert!(!html.contains(JANE), "whoever checks mails need not learn the address");
        assert_eq!(logged(app, "email_unsubscribed").await.len(), 0);
        assert_eq!(fetch(app, "GET", "/u/x").await.status, 404);
        assert_eq!(post_form(app, "/u/x", "application/x-www-form-urlencoded", ONE_CLICK).await.status, 404);
        let click = path(&links["links"][0]["click_url"]).replace("/c/", "/u/");
        assert_eq!(post_form(app, &click, "application/x-www-form-urlencoded", ONE_CLICK).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn one_click_unsubscribes_in_either_encoding_and_repeating_it_changes_nothing() {
    run(async |app| {
        known(app).await;
        let links = links(app).await;
        let page = path(&links["unsubscribe_url"]);
        let multipart =
            "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";

        let first = post_form(app, page, "application/x-www-form-urlencoded", ONE_CLICK).await;

        assert_eq!(first.status, 200, "{first:?}");
        assert_eq!(first.headers.get("set-cookie"), None);
        let [(properties, _)] = &logged(app, "email_unsubscribed").await[..] else { panic!("one, at once") };
        assert_eq!(properties["message_id"], "welcome-1");
        app.advance(TimeDelta::hours(3));
        let second = post_form(app, page, "multipart/form-data; boundary=b", multipart).await;
        let button = post_form(app, page, "application/x-www-form-urlencoded", "").await;
        assert_eq!((second.status.as_u16(), button.status.as_u16()), (200, 200));
        assert_eq!(logged(app, "email_unsubscribed").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn one_click_as_multipart_alone_unsubscribes() {
    run(async |app| {
        known(app).await;
        let links = links(app).await;
        let multipart =
            "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";

        let answer =
            post_form(app, path(&links["unsubscribe_url"]), "multipart/form-data; boundary=b", multipart)
                .await;

        assert_eq!(answer.status, 200);
        assert_eq!(logged(app, "email_unsubscribed").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn whoever_subscribed_anew_can_unsubscribe_by_the_same_link() {
    run(async |app| {
        known(app).await;
        let links = links(app).await;
        let page = path(&links["unsubscribe_url"]);
        post_form(app, page, "application/x-www-form-urlencoded", ONE_CLICK).await;
        app.advance(TimeDelta::minutes(1));
        app.events(json!({"id": "s1", "type": "email_subscribed", "lead": {"user_id": "u1"}})).await;
        app.advance(TimeDelta::minutes(1));

        post_form(app, page, "application/x-www-form-urlencoded", ONE_CLICK).await;

        assert_eq!(logged(app, "email_unsubscribed").await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn whoever_unsubscribes_after_they_were_erased_is_not_written_to_when_they_come_again() {
    run(async |app| {
        let erased = known(app).await["id"].as_str().unwrap().to_owned();
        let links = links(app).await;
        let path_of = |url: &str| path(&links[url]).to_owned();
        assert_eq!(app.call("DELETE", &format!("/v1/leads/{erased}"), Some(ADMIN), "").await.status, 204);

        fetch(app, "GET", &path_of("open_url")).await;
        for _ in 0..2 {
            let page = path_of("unsubscribe_url");
            let answer = post_form(app, &page, "application/x-www-form-urlencoded", ONE_CLICK).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }

        assert_eq!(
            (app.count("event").await, app.count("identity").await),
            (0, 0),
            "nobody comes back by it"
        );
        app.advance(TimeDelta::minutes(1));
        let lead = known(app).await;
        assert_ne!(lead["id"], erased);
        assert_eq!(lead["consent"]["channels"]["email"]["state"], "withdrawn");
        let suppressed = app.pages("/v1/suppressions").await;
        assert_eq!((&suppressed[0]["email"], &suppressed[0]["state"]), (&json!(JANE), &json!("withdrawn")));
    })
    .await;
}

#[tokio::test]
async fn a_mail_has_the_two_header_lines_of_one_click() {
    run(async |app| {
        let lead = known(app).await;

        let by_lead = made(app, json!({"lead_id": lead["id"], "message_id": "m"})).await;
        let by_email = made(app, json!({"email": " Jane@ACME.example ", "message_id": "m"})).await;

        assert_eq!(by_lead, by_email);
        assert_eq!(by_lead["email"], JANE);
        assert_eq!(by_lead["links"], json!([]));
        let headers = &by_lead["headers"];
        assert_eq!(
            headers["List-Unsubscribe"],
            format!("<{}>", by_lead["unsubscribe_url"].as_str().unwrap())
        );
        assert_eq!(headers["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click");
    })
    .await;
}
