//! The writers: what they promise when things go wrong.

use axum::http::{StatusCode, header};
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection, Executor};

use crate::harness::{Answer, TestApp, run};

fn trial(user: usize) -> Value {
    json!({"id": "e1", "type": "trial_started", "lead": {"user_id": format!("u{user}")}})
}

async fn logged(app: &TestApp) -> i64 {
    sqlx::query_scalar("select count(*) from event")
        .fetch_one(&mut app.database.connect().await)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_service_refuses_at_once_and_loses_nothing_that_it_took() {
    run(async |app| {
        let mut blocker = app.database.connect().await;
        let mut block = blocker.begin().await.unwrap();
        block.execute("lock table event in access exclusive mode").await.unwrap();
        let batch = |part: usize| {
            let events: Vec<Value> = (0..10_000).map(|n| trial(part * 10_000 + n)).collect();
            Value::Array(events).to_string()
        };
        let waiting: Vec<_> = (0..6)
            .map(|part| {
                let (router, body) = (app.clone(), batch(part));
                tokio::spawn(async move { router.post("/v1/events", body).await })
            })
            .collect();
        while app.app.intake.writers.waiting() < 60_000 {
            tokio::task::yield_now().await;
        }

        let refused = app.post("/v1/events", batch(6)).await;

        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "overloaded")
        );
        assert_eq!(refused.headers[header::RETRY_AFTER], "1");
        block.rollback().await.unwrap();
        for answer in join_all(waiting).await {
            assert_eq!(answer.unwrap().json()["accepted"], 10_000);
        }
        assert_eq!(logged(app).await, 60_000);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_the_database_refuses_is_rejected_alone() {
    run(async |app| {
        let mut conn = app.database.connect().await;
        conn.execute("alter table event add constraint no_poison check (type <> 'poison')").await.unwrap();
        let mut events: Vec<Value> = (0..50).map(trial).collect();
        events.insert(31, json!({"type": "poison", "lead": {"user_id": "u1"}}));
        events.insert(7, json!({"type": "Not Snake", "lead": {"user_id": "u1"}}));

        let answer = app.post("/v1/events", Value::Array(events).to_string()).await.json();

        assert_eq!(answer["accepted"], 50);
        let rejected: Vec<_> =
            answer["rejected"].as_array().unwrap().iter().map(|one| (&one["index"], &one["code"])).collect();
        assert_eq!(
            rejected,
            [(&json!(7), &json!("invalid_event_type")), (&json!(32), &json!("unprocessable"))]
        );
        assert_eq!(logged(app).await, 50);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_on_one_database_write_the_same_leads_without_losing_or_doubling() {
    run(async |app| {
        let other = app.second_instance().await;
        let visit = |number: i64, user: usize| {
            json!({"id": format!("v{number}"), "type": "page_viewed", "lead": {"user_id": format!("u{user}")},
                "properties": {"path": "/pricing"}, "occurred_at": app.now() - TimeDelta::days(number % 3)})
        };
        let sent = (0..60).flat_map(|number| [(number, app), (number, &other)]).map(|(number, instance)| {
            let events: Vec<Value> = (0..5).map(|user| visit(number, user)).collect();
            instance.post("/v1/events", Value::Array(events).to_string())
        });

        let answers: Vec<Value> = join_all(sent).await.iter().map(Answer::json).collect();

        let sum = |field: &str| answers.iter().map(|answer| answer[field].as_i64().unwrap()).sum::<i64>();
        assert_eq!((sum("accepted"), sum("duplicates")), (300, 300));
        assert_eq!(logged(app).await, 300);
        for user in 0..5 {
            let lead = app.lead(&format!("u{user}")).await;
            assert_eq!(
                lead["raw"], 33_000,
                "a visit on each of three days at 10, the cap of which is 30, and 3 for coming back"
            );
        }
        other.app.shut_down().await;
    })
    .await;
}
