//! What does not arrive is tried again, and given up in the end.

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use leadscore::{
    feed::webhooks::jobs::{Deliver, FanOut},
    platform::sweep::Sweep,
};
use serde_json::{Value, json};

use super::{create, deliveries, endpoint, lead, say, states, told};
use crate::harness::{Receiver, Reply, TestApp, run};

async fn shown(app: &TestApp, id: &str) -> Value {
    app.get(&format!("/v1/webhooks/{id}")).await.json()
}

#[tokio::test]
async fn a_delivery_is_tried_eight_times_at_growing_distances_and_then_given_up() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        receiver.always(Reply::Status(503));
        say(app, lead(1), 1).await;
        app.run_due().await;

        for planned in [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000] {
            let due = deliveries(app, &id).await[0]["next_attempt_at"].clone();
            let due: DateTime<Utc> = serde_json::from_value(due).unwrap();
            let wait = due - app.now();
            assert!(wait >= TimeDelta::seconds(planned), "{wait} after {planned}");
            assert!(wait <= TimeDelta::seconds(planned) * 6 / 5, "{wait} after {planned}");
            let tried = receiver.got().len();
            app.advance(wait - TimeDelta::microseconds(1));
            app.run_due().await;
            assert_eq!(receiver.got().len(), tried, "not before it is due");
            app.advance(TimeDelta::microseconds(1));
            app.run_due().await;
            assert_eq!(receiver.got().len(), tried + 1);
        }

        assert_eq!(states(app, &id).await, ["failed"]);
        assert_eq!(deliveries(app, &id).await[0]["next_attempt_at"], Value::Null);
        app.advance(TimeDelta::days(1));
        app.run_due().await;
        assert_eq!(receiver.got().len(), 8);
    })
    .await;
}

#[tokio::test]
async fn whatever_is_not_2xx_is_a_failure_and_no_redirect_is_followed() {
    run(async |app| {
        let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
        let (id, _) = endpoint(app, &receiver).await;
        let mut number = 0;
        for status in [300, 304, 400, 401, 404, 418, 429, 500, 502] {
            number += 1;
            app.advance(TimeDelta::milliseconds(1));
            receiver.next([Reply::Status(status)]);
            say(app, lead(number), 0).await;
            app.run_due().await;
            assert_eq!(deliveries(app, &id).await[0]["state"], "pending", "{status}");
        }
        for status in [301, 302, 303, 307, 308] {
            number += 1;
            app.advance(TimeDelta::milliseconds(1));
            receiver.next([Reply::With(status, "location", elsewhere.url.clone())]);
            say(app, lead(number), 0).await;
            app.run_due().await;
            assert_eq!(deliveries(app, &id).await[0]["state"], "pending", "{status}");
        }
        for status in [200, 201, 202, 204, 299] {
            number += 1;
            app.advance(TimeDelta::milliseconds(1));
            receiver.next([Reply::Status(status)]);
            say(app, lead(number), 0).await;
            app.run_due().await;
            assert_eq!(deliveries(app, &id).await[0]["state"], "delivered", "{status}");
        }
        assert_eq!(elsewhere.got(), []);
    })
    .await;
}

#[tokio::test]
async fn a_receiver_may_ask_to_be_left_alone_for_up_to_ten_hours() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        let date = (app.now() + TimeDelta::minutes(2)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let asked = [("600", 600), (&date, 120), ("999999999", 36_000)];
        for (number, (asked, expected)) in asked.into_iter().enumerate() {
            receiver.next([Reply::With(429, "retry-after", asked.to_owned())]);
            say(app, lead(number as u128), 0).await;
            app.run_due().await;

            let log = deliveries(app, &id).await;
            let of_lead = log.iter().find(|one| one["lead_id"] == json!(lead(number as u128)));
            let due = of_lead.unwrap()["next_attempt_at"].clone();
            let due: DateTime<Utc> = serde_json::from_value(due).unwrap();
            assert_eq!((due - app.now()).num_seconds(), expected, "{asked}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_says_gone_is_disabled_and_keeps_what_waits() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        receiver.next([Reply::Status(410)]);
        say(app, lead(1), 1).await;
        app.run_due().await;
        say(app, lead(2), 2).await;
        app.advance(TimeDelta::days(1));
        app.run_due().await;

        let endpoint = shown(app, &id).await;
        assert_eq!((&endpoint["enabled"], &endpoint["disabled_because"]), (&json!(false), &json!("gone")));
        assert_eq!(told(&receiver), [1], "nothing more is sent");

        let enabled = app
            .call("PATCH", &format!("/v1/webhooks/{id}"), Some(crate::harness::ADMIN), r#"{"enabled": true}"#)
            .await;
        assert_eq!(enabled.json()["disabled_at"], Value::Null);
        app.run_due().await;
        let mut after = told(&receiver);
        after.sort_unstable();
        assert_eq!(after, [1, 2], "it goes on where it stopped");
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_does_nothing_but_fail_for_five_days_is_disabled() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        receiver.always(Reply::Status(500));
        let began = app.now();
        for day in 0..5 {
            say(app, lead(day), 0).await;
            app.run_due().await;
            assert_eq!(shown(app, &id).await["enabled"], true, "day {day}");
            assert_eq!(shown(app, &id).await["failing_since"], json!(began));
            app.advance(TimeDelta::days(1));
        }
        app.run_due().await;

        let endpoint = shown(app, &id).await;
        assert_eq!((&endpoint["enabled"], &endpoint["disabled_because"]), (&json!(false), &json!("failing")));
        assert_eq!(endpoint["disabled_at"], json!(app.now()));
    })
    .await;
}

#[tokio::test]
async fn one_that_arrives_ends_the_count_of_failing_days() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        receiver.next([Reply::Status(500)]);
        say(app, lead(1), 0).await;
        app.run_due().await;
        app.advance(TimeDelta::days(4));
        app.run_due().await;
        assert_eq!(shown(app, &id).await["failing_since"], Value::Null);

        receiver.always(Reply::Status(500));
        app.advance(TimeDelta::days(2));
        say(app, lead(2), 0).await;
        app.run_due().await;

        assert_eq!(shown(app, &id).await["enabled"], true);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_hangs_or_is_not_there_keeps_nobody_else_waiting() {
    run(async |app| {
        let (hanging, fine) = (Receiver::start().await, Receiver::start().await);
        hanging.always(Reply::Hang);
        let (slow, _) = endpoint(app, &hanging).await;
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let absent = create(app, &json!({"url": format!("http://{nobody}/")})).await.json();
        endpoint(app, &fine).await;
        for number in 0..60 {
            say(app, lead(number), i64::try_from(number).unwrap()).await;
        }
        let (runner, began) = (app.clone(), Instant::now());
        let all = tokio::spawn(async move { runner.run_due().await });

        while fine.got().len() < 60 {
            assert!(began.elapsed().as_secs() < 20, "{} of 60 came", fine.got().len());
            tokio::task::yield_now().await;
        }
        let hung = hanging.got().len();
        let first = deliveries(app, &slow).await.iter().all(|one| one["attempts"] == json!([]));

        assert!(first && hung <= 8, "before the hanging one has had its time: {hung}");
        // Eight are let hang to the end, then one after the other; to be done with it, it wakes up.
        hanging.always(Reply::Status(200));
        all.await.unwrap();
        let absent = deliveries(app, absent["id"].as_str().unwrap()).await;
        assert!(absent.iter().all(|one| one["attempts"][0]["status"].is_null()), "{absent:?}");
        assert!(absent[0]["attempts"][0]["error"].as_str().unwrap().contains("refused"), "{absent:?}");
        let timed_out = deliveries(app, &slow).await;
        let timed_out = timed_out.iter().filter(|one| !one["attempts"][0]["error"].is_null()).count();
        assert!((1..=8).contains(&timed_out), "{timed_out} took too long");
    })
    .await;
}

#[tokio::test]
async fn a_courier_slower_than_its_lease_writes_nothing_and_another_sends_the_same_again() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        receiver.next([Reply::Hang]);
        say(app, lead(1), 1).await;
        let (slow, quick) = (app.clone(), app.clone());
        let slow = tokio::spawn(async move { slow.run_due().await });
        while receiver.got().is_empty() {
            tokio::task::yield_now().await;
        }
        // As if the process had been stopped in the middle: its time is over before it knows.
        app.advance(TimeDelta::seconds(8));

        quick.run_due().await;
        slow.await.unwrap();

        let [first, second] = &receiver.take()[..] else { panic!("two messages") };
        assert_eq!((first.id(), &first.text), (second.id(), &second.text));
        let log = deliveries(app, &id).await;
        assert_eq!((log.len(), &log[0]["state"]), (1, &json!("delivered")));
        let attempts = log[0]["attempts"].as_array().unwrap();
        assert_eq!((attempts.len(), &attempts[0]["status"]), (1, &json!(204)), "{attempts:?}");
        assert_eq!(shown(app, &id).await["failing_since"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_service_that_stops_gives_up_waiting_and_leaves_the_delivery_to_others() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        let other = app.patient_instance().await;
        receiver.next([Reply::Hang]);
        say(app, lead(1), 1).await;
        FanOut::run_once(&other.app.webhooks).await.unwrap();
        Deliver::run_once(&other.app.webhooks).await.unwrap();
        while receiver.got().is_empty() {
            tokio::task::yield_now().await;
        }

        other.app.stop.cancel();
        other.app.webhooks.couriers.idle().await;

        assert_eq!(states(app, &id).await, ["pending"]);
        app.run_due().await;
        assert_eq!(states(app, &id).await, ["delivered"]);
        assert_eq!(told(&receiver), [1, 1]);
        other.app.shut_down().await;
    })
    .await;
}
