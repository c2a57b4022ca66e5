//! The log of deliveries, and sending again what is in it.

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{deliveries, endpoint, lead, say, states, told, wait_for_next};
use crate::harness::{Receiver, Reply, TestApp, run, shown};

async fn post(app: &TestApp, id: &str, path: &str, body: &str) -> Value {
    let answer = app.post(&format!("/v1/webhooks/{id}/{path}"), body.to_owned()).await;
    assert!(answer.status.is_success(), "{answer:?}");
    answer.json()
}

/// How long a request took differs from run to run.
fn timeless(mut delivery: Value) -> Value {
    for attempt in delivery["attempts"].as_array_mut().unwrap() {
        attempt["duration_ms"] = json!(0);
    }
    delivery
}

/// Changes of leads that the receiver refuses until they are given up.
async fn give_up(app: &TestApp, receiver: &Receiver, id: &str, changes: &[(u128, i64)]) {
    receiver.always(Reply::Status(500));
    for (number, to) in changes {
        say(app, lead(*number), *to).await;
    }
    app.run_due().await;
    while !app.pages(&format!("/v1/webhooks/{id}/deliveries?state=pending")).await.is_empty() {
        wait_for_next(app, id).await;
        app.run_due().await;
    }
    receiver.always(Reply::Status(200));
    receiver.take();
}

#[tokio::test]
async fn the_log_shows_what_was_sent_and_what_came_of_every_attempt() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        receiver.next([Reply::Saying(500, "\0ouch".to_owned()), Reply::Saying(200, "x".repeat(5_000))]);
        say(app, lead(1), 1).await;
        app.run_due().await;
        app.advance(TimeDelta::seconds(6));
        app.run_due().await;

        let [delivery] = &deliveries(app, &id).await[..] else { panic!("one delivery") };

        let path = format!("/v1/webhooks/{id}/deliveries/{}", delivery["id"].as_str().unwrap());
        assert_eq!(app.get(&path).await.json(), *delivery);
        let mut delivery = timeless(delivery.clone());
        assert_eq!(delivery["attempts"][1]["response"], json!("x".repeat(1_024)));
        delivery["attempts"][1]["response"] = json!("x…");
        assert_eq!(delivery["body"], receiver.got()[0].text);
        delivery["body"] = json!("…");
        insta::assert_snapshot!(shown(&delivery), @r#"
        {
          "attempts": [
            {
              "at": "2026-03-02T09:00:00Z",
              "duration_ms": 0,
              "error": null,
              "number": 1,
              "response": "�ouch",
              "status": 500
            },
            {
              "at": "2026-03-02T09:00:06Z",
              "duration_ms": 0,
              "error": null,
              "number": 2,
              "response": "x…",
              "status": 200
            }
          ],
          "body": "…",
          "created_at": "2026-03-02T09:00:00Z",
          "id": "[id]",
          "lead_id": "[id]",
          "message_id": "[id]",
          "next_attempt_at": null,
          "state": "delivered",
          "type": "lead.score_changed"
        }
        "#);
    })
    .await;
}

#[tokio::test]
async fn the_log_has_pages_and_a_filter_by_state() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        receiver.next([Reply::Status(500)]);
        for number in 0..5 {
            say(app, lead(number), 0).await;
            app.run_due().await;
            app.advance(TimeDelta::milliseconds(1));
        }
        let path = format!("/v1/webhooks/{id}/deliveries");

        let all = app.pages(&format!("{path}?limit=2")).await;
        let pending = app.pages(&format!("{path}?state=pending")).await;

        assert_eq!(all.len(), 5);
        assert_eq!((pending.len(), &pending[0]), (1, &all[4]), "the first is the oldest");
        assert_eq!(app.pages(&format!("{path}?state=delivered&limit=1")).await.len(), 4);
        assert_eq!(app.get(&format!("{path}?state=lost")).await.problem(), "invalid_parameter");
        let nobody = app.get(&format!("{path}/{}", lead(9))).await;
        assert_eq!((nobody.status, nobody.problem()), (StatusCode::NOT_FOUND, "not_found".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_ping_goes_out_at_once_and_says_what_came_of_it() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;

        let ponged = post(app, &id, "ping", "").await;
        receiver.next([Reply::Status(404)]);
        let lost = post(app, &id, "ping", "").await;
        app.advance(TimeDelta::days(1));
        app.run_due().await;

        assert_eq!((&ponged["state"], &ponged["attempts"][0]["status"]), (&json!("delivered"), &json!(204)));
        assert_eq!((&lost["state"], &lost["attempts"][0]["status"]), (&json!("failed"), &json!(404)));
        assert_eq!((&lost["type"], &lost["lead_id"]), (&json!("webhook.ping"), &Value::Null));
        let got = receiver.take();
        assert_eq!(got.len(), 2, "a ping is not tried again");
        assert_eq!(got[0].data(), json!({ "endpoint_id": id }));
        assert_eq!(got[0].id(), ponged["message_id"]);
        let path = format!("/v1/webhooks/{id}/deliveries/{}/redeliver", lost["id"].as_str().unwrap());
        assert_eq!(app.post(&path, "").await.problem(), "conflict");
    })
    .await;
}

#[tokio::test]
async fn a_delivery_is_sent_again_on_request_whatever_became_of_it() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        say(app, lead(1), 1).await;
        app.run_due().await;
        let delivered = deliveries(app, &id).await[0]["id"].as_str().unwrap().to_owned();
        let first = receiver.take().remove(0);

        let again = post(app, &id, &format!("deliveries/{delivered}/redeliver"), "").await;
        app.run_due().await;

        assert_eq!(again["state"], "pending");
        let second = receiver.take().remove(0);
        assert_eq!((first.id(), &first.text), (second.id(), &second.text));
        assert_eq!(deliveries(app, &id).await[0]["attempts"][1]["number"], 2);
        let nothing = app.post(&format!("/v1/webhooks/{id}/deliveries/{id}/redeliver"), "").await;
        assert_eq!(nothing.problem(), "not_found");
    })
    .await;
}

#[tokio::test]
async fn one_that_waits_for_its_next_try_can_be_hurried() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        receiver.next([Reply::With(503, "retry-after", "36000".to_owned())]);
        say(app, lead(1), 1).await;
        say(app, lead(1), 2).await;
        app.run_due().await;
        let waiting = deliveries(app, &id).await.pop().unwrap();

        post(app, &id, &format!("deliveries/{}/redeliver", waiting["id"].as_str().unwrap()), "").await;
        app.run_due().await;

        assert_eq!(told(&receiver), [1, 1, 2]);
    })
    .await;
}

#[tokio::test]
async fn everything_given_up_since_an_instant_is_sent_again() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        give_up(app, &receiver, &id, &[(1, 1)]).await;
        app.advance(TimeDelta::seconds(1));
        let since = app.now();
        give_up(app, &receiver, &id, &[(2, 2), (3, 3)]).await;
        assert_eq!(states(app, &id).await, ["failed", "failed", "failed"]);

        let recovered = post(app, &id, "recover", &json!({ "since": since }).to_string()).await;
        app.run_due().await;

        assert_eq!(recovered, json!({"redelivered": 2}));
        let mut told = told(&receiver);
        told.sort_unstable();
        assert_eq!(told, [2, 3]);
        assert_eq!(states(app, &id).await, ["failed", "delivered", "delivered"]);
        let nothing = post(app, &id, "recover", &json!({ "since": since }).to_string()).await;
        assert_eq!(nothing, json!({"redelivered": 0}));
    })
    .await;
}

#[tokio::test]
async fn what_is_recovered_of_a_lead_goes_out_in_order_before_what_waits() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        let since = app.now();
        give_up(app, &receiver, &id, &[(1, 1), (1, 2)]).await;
        receiver.next([Reply::Status(500)]);
        say(app, lead(1), 3).await;
        app.run_due().await;
        assert_eq!(states(app, &id).await, ["failed", "failed", "pending"]);
        receiver.take();

        post(app, &id, "recover", &json!({ "since": since }).to_string()).await;
        app.run_due().await;

        assert_eq!(told(&receiver), [1, 2, 3]);
    })
    .await;
}
