//! Calls that count only for the lead as it was read, and calls that are repeated.

use axum::http::header;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{call, post, put, status, statuses};
use crate::harness::run;

#[tokio::test]
async fn a_lead_that_has_changed_since_it_was_read_is_left_as_it_is() {
    run(async |app| {
        let made = post(app, json!({"user_id": "u1", "traits": {"title": "CEO"}})).await;
        let tag = made.headers[header::ETAG].to_str().unwrap().to_owned();
        let path = format!("/v1/leads/{}", made.json()["id"].as_str().unwrap());
        app.advance(TimeDelta::hours(1));

        let fits = json!({"traits": {"title": "Manager"}});
        let first = call(app, "PATCH", &path, &[("if-match", &tag)], &fits).await;
        let second =
            call(app, "PATCH", &path, &[("if-match", &tag)], &json!({"traits": {"title": "Intern"}})).await;
        let third = call(app, "PUT", "/v1/leads/by/external_id/u1", &[("if-match", &tag)], &json!({})).await;

        assert_eq!(status(&first), (200, "updated".to_owned()));
        for refused in [second, third] {
            assert_eq!((refused.status.as_u16(), refused.problem()), (412, "precondition_failed".to_owned()));
        }
        let fresh = first.headers[header::ETAG].to_str().unwrap();
        let put = call(
            app,
            "PUT",
            "/v1/leads/by/external_id/u1",
            &[("if-match", fresh)],
            &json!({"traits": {"a": 1}}),
        )
        .await;
        assert_eq!(put.json()["profile"], json!({"title": "Manager", "a": 1}));
        for any in [fresh, "*"] {
            let nobody =
                call(app, "PUT", "/v1/leads/by/external_id/u2", &[("if-match", any)], &json!({})).await;
            assert_eq!(nobody.problem(), "precondition_failed");
        }
        assert_eq!(app.count("event").await, 3);
    })
    .await;
}

#[tokio::test]
async fn of_changes_to_what_several_have_read_one_is_made() {
    run(async |app| {
        let made = post(app, json!({"user_id": "u1", "traits": {"n": 0}})).await;
        let tag = made.headers[header::ETAG].to_str().unwrap().to_owned();
        let path = format!("/v1/leads/{}", made.json()["id"].as_str().unwrap());
        app.advance(TimeDelta::hours(1));

        let other = app.second_instance().await;
        let headers = [("if-match", tag.as_str())];
        let bodies: Vec<Value> = (1..=12).map(|n| json!({"traits": {"n": n}})).collect();
        let calls = bodies
            .iter()
            .enumerate()
            .map(|(n, body)| call(if n % 2 == 0 { app } else { &other }, "PATCH", &path, &headers, body));
        let answers = futures_util::future::join_all(calls).await;

        let made = answers.iter().filter(|answer| answer.status == 200).count();
        let refused = answers.iter().filter(|answer| answer.status == 412).count();
        assert_eq!((made, refused), (1, 11), "{answers:?}");
        assert_eq!(app.count("event").await, 2);
        other.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn the_same_call_under_the_same_key_is_made_once() {
    run(async |app| {
        let path = "/v1/leads/by/external_id/u1";
        let body = json!({"traits": {"title": "CEO"}});
        let key = [("idempotency-key", "k-1")];
        let first = call(app, "PUT", path, &key, &body).await;
        app.advance(TimeDelta::hours(1));
        put(app, "external_id/u1", json!({"traits": {"title": "Manager"}})).await;
        app.advance(TimeDelta::hours(1));

        let again = call(app, "PUT", path, &key, &body).await;
        let other = call(app, "PUT", path, &key, &json!({"traits": {"title": "Intern"}})).await;

        assert_eq!((status(&first).1.as_str(), status(&again).1.as_str()), ("created", "unchanged"));
        assert_eq!(again.json()["profile"]["title"], "Manager");
        assert_eq!((other.status.as_u16(), other.problem()), (409, "conflict".to_owned()));
        let leads =
            json!({"leads": [{"user_id": "u1", "traits": {"a": 1}}, {"user_id": "u1", "traits": {"a": 2}}]});
        for expected in [["updated", "updated"], ["unchanged", "unchanged"]] {
            let answer =
                call(app, "POST", "/v1/leads/batch", &[("idempotency-key", "k-2")], &leads).await.json();
            assert_eq!(statuses(answer["results"].as_array().unwrap()), expected);
        }
        assert_eq!(app.count("event").await, 4);
        let long = "k".repeat(513);
        let refused =
            call(app, "POST", "/v1/leads", &[("idempotency-key", &long)], &json!({"user_id": "u1"})).await;
        assert_eq!(refused.problem(), "invalid_parameter");
    })
    .await;
}
