//! Who caused an event: what machines do is kept and never scored.

use serde_json::{Value, json};

use crate::harness::{TestApp, WRITE, run};

const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36";
const HEADLESS: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36";
const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

/// A look at the prices, which gives 10 points.
fn look(id: &str, context: &Value) -> Value {
    json!({"id": id, "type": "page_viewed", "lead": {"user_id": "u1"}, "properties": {"path": "/pricing"},
        "context": context})
}

/// `id verdict reason` of a lead's events, by id.
async fn verdicts(app: &TestApp, begins: &str) -> Vec<String> {
    let id = app.lead(begins).await["id"].as_str().unwrap().to_owned();
    let events = app.pages(&format!("/v1/leads/{id}/events")).await;
    let word = |event: &Value, field: &str| event[field].as_str().unwrap_or("-").to_owned();
    let line = |event: &Value| {
        format!("{} {} {}", word(event, "id"), word(event, "verdict"), word(event, "verdict_reason"))
    };
    let mut lines: Vec<String> = events.iter().map(line).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn what_a_machine_does_is_kept_and_never_scored() {
    run(async |app| {
        app.events(json!([
            look("a", &json!({"user_agent": HEADLESS})),
            look("b", &json!({"userAgent": GOOGLEBOT})),
            {"id": "c", "type": "demo_requested", "lead": {"user_id": "u1"}, "context": {"user_agent": HEADLESS}},
        ]))
        .await;

        assert_eq!(verdicts(app, "u1").await, ["a machine bot", "b machine bot", "c machine bot"]);
        let lead = app.only_lead().await;
        assert_eq!((&lead["raw"], &lead["stage"]), (&json!(0), &json!("lead")));
        let receipt = app.get(&format!("/v1/leads/{}/score", lead["id"].as_str().unwrap())).await.json();
        assert_eq!(receipt["raw"], 0);

        app.events(look("d", &json!({"user_agent": CHROME}))).await;
        assert_eq!(app.only_lead().await["raw"], 10_000, "a person's look counts");
        assert_eq!(verdicts(app, "u1").await[3], "d human -");
    })
    .await;
}

#[tokio::test]
async fn the_log_is_read_by_verdict() {
    run(async |app| {
        app.events(json!([look("a", &json!({"user_agent": HEADLESS})), look("b", &json!({}))])).await;
        let path = format!("/v1/leads/{}/events", app.only_lead().await["id"].as_str().unwrap());

        let machine = app.pages(&format!("{path}?verdict=machine")).await;
        let human = app.pages(&format!("{path}?verdict=human&type=page_viewed")).await;

        assert_eq!((machine.len(), &machine[0]["id"]), (1, &json!("a")));
        assert_eq!((human.len(), &human[0]["id"]), (1, &json!("b")));
        assert_eq!(app.pages(&format!("{path}?verdict=suspect")).await, Vec::<Value>::new());
        assert_eq!(app.get(&format!("{path}?verdict=robot")).await.problem(), "invalid_parameter");
    })
    .await;
}

#[tokio::test]
async fn pictures_that_a_mailboxs_proxy_fetches_are_opened_by_nobody() {
    run(async |app| {
        let opened = |id: &str, agent: &str| {
            json!({"id": id, "type": "email_opened", "lead": {"email": "ann@acme.example"},
                "context": {"user_agent": agent}})
        };

        app.events(json!([
            opened("apple", "Mozilla/5.0"),
            opened(
                "gmail",
                "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
            ),
            opened("person", CHROME),
        ]))
        .await;

        assert_eq!(
            verdicts(app, "ann@").await,
            ["apple machine mail_proxy", "gmail machine mail_proxy", "person human -"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_servers_own_user_agent_says_nothing_of_the_people_that_it_speaks_of() {
    run(async |app| {
        let sent = json!({"batch": [{"type": "page", "messageId": "a", "userId": "u1",
            "properties": {"path": "/pricing"}, "context": {"library": {"name": "analytics-python"}}}]});
        let headers = [("content-type", "application/json"), ("user-agent", "python-requests/2.34")];

        app.post_with(&format!("/v1/batch?writeKey={WRITE}"), &headers, sent.to_string()).await;

        assert_eq!(verdicts(app, "u1").await, ["a human -"]);
    })
    .await;
}

#[tokio::test]
async fn a_browser_that_names_no_user_agent_in_its_events_is_known_by_its_request() {
    run(async |app| {
        let page = |id: &str| json!({"type": "page", "messageId": id, "userId": "u1"}).to_string();
        let path = format!("/v1/page?writeKey={WRITE}");
        let origin = ("origin", "https://www.acme.example");

        app.post_with(&path, &[origin, ("user-agent", HEADLESS)], page("a")).await;
        app.post_with(&path, &[origin, ("user-agent", CHROME)], page("b")).await;
        app.post_with(&path, &[origin, ("user-agent", CHROME), ("sec-purpose", "prefetch")], page("c")).await;

        assert_eq!(verdicts(app, "u1").await, ["a machine bot", "b human -", "c machine prefetch"]);
    })
    .await;
}
