//! Links of mails: opens, clicks, unsubscribing; tokens that cannot be made or bent.

use axum::{body::Body, http::Request};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{ADMIN, Answer, TestApp, run};

const JANE: &str = "jane@acme.example";
const ONE_CLICK: &str = "List-Unsubscribe=One-Click";

/// A lead with an address.
async fn known(app: &TestApp) -> Value {
    app.events(json!({"id": "i1", "type": "identify", "lead": {"user_id": "u1", "email": JANE}})).await;
    app.only_lead().await
}

async fn made(app: &TestApp, wanted: Value) -> Value {
    let answer = app.post("/v1/links", wanted.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Links of a mail to Jane.
async fn links(app: &TestApp) -> Value {
    let urls = json!([{"url": "https://acme.example/pricing?a=1#top"}, {"url": "http://acme.example/trap", "honeypot": true}]);
    made(app, json!({"email": JANE, "message_id": "welcome-1", "links": urls})).await
}

/// The path of an address of the service.
fn path(url: &Value) -> &str {
    url.as_str().unwrap().strip_prefix("http://leads.test").unwrap_or_else(|| panic!("{url}"))
}

async fn fetch(app: &TestApp, method: &str, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("user-agent", "Mozilla/5.0 (X11) Mail");
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    app.app.links.idle().await;
    answer
}

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

async fn post_form(app: &TestApp, path: &str, kind: &str, body: &str) -> Answer {
    let request = Request::post(path).header("content-type", kind);
    app.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// The events of a type, as they are in the log: properties and context.
async fn logged(app: &TestApp, kind: &str) -> Vec<(Value, Option<Value>)> {
    let rows = sqlx::query_as("select properties, context from event where type = $1 order by received_at");
    rows.bind(kind).fetch_all(&mut app.database.connect().await).await.unwrap()
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
