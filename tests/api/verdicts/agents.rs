//! Machines that are known by what they say they are.

use serde_json::{Value, json};

use super::{CHROME, HEADLESS, look, verdicts};
use crate::harness::{WRITE, run};

const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

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
        for agent in ["python-requests/2.34", "node", "undici", "Java/17.0.1", ""] {
            let sent = sent.to_string().replace("\"a\"", &format!("\"a {agent}\""));
            let headers = [("content-type", "application/json"), ("user-agent", agent)];
            app.post_with(&format!("/v1/batch?writeKey={WRITE}"), &headers, sent).await;
        }

        let said = verdicts(app, "u1").await;
        assert!(said.len() == 5 && said.iter().all(|line| line.ends_with(" human -")), "{said:?}");
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
