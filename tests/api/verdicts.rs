//! Who caused an event: what machines do is kept and never scored.

use chrono::{DateTime, TimeDelta, Utc};
use leadscore::{
    intake::{
        ingest::{
            Submission,
            event::{Arrival, Found},
            submit,
        },
        verdicts::Finding,
    },
    leads::identity::{Identity, Kind, Named},
};
use proptest::{
    collection::vec, option, prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner,
};
use serde_json::{Map, Value, json};

use crate::harness::{Answer, TestApp, WRITE, run};

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

/// An event of a mail to Ann, of 2026-03-02.
fn of_mail(id: &str, kind: &str, time: &str, mut more: Value) -> Value {
    more.as_object_mut().unwrap().entry("message_id").or_insert(json!("m1"));
    json!({"id": id, "type": kind, "lead": {"email": "ann@acme.example"},
        "occurred_at": format!("2026-03-02T{time}Z"), "properties": more})
}

/// A click on a link, which gives 3 points.
fn click(id: &str, time: &str, link: &str) -> Value {
    of_mail(id, "email_clicked", time, json!({"url": format!("https://acme.example/{link}")}))
}

fn delivered(time: &str) -> Value {
    of_mail("delivered", "email_delivered", time, json!({}))
}

/// The raw score as stored, which must be that of the log.
async fn raw(app: &TestApp, begins: &str) -> i64 {
    let lead = app.lead(begins).await;
    let receipt = app.get(&format!("/v1/leads/{}/score", lead["id"].as_str().unwrap())).await.json();
    assert_eq!(lead["raw"], receipt["raw"], "what is stored is what the log says");
    lead["raw"].as_i64().unwrap()
}

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
async fn a_suspect_click_waits_before_it_counts() {
    run(async |app| {
        app.events(json!([delivered("08:59:30"), click("a", "08:59:50", "a")])).await;

        let lead = app.only_lead().await["id"].as_str().unwrap().to_owned();
        let log = app.pages(&format!("/v1/leads/{lead}/events?verdict=suspect")).await;
        assert_eq!(log[0]["verdict_reason"], "soon_after_delivery");
        assert_eq!(log[0]["held_until"], "2026-03-02T09:01:50Z");
        assert_eq!(raw(app, "ann@").await, 0);
        let before = app.post(&format!("/v1/leads/{lead}/score/what-if"), "{}").await.json();
        assert_eq!(before["before"]["raw"], 0);

        app.advance(TimeDelta::seconds(109));
        assert_eq!(app.run_due().await, 0, "not yet");
        app.advance(TimeDelta::seconds(1));
        assert_eq!(app.run_due().await, 1);

        assert_eq!(raw(app, "ann@").await, 3_000);
        let log = app.pages(&format!("/v1/leads/{lead}/events?verdict=suspect")).await;
        assert_eq!((log.len(), &log[0]["held_until"]), (1, &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn what_waits_and_turns_out_to_be_a_machines_never_counts() {
    run(async |app| {
        app.events(json!([delivered("08:59:30"), click("a", "08:59:50", "a")])).await;

        app.events(click("b", "08:59:51", "b")).await;
        app.advance(TimeDelta::minutes(5));
        assert_eq!(app.run_due().await, 0, "there is nothing left to be let go");

        let machine = ["a machine several_links", "b machine several_links", "delivered human -"];
        assert_eq!(verdicts(app, "ann@").await, machine);
        assert_eq!(raw(app, "ann@").await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_somebody_who_is_no_lead_yet_counts_when_they_become_one() {
    run(async |app| {
        let found = Found {
            id: Some("a".to_owned()),
            kind: "email_clicked".to_owned(),
            name: None,
            named: Named::in_passing(Identity::parse(Kind::Email, "ann@acme.example").unwrap()),
            original_at: None,
            sent_at: None,
            corrected: true,
            properties: Map::new(),
            traits: None,
            context: None,
            hint: Some(Finding::NoAgent),
        };
        let arrival = Arrival { at: app.now(), api_key: None };
        let events = vec![(0, found.into_event(arrival, String::new).unwrap())];
        submit(
            &app.app.intake.writers,
            Submission { arrival, events, refused: Vec::new(), want_leads: false, size: 0 },
        )
        .await
        .unwrap();
        app.advance(TimeDelta::minutes(2));
        app.run_due().await;

        app.events(json!({"id": "b", "type": "chat_started", "lead": {"email": "ann@acme.example"}})).await;

        assert_eq!(verdicts(app, "ann@").await, ["a suspect no_agent", "b human -"]);
        assert_eq!(raw(app, "ann@").await, 13_000);
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

/// Says who caused an event of a lead.
async fn decide(app: &TestApp, begins: &str, event: &str, verdict: &str) -> Answer {
    let lead = app.lead(begins).await["id"].as_str().unwrap().to_owned();
    let body = json!({"verdict": verdict, "reason": "we called them", "author": "Ann"});
    app.post(&format!("/v1/leads/{lead}/events/{event}/verdict"), body.to_string()).await
}

/// All that a lead's score says of it, and how it stands.
async fn standing(app: &TestApp, begins: &str) -> (Value, Value) {
    let lead = app.lead(begins).await;
    let mut receipt = app.get(&format!("/v1/leads/{}/score", lead["id"].as_str().unwrap())).await.json();
    receipt["lead_id"] = Value::Null;
    let shown = ["score", "raw", "fit", "engagement", "grade", "band", "stage", "next_change_at"];
    (receipt, json!(shown.map(|field| lead[field].clone())))
}

#[tokio::test]
async fn a_lead_whose_events_verdict_is_reversed_is_what_it_would_have_been() {
    for (before, after) in [(HEADLESS, "human"), (CHROME, "machine")] {
        run(async |app| {
            let story = |user: &str, agent: &str| {
                let event = |id: &str, kind: &str, agent: &str, time: &str| {
                    json!({"id": id, "type": kind, "lead": {"user_id": user}, "properties": {"path": "/pricing"},
                        "occurred_at": format!("2026-03-0{time}Z"), "context": {"user_agent": agent},
                        "traits": {"title": "Director"}})
                };
                json!([
                    event("e1", "page_viewed", CHROME, "1T08:00:00"),
                    event("e2", "demo_requested", agent, "1T09:00:00"),
                    event("e3", "chat_started", CHROME, "2T08:00:00"),
                ])
            };
            let would_be = if after == "human" { CHROME } else { HEADLESS };
            app.events(story("twin", would_be)).await;
            app.events(story("lead", before)).await;
            assert_ne!(standing(app, "lead").await, standing(app, "twin").await);

            let answer = decide(app, "lead", "e2", after).await;

            assert_eq!(answer.status, 201, "{answer:?}");
            app.advance(TimeDelta::days(2));
            app.run_due().await;
            assert_eq!(standing(app, "lead").await, standing(app, "twin").await);
            assert_eq!(verdicts(app, "lead").await[2], format!("e2 {after} Ann: we called them"));
        })
        .await;
    }
}

#[tokio::test]
async fn a_verdict_and_the_way_back_leave_nothing_of_it() {
    run(async |app| {
        let lead = json!({"user_id": "u1", "email": "ann@acme.example"});
        app.events(json!([
            {"id": "i", "type": "identify", "lead": lead, "traits": {"title": "Director"}},
            {"id": "a", "type": "page_viewed", "lead": lead, "occurred_at": "2026-02-20T08:00:00Z"},
            {"id": "b", "type": "chat_started", "lead": lead, "occurred_at": "2026-03-01T08:00:00Z"},
            {"id": "c", "type": "email_subscribed", "lead": lead, "occurred_at": "2026-02-25T08:00:00Z"},
        ]))
        .await;
        let whole = async || {
            let mut lead = app.only_lead().await;
            let id = lead["id"].as_str().unwrap().to_owned();
            lead["updated_at"] = Value::Null;
            (lead, app.get(&format!("/v1/leads/{id}/score")).await.json())
        };
        let before = whole().await;
        let shown =
            ["score", "raw", "next_change_at", "last_activity_at", "consent"].map(|field| &before.0[field]);
        assert!(shown.iter().all(|value| !value.is_null()), "{shown:?}");

        assert_eq!(decide(app, "u1", "b", "machine").await.status, 201);
        let between = whole().await;
        assert_eq!(decide(app, "u1", "b", "human").await.status, 201);

        for field in ["score", "raw", "last_activity_at"] {
            assert_ne!(between.0[field], before.0[field], "{field}");
        }
        assert_eq!(between.0["consent"], before.0["consent"]);
        assert_eq!(whole().await, before);
    })
    .await;
}

#[tokio::test]
async fn a_verdict_takes_the_points_of_an_unsubscription_back_and_not_the_refusal() {
    run(async |app| {
        app.events(of_mail("a", "email_unsubscribed", "08:30:00", json!({}))).await;
        assert_eq!(raw(app, "ann@").await, -15_000);

        decide(app, "ann@", "a", "machine").await;

        assert_eq!(raw(app, "ann@").await, 0);
        assert_eq!(app.lead("ann@").await["consent"]["channels"]["email"]["state"], "withdrawn");
        let suppressed = app.pages("/v1/suppressions").await;
        assert_eq!((suppressed.len(), &suppressed[0]["email"]), (1, &json!("ann@acme.example")));
    })
    .await;
}

#[tokio::test]
async fn a_verdict_is_an_event_with_author_and_reason() {
    run(async |app| {
        app.events(look("e1", &json!({"user_agent": HEADLESS}))).await;
        let lead = app.only_lead().await["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/leads/{lead}/events/e1/verdict");
        let body = json!({"verdict": "human", "reason": "our own test", "author": "Ann"}).to_string();
        let headers = [("content-type", "application/json"), ("idempotency-key", "k1")];

        let answer = app.post_with(&path, &headers, body.clone()).await;

        assert_eq!(answer.status, 201, "{answer:?}");
        let said = json!({"event_id": "e1", "verdict": "human", "reason": "our own test", "author": "Ann"});
        let answer = answer.json();
        assert_eq!((&answer["type"], &answer["properties"]), (&json!("verdict_changed"), &said));
        assert_eq!(answer["lead"]["raw"], 10_000);
        let timeline = app.pages(&format!("/v1/leads/{lead}/timeline")).await;
        assert!(timeline.iter().any(|entry| entry["data"]["properties"] == said), "{timeline:?}");
        assert_eq!(app.post_with(&path, &headers, body).await.status, 200, "the same call is the same event");
        let other = json!({"verdict": "machine", "reason": "no"}).to_string();
        assert_eq!(app.post_with(&path, &headers, other).await.problem(), "conflict");
        assert_eq!(app.only_lead().await["raw"], 10_000);
    })
    .await;
}

#[tokio::test]
async fn a_verdict_on_what_nobody_did_is_refused() {
    run(async |app| {
        app.events(look("e1", &json!({}))).await;
        let lead = app.only_lead().await["id"].as_str().unwrap().to_owned();
        let body = json!({"points": 5, "reason": "r"}).to_string();
        let adjusted = app.post(&format!("/v1/leads/{lead}/adjustments"), body).await.json();
        let verdict = json!({"verdict": "machine", "reason": "r"}).to_string();
        let path = |event: &str| format!("/v1/leads/{lead}/events/{event}/verdict");

        let of_decision = app.post(&path(adjusted["id"].as_str().unwrap()), verdict.clone()).await;
        let of_none = app.post(&path("e2"), verdict.clone()).await;
        let robot = app.post(&path("e1"), json!({"verdict": "robot", "reason": "r"}).to_string()).await;

        assert_eq!(of_decision.problem(), "invalid_request");
        assert_eq!(of_none.problem(), "not_found");
        assert_eq!(robot.problem(), "invalid_request");
        let reader = app.key_with(&["read", "ingest"]).await;
        assert_eq!(app.call("POST", &path("e1"), Some(&reader), verdict).await.problem(), "missing_scope");
        assert_eq!(raw(app, "u1").await, 15_000);
    })
    .await;
}

#[tokio::test]
async fn what_a_person_says_holds_against_every_sign_and_the_later_of_two_holds() {
    run(async |app| {
        app.events(json!([delivered("08:59:30"), click("a", "08:59:50", "a")])).await;

        decide(app, "ann@", "a", "human").await;
        assert_eq!(raw(app, "ann@").await, 3_000, "it no longer waits");
        app.events(click("b", "08:59:51", "b")).await;

        let held = verdicts(app, "ann@").await;
        assert_eq!(held[1..3], ["a human Ann: we called them", "b machine several_links"], "{held:?}");
        app.advance(TimeDelta::minutes(1));
        decide(app, "ann@", "a", "machine").await;
        assert_eq!(raw(app, "ann@").await, 0);
        app.advance(TimeDelta::minutes(1));
        decide(app, "ann@", "a", "suspect").await;
        assert_eq!(raw(app, "ann@").await, 3_000);
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn a_verdict_finds_an_event_of_an_identity_that_has_joined() {
    run(async |app| {
        let seen = json!({"id": "e1", "type": "page_viewed", "lead": {"anonymous_id": "d1"},
            "properties": {"path": "/pricing"}, "context": {"user_agent": HEADLESS}});
        let joined = json!({"id": "i", "type": "identify", "lead": {"anonymous_id": "d1", "user_id": "u1"}});
        app.events(json!([seen, joined])).await;
        assert_eq!(raw(app, "u1").await, 0);

        decide(app, "u1", "e1", "human").await;

        assert_eq!(raw(app, "u1").await, 10_000);
    })
    .await;
}

#[tokio::test]
async fn a_verdict_opens_an_mql_and_closes_it_at_once() {
    run(async |app| {
        let asks = json!({"id": "e1", "type": "demo_requested", "lead": {"user_id": "u1"},
            "context": {"user_agent": HEADLESS}});
        app.events(asks).await;
        assert_eq!(app.lead("u1").await["stage"], "lead");

        let opened = decide(app, "u1", "e1", "human").await.json();
        assert_eq!(opened["lead"]["stage"], "mql");
        app.advance(TimeDelta::hours(1));
        let closing = decide(app, "u1", "e1", "machine").await.json();

        assert_eq!(closing["lead"]["stage"], "lead", "the hand was raised by nobody");
        app.advance(TimeDelta::days(1));
        app.run_due().await;
        assert_eq!(app.lead("u1").await["stage"], "lead");
    })
    .await;
}

#[tokio::test]
async fn who_is_an_mql_by_a_machines_doing_is_none_and_who_would_be_one_all_the_same_stays() {
    run(async |app| {
        let story = |user: &str, agent: &str, more: &[Value]| {
            let event = |id: &str, kind: &str, agent: &str| {
                json!({"id": id, "type": kind, "lead": {"user_id": user}, "properties": {"path": "/pricing"},
                    "context": {"user_agent": agent},
                    "traits": {"title": "Director", "company": {"employees": 2000}}})
            };
            let seen = [event("e1", "page_viewed", CHROME), event("e2", "chat_started", CHROME)];
            let asks = event("e3", "demo_requested", agent);
            Value::Array(seen.into_iter().chain(more.iter().cloned()).chain([asks]).collect())
        };
        let trial = |user: &str| json!({"id": "t", "type": "trial_started", "lead": {"user_id": user}});
        app.events(story("twin", HEADLESS, &[])).await;
        app.events(story("lead", CHROME, &[])).await;
        app.events(story("ripe", CHROME, &[trial("ripe")])).await;
        for user in ["lead", "ripe"] {
            assert_eq!(app.lead(user).await["stage"], "mql", "{user}");
            app.advance(TimeDelta::minutes(1));
            decide(app, user, "e3", "machine").await;
        }

        let (lead, twin) = (standing(app, "lead").await.1, standing(app, "twin").await.1);
        assert_eq!(lead, twin, "between `leave` and `enter` nobody is an MQL who was none before");
        assert_eq!(app.get("/v1/queues/sales/leads").await.json()["data"].as_array().unwrap().len(), 1);
        let ripe = app.lead("ripe").await;
        assert_eq!((&ripe["stage"], &ripe["qualified_by"]), (&json!("mql"), &json!("threshold")));
    })
    .await;
}

#[tokio::test]
async fn a_refusal_to_be_contacted_holds_whoever_is_thought_to_have_said_it() {
    run(async |app| {
        let refuses = json!({"id": "e1", "type": "do_not_contact_requested", "lead": {"user_id": "u1"},
            "context": {"user_agent": "Googlebot/2.1"}});

        app.events(refuses).await;
        let answer = decide(app, "u1", "e1", "machine").await;

        assert_eq!(answer.problem(), "invalid_request");
        assert_eq!(app.lead("u1").await["consent"]["do_not_contact"], true);
    })
    .await;
}

/// Something that happens to one of two mails, so many seconds after the story's beginning.
#[derive(Debug, Clone)]
struct Happening {
    kind: &'static str,
    link: Option<&'static str>,
    hidden: bool,
    mail: u8,
    second: i64,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let kind = select(vec![
        "email_delivered",
        "email_clicked",
        "email_clicked",
        "email_clicked",
        "email_unsubscribed",
    ]);
    let link = option::weighted(0.8, select(vec!["a", "b"]));
    let one = (kind, link, prop::bool::weighted(0.1), 0..2_u8, 0..200_i64);
    vec(one, 1..10).prop_map(|all| {
        let happening = |(kind, link, hidden, mail, second)| Happening { kind, link, hidden, mail, second };
        all.into_iter().map(happening).collect()
    })
}

impl Happening {
    fn event(&self, index: usize, address: &str, began: DateTime<Utc>) -> Value {
        json!({"id": format!("e{index}"), "type": self.kind, "lead": {"email": address},
            "occurred_at": began + TimeDelta::seconds(self.second),
            "properties": {"message_id": format!("m{}", self.mail), "url": self.link, "honeypot": self.hidden}})
    }
}

/// Sends a story's events in an order, a few at a time, while time goes by.
async fn tell(app: &TestApp, events: &[Value], sizes: &[usize]) {
    let mut rest = events;
    for size in sizes.iter().cycle() {
        let (part, after) = rest.split_at((*size).min(rest.len()));
        if part.is_empty() {
            return;
        }
        app.events(json!(part)).await;
        app.advance(TimeDelta::seconds(7 * i64::try_from(*size).unwrap()));
        app.run_due().await;
        rest = after;
    }
}

#[tokio::test]
async fn the_order_the_grouping_and_the_repetition_of_a_mails_events_do_not_matter() {
    run(async |app| {
        let mut runner = TestRunner::deterministic();
        let case = happenings().prop_flat_map(|all| {
            let indices: Vec<usize> = (0..all.len()).chain(0..all.len() / 2).collect();
            (Just(all), Just(indices).prop_shuffle(), vec(1..4_usize, 3), vec(1..9_usize, 3))
        });
        for number in 0..40 {
            let (all, shuffled, sizes, others) = case.new_tree(&mut runner).unwrap().current();
            app.advance(TimeDelta::minutes(10));
            let began = app.now() - TimeDelta::seconds(200);
            let (one, other) = (format!("one{number}@acme.example"), format!("other{number}@acme.example"));
            let first: Vec<Value> =
                all.iter().enumerate().map(|(index, what)| what.event(index, &one, began)).collect();
            let second: Vec<Value> =
                shuffled.iter().map(|index| all[*index].event(*index, &other, began)).collect();

            tell(app, &first, &sizes).await;
            tell(app, &second, &others).await;
            app.advance(TimeDelta::minutes(3));
            app.run_due().await;

            assert_eq!(verdicts(app, &one).await, verdicts(app, &other).await, "case {number}: {all:?}");
            assert_eq!(raw(app, &one).await, raw(app, &other).await, "case {number}: {all:?}");
        }
    })
    .await;
}
