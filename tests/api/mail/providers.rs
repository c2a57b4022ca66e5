//! Each provider's recorded requests: what they bring into the log.

use serde_json::{Value, json};

use super::{Case, SendgridKey, forget_events, log, provider, send, source, told};
use crate::harness::{TestApp, run};

/// Sends everything that was recorded of a provider, each request twice and into an empty log; what was in the logs. Each
/// event's verdict must be the recording's.
async fn replayed(app: &TestApp, name: &str) -> Vec<(String, Value, Option<Value>, String)> {
    let (recordings, wanted) = provider(name);
    let path = source(app, &wanted).await;
    app.amazon.answers("confirmed");
    let mut whole = Vec::new();
    let signed = |case: Case| match name {
        "resend" if !case.is_bad() => case.signed_now(app, recordings.text("secret")),
        _ => case,
    };
    for case in recordings.cases().into_iter().map(signed) {
        let first = send(app, &path, &case).await;
        let before = app.count("event").await;
        let second = send(app, &path, &case).await;

        let said = format!("{}: {first:?} {second:?}", case.name());
        assert_eq!(first.status.is_success(), !case.is_bad(), "{said}");
        assert_eq!(second.status, first.status, "{said}");
        assert_eq!(app.count("event").await, before, "told twice, counted once: {said}");
        if first.status.is_success() {
            assert_eq!(second.json()["accepted"], 0, "{said}");
        }
        let verdict = if case.0["expect"]["machine"] == true { "machine" } else { "human" };
        for judged in verdicts(app).await {
            assert_eq!(judged, verdict, "{said}");
        }
        for event in log(app).await {
            if !whole.contains(&event) {
                whole.push(event);
            }
        }
        forget_events(app).await;
    }
    whole
}

/// The verdicts of the log's events, oldest first.
async fn verdicts(app: &TestApp) -> Vec<String> {
    let rows = sqlx::query_scalar("select verdict from event order by occurred_at, id");
    rows.fetch_all(&mut app.database.connect().await).await.unwrap()
}

/// How often each type is in the log.
fn types(log: &[(String, Value, Option<Value>, String)]) -> Value {
    let mut counts = serde_json::Map::new();
    for (kind, ..) in log {
        let count = counts.get(kind).and_then(Value::as_i64).unwrap_or_default();
        counts.insert(kind.clone(), json!(count + 1));
    }
    Value::Object(counts)
}

#[tokio::test]
async fn sendgrids_events_come_in_once_each() {
    run(async |app| {
        let log = replayed(app, "sendgrid").await;

        assert_eq!(types(&log), json!({"email_bounced": 1, "email_clicked": 1, "email_complained": 1, "email_delivered": 1, "email_opened": 2, "email_subscribed": 1, "email_unsubscribed": 2}));
        let click = log.iter().find(|(kind, ..)| kind == "email_clicked").unwrap();
        assert_eq!(
            click.1,
            json!({"provider": "sendgrid", "url": "http://www.example.com",
                "message_id": "_fjPjuJfRW-IPs5SuvYotg.filter0590p1mdw1.2098.57168CFC4B.0"})
        );
        let agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_4) AppleWebKit/537.36";
        assert_eq!(click.2, Some(json!({"user_agent": agent, "ip": "24.130.34.103"})));
        assert_eq!(click.3, "sendgrid:OTdlOGUzYjctYjc5Zi00OWE4LWE4YWUtNjIxNjk2ZTJlNGVi");
    })
    .await;
}

#[tokio::test]
async fn mailguns_events_come_in_once_each_in_both_forms() {
    run(async |app| {
        let log = replayed(app, "mailgun").await;

        assert_eq!(types(&log), json!({"email_bounced": 3, "email_clicked": 2, "email_complained": 1, "email_delivered": 2, "email_opened": 2, "email_unsubscribed": 1}));
        let bounce = log.iter().find(|(kind, ..)| kind == "email_bounced").unwrap();
        assert_eq!(bounce.1["bounce_type"], "hard");
    })
    .await;
}

#[tokio::test]
async fn postmarks_events_come_in_once_each() {
    run(async |app| {
        let log = replayed(app, "postmark").await;

        assert_eq!(types(&log), json!({"email_bounced": 2, "email_clicked": 1, "email_complained": 1, "email_delivered": 1, "email_opened": 1, "email_subscribed": 1, "email_unsubscribed": 1}));
        let click = log.iter().find(|(kind, ..)| kind == "email_clicked").unwrap();
        assert_eq!(click.1["url"], "https://example.com/click/me");
        assert_eq!(click.2.as_ref().unwrap()["ip"], "8.8.8.8");
    })
    .await;
}

#[tokio::test]
async fn what_postmark_tells_as_a_bounce_and_as_a_suppression_is_one_event() {
    run(async |app| {
        let path = source(app, &provider("postmark").1).await;
        let bounce = |mail: &str| {
            json!({"RecordType": "Bounce", "ID": 7, "Type": "HardBounce", "MessageID": mail, "Email": "Ann@acme.example",
                "BouncedAt": "2026-03-01T10:00:00.25Z"})
        };
        let suppression = |mail: &str, reason: &str, origin: &str| {
            json!({"RecordType": "SubscriptionChange", "MessageID": mail, "Recipient": "ann@acme.example",
                "MessageStream": "outbound", "ChangedAt": "2026-03-01T10:00:03Z", "Origin": origin,
                "SuppressSending": true, "SuppressionReason": reason})
        };
        let complaint = json!({"RecordType": "SpamComplaint", "ID": 8, "Type": "SpamComplaint", "MessageID": "m1",
            "Email": "ann@acme.example", "BouncedAt": "2026-03-01T11:00:00Z", "MessageStream": "outbound"});
        let nothing = "00000000-0000-0000-0000-000000000000";
        for (told, accepted, duplicates) in [
            (bounce("m1"), 1, 0),
            (suppression("m1", "HardBounce", "Recipient"), 0, 1),
            (suppression("m2", "HardBounce", "Recipient"), 1, 0),
            (bounce("m2"), 0, 1),
            (suppression("m1", "SpamComplaint", "Recipient"), 1, 0),
            (complaint, 0, 1),
            // By hand, and of no mail.
            (suppression(nothing, "HardBounce", "Customer"), 1, 0),
            (suppression(nothing, "HardBounce", "Customer"), 0, 1),
        ] {
            let answer = send(app, &path, &Case::of_postmark(&told)).await.json();

            assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(accepted), &json!(duplicates)), "{told}");
        }
        assert_eq!(app.count("rejected_events").await, 0);
        assert_eq!(types(&log(app).await), json!({"email_bounced": 3, "email_complained": 1}));
    })
    .await;
}

#[tokio::test]
async fn amazons_events_come_in_once_each_for_each_recipient() {
    run(async |app| {
        let log = replayed(app, "ses").await;

        assert_eq!(types(&log), json!({"email_bounced": 4, "email_clicked": 1, "email_complained": 1, "email_delivered": 1, "email_opened": 1, "email_unsubscribed": 1}));
        let click = log.iter().find(|(kind, ..)| kind == "email_clicked").unwrap();
        assert_eq!(click.1["url"], "https://docs.aws.amazon.com/ses/latest/DeveloperGuide/");
    })
    .await;
}

#[tokio::test]
async fn resends_events_come_in_once_each() {
    run(async |app| {
        let log = replayed(app, "resend").await;

        assert_eq!(types(&log), json!({"email_bounced": 2, "email_clicked": 1, "email_complained": 1, "email_delivered": 1, "email_opened": 1, "email_unsubscribed": 1}));
    })
    .await;
}

#[tokio::test]
async fn brevos_events_come_in_once_each() {
    run(async |app| {
        let log = replayed(app, "brevo").await;

        assert_eq!(types(&log), json!({"email_bounced": 3, "email_clicked": 2, "email_complained": 2, "email_delivered": 1, "email_opened": 3, "email_unsubscribed": 2}));
        let soft = log.iter().find(|(_, properties, ..)| properties["bounce_type"] == "soft");
        assert!(soft.is_some(), "{log:?}");
    })
    .await;
}

#[tokio::test]
async fn an_event_happened_when_the_provider_says() {
    run(async |app| {
        app.events(json!({"type": "identify", "lead": {"email": "recipient@example.com"}})).await;

        told(app, "postmark", "click_event").await;

        let lead = app.only_lead().await["id"].as_str().unwrap().to_owned();
        let events = app.get(&format!("/v1/leads/{lead}/events?type=email_clicked")).await.json();
        assert_eq!(events["data"][0]["occurred_at"], "2017-10-25T15:21:11.906561Z");
    })
    .await;
}

#[tokio::test]
async fn a_known_address_that_unsubscribes_is_told_to_its_lead() {
    run(async |app| {
        app.events(json!({"type": "identify", "lead": {"user_id": "u1", "email": "recipient@example.com"}}))
            .await;

        told(app, "sendgrid", "unsubscribe").await;

        let lead = app.only_lead().await["id"].as_str().unwrap().to_owned();
        let events = app.get(&format!("/v1/leads/{lead}/events?type=email_unsubscribed")).await.json();
        assert_eq!(events["data"][0]["properties"]["provider"], "sendgrid");
    })
    .await;
}

#[tokio::test]
async fn a_hard_bounce_costs_what_the_model_says() {
    run(async |app| {
        app.events(json!({"type": "identify", "lead": {"email": "bounce@example.com"}})).await;

        told(app, "postmark", "bounce_event").await;

        let raw = app.only_lead().await["raw"].as_i64();
        assert_eq!(raw, Some(-30_000 - 20_000), "for the bounce, and for the years of silence since");
    })
    .await;
}

#[tokio::test]
async fn an_address_that_nobody_has_named_becomes_no_lead_and_its_news_count_once_it_is_one() {
    run(async |app| {
        for (provider, case) in
            [("postmark", "click_event"), ("brevo", "unsubscribe"), ("mailgun", "opened_event")]
        {
            assert_eq!(told(app, provider, case).await.json()["accepted"], 1, "{provider}");
        }

        assert_eq!(app.get("/v1/leads").await.json()["data"], json!([]));
        assert_eq!(app.count("lead").await, 0);

        app.events(json!({"type": "identify", "lead": {"user_id": "u1", "email": "Recipient@Example.com"}}))
            .await;
        let lead = app.only_lead().await["id"].as_str().unwrap().to_owned();
        let events = app.get(&format!("/v1/leads/{lead}/events")).await.json();
        let kinds: Vec<&str> =
            events["data"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["identify", "email_opened", "email_unsubscribed", "email_clicked"]);
    })
    .await;
}

#[tokio::test]
async fn one_click_that_is_told_as_a_click_and_as_an_unsubscription_followed_one_link() {
    run(async |app| {
        let (recordings, mut wanted) = provider("sendgrid");
        let key = SendgridKey::generate();
        wanted["public_key"] = json!(key.shown());
        let path = source(app, &wanted).await;
        let told = |kind: &str, mail: &str, link: &str| {
            json!({"event": kind, "email": "ann@acme.example", "timestamp": 1_461_095_250, "sg_message_id": mail,
                "sg_event_id": format!("{kind} {mail}"), "url": link, "useragent": "Mozilla/5.0"})
        };
        for (mail, clicked, verdict) in [
            ("m1", "https://acme.example/out", "human"),
            ("m2", "https://acme.example/pricing", "machine"),
        ] {
            let body = json!([
                told("click", mail, clicked),
                told("group_unsubscribe", mail, "https://acme.example/out")
            ]);

            let answer = send(app, &path, &key.sign(&recordings.case("click_event"), &body.to_string())).await;

            assert_eq!(answer.json()["accepted"], 2, "{answer:?}");
            assert_eq!(verdicts(app).await, [verdict, verdict], "{mail}");
            forget_events(app).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_provider_says_of_machines_is_believed() {
    run(async |app| {
        told(app, "sendgrid", "machine_open").await;
        told(app, "mailgun", "machine_open").await;
        told(app, "brevo", "proxy_open").await;
        told(app, "sendgrid", "click_event").await;

        assert_eq!(app.count("event where type = 'email_opened' and verdict = 'machine'").await, 3);
        assert_eq!(app.count("event where type = 'email_clicked' and verdict = 'human'").await, 1);
    })
    .await;
}
