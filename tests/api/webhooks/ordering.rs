//! One lead's changes never overtake each other; those of others do not wait.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use leadscore::{feed::webhooks::jobs::FanOut, platform::sweep::Sweep};
use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};
use sqlx::{Connection, Executor};

use super::{deliveries, endpoint, lead, say, states, told};
use crate::harness::{Receiver, Reply, run};

#[tokio::test]
async fn a_leads_next_change_waits_until_the_one_before_has_arrived() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        receiver.next([Reply::Status(500)]);
        for number in 1..=3 {
            say(app, lead(1), number).await;
        }
        app.run_due().await;
        app.advance(TimeDelta::milliseconds(1));
        say(app, lead(2), 100).await;
        app.run_due().await;

        assert_eq!(told(&receiver), [1, 100], "another lead does not wait");
        let waiting = deliveries(app, &id).await;
        let next: Vec<&Value> = waiting.iter().rev().map(|one| &one["next_attempt_at"]).collect();
        assert!(next[0].is_string(), "{next:?}");
        assert_eq!(next[1..], [&Value::Null; 3], "those behind it have no time of their own");
        app.advance(TimeDelta::seconds(6));
        app.run_due().await;

        assert_eq!(told(&receiver), [1, 2, 3]);
    })
    .await;
}

#[tokio::test]
async fn what_is_given_up_makes_way_for_the_next() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let (id, _) = endpoint(app, &receiver).await;
        receiver.next((0..8).map(|_| Reply::Status(500)));
        say(app, lead(1), 1).await;
        say(app, lead(1), 2).await;
        for _ in 0..9 {
            app.run_due().await;
            app.advance(TimeDelta::hours(12));
        }

        assert_eq!(states(app, &id).await, ["failed", "delivered"]);
        assert_eq!(told(&receiver), [1, 1, 1, 1, 1, 1, 1, 1, 2]);
    })
    .await;
}

#[tokio::test]
async fn what_comes_while_the_last_of_a_lane_is_being_sent_is_sent_too() {
    run(async |app| {
        let receiver = Receiver::start().await;
        endpoint(app, &receiver).await;
        let mut expected = Vec::new();
        let runner = app.clone();
        let (end, mut ended) = tokio::sync::oneshot::channel::<()>();
        let sending = tokio::spawn(async move {
            while ended.try_recv().is_err() {
                runner.run_due().await;
            }
        });
        for number in 0..60 {
            say(app, lead(1), number).await;
            expected.push(number);
        }
        end.send(()).unwrap();
        sending.await.unwrap();
        app.run_due().await;

        assert_eq!(told(&receiver), expected);
        assert_eq!(app.count("webhook_lane").await, 0, "a lane ends with its line");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_put_into_a_lane_while_it_is_decided_whether_it_ends() {
    run(async |app| {
        let receiver = Receiver::start().await;
        endpoint(app, &receiver).await;
        let mut conn = app.database.connect().await;
        let mut no_attempts = conn.begin().await.unwrap();
        no_attempts.execute("lock table webhook_attempt in exclusive mode").await.unwrap();
        say(app, lead(1), 1).await;
        let (ending, beginning) = (app.clone(), app.clone());
        let ending = tokio::spawn(async move { ending.run_due().await });
        while !app.database.is_blocked("webhooks::deliveries::record").await {}
        say(app, lead(1), 2).await;

        let beginning = tokio::spawn(async move { FanOut::run_once(&beginning.app.webhooks).await });
        while !app.database.is_blocked("webhooks::lanes::open").await {
            assert!(!beginning.is_finished(), "or it would be closed with something in it");
        }
        no_attempts.rollback().await.unwrap();

        ending.await.unwrap();
        beginning.await.unwrap().unwrap();
        app.run_due().await;
        assert_eq!(told(&receiver), [1, 2]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_each_lead_sees_its_changes_in_order_and_every_one() {
    run(async |app| {
        let mut runner = TestRunner::deterministic();
        let receiver = Receiver::start().await;
        endpoint(app, &receiver).await;
        let other = app.second_instance().await;
        let plan = vec((0..5_u128, prop::bool::weighted(0.3)), 80).new_tree(&mut runner).unwrap().current();
        receiver.next(plan.iter().map(|(_, fails)| Reply::Status(if *fails { 500 } else { 200 })));
        let mut counts: BTreeMap<u128, i64> = BTreeMap::new();
        for (at, (number, _)) in plan.iter().enumerate() {
            let count = counts.entry(*number).or_default();
            *count += 1;
            say(app, lead(*number), *count).await;
            if at % 20 == 0 {
                tokio::join!(app.run_due(), other.run_due());
            }
        }
        for _ in 0..8 {
            tokio::join!(app.run_due(), other.run_due());
            app.advance(TimeDelta::hours(12));
        }
        app.run_due().await;

        let mut arrived: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for got in receiver.take() {
            let seen = arrived.entry(got.data()["lead_id"].to_string()).or_default();
            let to = got.data()["to"].as_i64().unwrap();
            if !seen.contains(&to) {
                seen.push(to);
            }
        }
        for (number, count) in counts {
            assert_eq!(arrived[&json!(lead(number)).to_string()], (1..=count).collect::<Vec<_>>());
        }
        other.app.shut_down().await;
    })
    .await;
}
