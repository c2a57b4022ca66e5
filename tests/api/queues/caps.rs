//! How many leads a rep is handed.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use super::{ask, done, leads, next, put};
use crate::harness::{TestApp, run};

async fn crowd(app: &TestApp, count: usize) {
    let users: Vec<String> = (0..count).map(|n| format!("u{n:02}")).collect();
    leads(app, &users.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

/// How many of so many calls at once are given a lead; all others must meet the cap.
async fn given(app: &TestApp, other: &TestApp, calls: usize) -> usize {
    let instances = [app, other];
    let answers = join_all((0..calls).map(|n| ask(instances[n % 2], "q", "ann"))).await;
    let (given, capped): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    for answer in capped {
        assert_eq!((answer.status.as_u16(), answer.problem()), (409, "cap_reached".to_owned()));
    }
    given.len()
}

#[tokio::test]
async fn a_rep_is_handed_no_more_leads_a_day_than_the_queue_says_however_many_calls_at_once() {
    run(async |app| {
        let second = app.second_instance().await;
        crowd(app, 20).await;
        put(app, "q", json!({"timezone": "America/New_York", "claims": {"most_a_day": 4}})).await;

        assert_eq!(given(app, &second, 12).await, 4);

        assert!(next(app, "q", "bob").await.is_some(), "another rep's cap is another");
        assert!(next(app, "sales", "ann").await.is_some(), "another queue's too");
        // It is 04:00 in New York; the day there ends at 05:00 of the next in UTC.
        app.advance(TimeDelta::hours(20) - TimeDelta::minutes(1));
        assert_eq!(given(app, &second, 2).await, 0);
        app.advance(TimeDelta::minutes(1));
        assert_eq!(given(app, &second, 12).await, 4, "a new day");
        second.app.shut_down().await;
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn a_rep_holds_no_more_leads_at_once_than_the_queue_says() {
    run(async |app| {
        let second = app.second_instance().await;
        crowd(app, 6).await;
        put(app, "q", json!({"claims": {"most_at_once": 1}})).await;
        let held = next(app, "q", "ann").await.unwrap();

        assert_eq!(given(app, &second, 4).await, 0);
        done(app, &held, "complete", json!({})).await;
        assert_eq!(given(app, &second, 4).await, 1);
        app.advance(TimeDelta::minutes(30));
        assert_eq!(given(app, &second, 4).await, 1, "what has expired is not held");
        second.app.shut_down().await;
    })
    .await;
}
