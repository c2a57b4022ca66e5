//! What is sent: the bytes, their names and their signatures.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit, Mac};
use leadscore::feed::outbox::Kind;
use serde_json::{Value, json};
use sha2::Sha256;
use strum::IntoEnumIterator;

use super::{create, deliveries, endpoint, lead, say, say_that, told};
use crate::harness::{Got, Receiver, Reply, TestApp, run};

/// Which of these secrets have signed a message, by their places.
fn signers(got: &Got, secrets: &[&str]) -> Vec<Option<usize>> {
    let header = |name: &str| got.headers[name].to_str().unwrap();
    let signed = format!("{}.{}.{}", got.id(), header("webhook-timestamp"), got.text);
    let signature = |secret: &&str| {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(signed.as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    let known: Vec<String> = secrets.iter().map(signature).collect();
    let found = header("webhook-signature").split(' ').map(|one| known.iter().position(|own| own == one));
    found.collect()
}

async fn rotate(app: &TestApp, id: &str, query: &str) -> String {
    let answer = app.post(&format!("/v1/webhooks/{id}/rotate{query}"), "").await;
    answer.json()["secret"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

#[tokio::test]
async fn a_change_arrives_as_a_signed_message_under_its_own_id() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, secret) = endpoint(app, &receiver).await;
        say_that(app, lead(7), Kind::StageChanged, json!({"from": "lead", "to": "mql"})).await;

        app.run_due().await;

        let [got] = &receiver.take()[..] else { panic!("one message") };
        let change = app.get("/v1/changes").await.json()["data"][0].clone();
        let expected = format!(
            r#"{{"type":"lead.stage_changed","timestamp":"2026-03-02T09:00:00Z","data":{{"from":"lead","lead_id":"{}","to":"mql"}}}}"#,
            lead(7)
        );
        assert_eq!(got.text, expected);
        assert_eq!(got.id(), change["id"]);
        assert_eq!(got.headers["webhook-timestamp"], app.now().timestamp().to_string().as_str());
        assert_eq!(got.headers["content-type"], "application/json");
        assert!(got.headers["user-agent"].to_str().unwrap().starts_with("Leadscore/"));
        assert_eq!(signers(got, &[&secret]), [Some(0)]);
        assert_eq!(deliveries(app, &id).await[0]["state"], "delivered");
    })
    .await;
}

#[tokio::test]
async fn every_attempt_sends_the_same_bytes_and_is_signed_anew() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (_, secret) = endpoint(app, &receiver).await;
        receiver.next([Reply::Status(500)]);
        say(app, lead(1), 1).await;
        app.run_due().await;

        app.advance(TimeDelta::seconds(6));
        app.run_due().await;

        let [first, second] = &receiver.take()[..] else { panic!("two attempts") };
        assert_eq!((first.id(), &first.text), (second.id(), &second.text));
        let sent = |got: &Got| got.headers["webhook-timestamp"].to_str().unwrap().parse::<i64>().unwrap();
        assert_eq!(sent(second) - sent(first), 6);
        assert_eq!((signers(first, &[&secret]), signers(second, &[&secret])), (vec![Some(0)], vec![Some(0)]));
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_gets_the_kinds_that_it_asked_for() {
    run(async |app| {
        let (some, all) = (Receiver::start().await, Receiver::start().await);
        create(app, &json!({"url": some.url, "events": ["lead.merged", "handoff.offered"]})).await;
        create(app, &json!({"url": all.url})).await;
        for kind in Kind::iter() {
            say_that(app, lead(1), kind, json!({})).await;
        }

        app.run_due().await;

        let kinds = |receiver: &Receiver| -> Vec<Value> {
            receiver.take().iter().map(|got| got.body()["type"].clone()).collect()
        };
        assert_eq!(kinds(&some), [json!("lead.merged"), json!("handoff.offered")]);
        assert_eq!(kinds(&all), Kind::iter().map(|kind| json!(kind)).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_gets_what_happens_after_it_was_made_and_nothing_twice() {
    run(async |app| {
        let receiver = Receiver::start().await;
        say(app, lead(1), 1).await;
        endpoint(app, &receiver).await;
        say(app, lead(1), 2).await;

        app.run_due().await;
        app.run_due().await;

        assert_eq!(told(&receiver), [2]);
    })
    .await;
}

#[tokio::test]
async fn two_instances_send_everything_once() {
    run(async |app| {
        let receiver = Receiver::start().await;
        endpoint(app, &receiver).await;
        let other = app.second_instance().await;
        for number in 0..40 {
            say(app, lead(number % 20), i64::try_from(number).unwrap()).await;
        }

        tokio::join!(app.run_due(), other.run_due());

        let mut all = told(&receiver);
        all.sort_unstable();
        assert_eq!(all, (0..40).collect::<Vec<_>>());
        other.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn after_a_rotation_both_secrets_sign_for_a_day() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, old) = endpoint(app, &receiver).await;
        let new = rotate(app, &id, "").await;
        assert_ne!(old, new);

        say(app, lead(1), 1).await;
        app.run_due().await;
        app.advance(TimeDelta::days(1));
        say(app, lead(1), 2).await;
        app.run_due().await;

        let [both, one] = &receiver.take()[..] else { panic!("two messages") };
        assert_eq!(signers(both, &[&new, &old]), [Some(0), Some(1)], "the new one first");
        assert_eq!(signers(one, &[&new, &old]), [Some(0)]);
    })
    .await;
}

#[tokio::test]
async fn a_rotation_during_another_keeps_what_receivers_may_still_use() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, first) = endpoint(app, &receiver).await;
        let second = rotate(app, &id, "?overlap_seconds=7200").await;
        app.advance(TimeDelta::hours(1));
        let third = rotate(app, &id, "").await;
        say(app, lead(1), 1).await;
        app.run_due().await;
        app.advance(TimeDelta::hours(1));
        say(app, lead(1), 2).await;
        app.run_due().await;

        let [all, two] = &receiver.take()[..] else { panic!("two messages") };
        let mut signed = signers(all, &[&first, &second, &third]);
        signed.sort_unstable();
        assert_eq!(signed, [Some(0), Some(1), Some(2)]);
        assert_eq!(signers(two, &[&third, &second, &first]), [Some(0), Some(1)]);
    })
    .await;
}

#[tokio::test]
async fn a_rotation_without_overlap_ends_every_older_secret() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, first) = endpoint(app, &receiver).await;
        let second = rotate(app, &id, "").await;
        let third = rotate(app, &id, "?overlap_seconds=0").await;

        say(app, lead(1), 1).await;
        app.run_due().await;

        assert_eq!(signers(&receiver.take()[0], &[&first, &second, &third]), [Some(2)]);
        for seconds in ["604801", "-1", "a-day"] {
            let answer = app.post(&format!("/v1/webhooks/{id}/rotate?overlap_seconds={seconds}"), "").await;
            assert_eq!(answer.problem(), "invalid_parameter", "{seconds}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_an_event_brings_about_arrives() {
    run(async |app| {
        let receiver = Receiver::start().await;
        create(app, &json!({"url": receiver.url, "events": ["lead.score_changed"]})).await;

        app.events(json!({"type": "demo_requested", "lead": {"user_id": "u1"}})).await;
        app.run_due().await;

        let lead = app.only_lead().await;
        let got = receiver.take();
        let told = got.last().expect("a message").data();
        assert_eq!((&told["lead_id"], &told["to"]), (&lead["id"], &lead["score"]));
    })
    .await;
}
