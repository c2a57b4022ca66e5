//! Pixels that are fetched and links that are followed.

use axum::{body::Body, http::Request};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{fetch, known, links, logged, path};
use crate::harness::{TestApp, run};

/// Follows a link with a program of this name, or of none.
async fn follow(app: &TestApp, link: &Value, agent: Option<&str>) {
    let mut request = Request::get(path(link));
    if let Some(agent) = agent {
        request = request.header("user-agent", agent);
    }
    assert_eq!(app.send(request.body(Body::empty()).unwrap()).await.status, 302);
    app.app.links.idle().await;
}

/// `verdict reason` of each click, oldest first.
async fn judged(app: &TestApp) -> Vec<String> {
    let rows = sqlx::query_scalar(
        "select concat_ws(' ', verdict, verdict_reason) from event where type = 'email_clicked' order by received_at, id",
    );
    rows.fetch_all(&mut app.database.connect().await).await.unwrap()
}

#[tokio::test]
async fn a_pixel_that_is_fetched_is_an_open_of_the_mail() {
    run(async |app| {
        let lead = known(app).await;
        let links = links(app).await;
        let pixel = path(&links["open_url"]);
        assert!(pixel.starts_with("/o/") && pixel.rsplit('.').next() == Some("gif"), "{pixel}");

        let answer = fetch(app, "GET", pixel).await;

        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "image/gif");
        assert_eq!(answer.headers["cache-control"], "no-store, private");
        assert!(answer.body.starts_with(b"GIF89a") && answer.body.ends_with(b";"));
        let [(properties, context)] = &logged(app, "email_opened").await[..] else { panic!("one open") };
        assert_eq!(*properties, json!({"message_id": "welcome-1", "provider": "leadscore"}));
        assert_eq!(*context, Some(json!({"user_agent": "Mozilla/5.0 (X11) Mail"})));
        let events = app.get(&format!("/v1/leads/{}/events", lead["id"].as_str().unwrap())).await.json();
        assert!(events["data"].as_array().unwrap().iter().any(|event| event["type"] == "email_opened"));
    })
    .await;
}

#[tokio::test]
async fn a_pixel_is_a_picture_whatever_the_token_and_counts_once_a_second() {
    run(async |app| {
        known(app).await;
        let links = links(app).await;
        let pixel = path(&links["open_url"]);
        let click = path(&links["links"][0]["click_url"]).replace("/c/", "/o/");

        let mut bodies = Vec::new();
        let nothing = ["/o", "/o/", "/o/a/", "/o/a/b", "/o/x.gif", "/o/x", "/o/%ff.gif"];
        for path in nothing.into_iter().chain([click.as_str(), &pixel.replace("/o/A", "/o/B")]) {
            let answer = fetch(app, "GET", path).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.headers["content-type"]),
                (200, &"image/gif".parse().unwrap()),
                "{path}"
            );
            bodies.push(answer.body);
        }
        assert!(bodies.iter().all(|body| *body == bodies[0] && body.starts_with(b"GIF89a")));
        assert_eq!(fetch(app, "HEAD", pixel).await.status, 200);
        assert_eq!(logged(app, "email_opened").await.len(), 0);

        fetch(app, "GET", pixel).await;
        fetch(app, "GET", pixel).await;
        assert_eq!(logged(app, "email_opened").await.len(), 1, "fetched twice at once");
        app.advance(TimeDelta::seconds(1));
        fetch(app, "GET", pixel).await;
        assert_eq!(logged(app, "email_opened").await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_link_leads_on_and_counts_a_click() {
    run(async |app| {
        known(app).await;
        let links = links(app).await;

        let answer = fetch(app, "GET", path(&links["links"][0]["click_url"])).await;
        fetch(app, "GET", path(&links["links"][1]["click_url"])).await;
        app.advance(TimeDelta::seconds(1));
        let head = fetch(app, "HEAD", path(&links["links"][1]["click_url"])).await;

        assert_eq!((answer.status.as_u16(), head.status.as_u16()), (302, 302));
        assert_eq!(answer.headers["location"], "https://acme.example/pricing?a=1#top");
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
        let clicks: Vec<Value> = logged(app, "email_clicked").await.into_iter().map(|(said, _)| said).collect();
        let first = json!({"message_id": "welcome-1", "provider": "leadscore", "url": "https://acme.example/pricing?a=1#top"});
        assert_eq!(clicks.len(), 2, "a HEAD is not counted: {clicks:?}");
        assert!(clicks.contains(&first), "{clicks:?}");
        assert!(clicks.iter().any(|click| click["honeypot"] == true), "{clicks:?}");
    })
    .await;
}

#[tokio::test]
async fn who_follows_a_link_without_saying_what_it_is_is_suspect() {
    run(async |app| {
        known(app).await;
        let links = links(app).await;

        for agent in [None, Some(""), Some("  "), Some("Mozilla/5.0")] {
            app.advance(TimeDelta::seconds(1));
            follow(app, &links["links"][0]["click_url"], agent).await;
        }

        assert_eq!(judged(app).await, ["suspect no_agent", "suspect no_agent", "suspect no_agent", "human"]);
        app.advance(TimeDelta::minutes(2));
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn a_program_that_looks_ahead_does_not_stand_for_the_person_who_follows() {
    run(async |app| {
        known(app).await;
        let links = links(app).await;

        for agent in
            ["Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.4266; Pro)", "Mozilla/5.0 (X11)"]
        {
            follow(app, &links["links"][0]["click_url"], Some(agent)).await;
        }

        let mut judged = judged(app).await;
        judged.sort();
        assert_eq!(judged, ["human", "machine prefetch"], "in one second");
    })
    .await;
}

#[tokio::test]
async fn nobody_is_led_where_no_key_has_said() {
    run(async |app| {
        known(app).await;
        let links = links(app).await;
        let click = path(&links["links"][0]["click_url"]).to_owned();
        let token = click.strip_prefix("/c/").unwrap();
        let middle = token.len() / 2;
        let other = if token.as_bytes()[middle] == b'A' { "B" } else { "A" };
        let bent = format!("/c/{}{other}{}", &token[..middle], &token[middle + 1..]);
        let pixel = path(&links["open_url"]).replace("/o/", "/c/").replace(".gif", "");
        let unsubscribe = path(&links["unsubscribe_url"]).replace("/u/", "/c/");

        for path in [
            bent.as_str(),
            pixel.as_str(),
            unsubscribe.as_str(),
            format!("{click}x").as_str(),
            &click[..click.len() - 1],
            "/c/https:%2F%2Fevil.example",
            "/c/x?url=https://evil.example",
        ] {
            let answer = fetch(app, "GET", path).await;
            assert_eq!(answer.status, 404, "{path}: {answer:?}");
            assert_eq!(answer.headers.get("location"), None, "{path}");
            assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
        }
        let answer =
            fetch(app, "GET", &format!("{click}?url=https://evil.example&next=//evil.example")).await;
        assert_eq!(answer.headers["location"], "https://acme.example/pricing?a=1#top");
        assert_eq!(logged(app, "email_clicked").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_redirect_waits_for_no_database() {
    run(async |app| {
        known(app).await;
        let links = links(app).await;
        let click = path(&links["links"][0]["click_url"]);
        let second = app.second_instance().await;
        fetch(&second, "GET", click).await;
        second.app.db.close().await;
        let request = Request::get(click).body(Body::empty()).unwrap();

        let answer = second.send(request).await;

        assert_eq!(answer.status, 302);
        second.app.shut_down().await;
        assert_eq!(logged(app, "email_clicked").await.len(), 1, "the first");
    })
    .await;
}
