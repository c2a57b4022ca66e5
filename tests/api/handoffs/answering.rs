//! A handoff is answered once, and every mistake in an answer is named.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use super::states;
use crate::harness::{
    run,
    sales::{answer, answered, change_policy, mql, open},
};

#[tokio::test]
async fn the_same_answer_again_is_told_the_same_and_any_other_is_a_conflict() {
    run(async |app| {
        let (first, second) = (mql(app, "u1").await, mql(app, "u2").await);
        let (first, second) = (open(app, &first).await, open(app, &second).await);
        let accepted = answered(app, &first, "accept", json!({"rep": "ana"})).await;
        let rejected = answered(app, &second, "reject", json!({"rep": "ana", "reason": "no_need"})).await;
        app.advance(TimeDelta::hours(1));

        assert_eq!(answered(app, &first, "accept", json!({"rep": "ana"})).await, accepted);
        assert_eq!(
            answered(app, &second, "reject", json!({"rep": "ana", "reason": "no_need"})).await,
            rejected
        );
        for (handoff, verb, body) in [
            (&first, "accept", json!({"rep": "bob"})),
            (&first, "reject", json!({"rep": "ana", "reason": "no_need"})),
            (&first, "reassign", json!({"rep": "bob"})),
            (&second, "accept", json!({"rep": "ana"})),
            (&second, "reject", json!({"rep": "ana", "reason": "other"})),
            (&second, "recycle", json!({"rep": "ana"})),
        ] {
            let refused = answer(app, handoff, verb, body).await;
            assert_eq!((refused.status.as_u16(), refused.problem()), (409, "conflict".to_owned()));
        }
        assert_eq!(app.count("transition").await, 4);
    })
    .await;
}

#[tokio::test]
async fn of_many_answers_at_one_moment_one_is_given() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let handoff = open(app, &lead).await;
        let calls = (0..12).map(|n| {
            let rep = format!("rep-{n}");
            let (verb, body) = match n % 3 {
                0 => ("accept", json!({"rep": rep})),
                1 => ("reject", json!({"rep": rep, "reason": "other"})),
                _ => ("recycle", json!({"rep": rep})),
            };
            answer(app, &handoff, verb, body)
        });

        let answers = join_all(calls).await;

        let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        // Who accepted may have been recycled by another at once: that is a second answer to another state.
        assert!(with(200) == 1 || states(app, &lead).await == ["recycled"], "{answers:?}");
        assert_eq!(with(200) + with(409), 12, "{answers:?}");
    })
    .await;
}

#[tokio::test]
async fn a_reason_that_the_policy_does_not_know_is_refused_with_those_that_it_knows() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        change_policy(app, json!({"reject_reasons": [{"code": "nope", "label": "No", "then": "lead"}]}))
            .await;

        let refused = answer(app, &open(app, &lead).await, "reject", json!({"reason": "other"})).await;

        assert_eq!((refused.status.as_u16(), refused.problem()), (422, "invalid_request".to_owned()));
        assert_eq!(refused.json()["errors"][0]["pointer"], "/reason");
        assert!(refused.json()["message"].as_str().unwrap().contains("nope"));
        assert_eq!(states(app, &lead).await, ["open"]);
    })
    .await;
}

#[tokio::test]
async fn a_handoff_carries_a_tag_and_every_mistake_is_named() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let handoff = open(app, &lead).await;
        let path = format!("/v1/handoffs/{}", handoff["id"].as_str().unwrap());
        assert!(app.get(&path).await.headers.contains_key("etag"));

        for (verb, body, pointer) in [
            ("accept", json!({"rep": ""}), "/rep"),
            ("accept", json!({"colour": "blue"}), "/colour"),
            ("reject", json!({}), ""),
            ("reject", json!({"reason": "other", "note": "a\u{0}b"}), "/note"),
            ("recycle", json!({"until": "soon"}), "/until"),
            ("reassign", json!({"rep": "  "}), "/rep"),
        ] {
            let refused = answer(app, &handoff, verb, body).await;
            assert_eq!(refused.problem(), "invalid_request", "{refused:?}");
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
        }
        assert_eq!(states(app, &lead).await, ["open"]);
    })
    .await;
}
