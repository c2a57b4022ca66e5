//! Who is offered to sales, by what, and with which evidence.

use chrono::TimeDelta;
use serde_json::json;

use super::{states, told};
use crate::harness::{
    call, does,
    models::{publish, visits},
    run,
    sales::{act, answered, change_terms, handoffs, last_passage, mql, open, stage},
};

#[tokio::test]
async fn who_becomes_an_mql_is_offered_with_what_speaks_for_it() {
    run(async |app| {
        let lead = mql(app, "u1").await;

        let handoff = open(app, &lead).await;

        assert_eq!(
            (&handoff["lead_id"], &handoff["cycle"], &handoff["score"]),
            (&json!(lead), &json!(1), &json!(65))
        );
        assert_eq!(
            (&handoff["offered_at"], &handoff["due_at"], &handoff["overdue"]),
            (&json!("2026-03-02T09:00:00Z"), &json!("2026-03-02T13:00:00Z"), &json!(false))
        );
        let evidence = &handoff["evidence"];
        assert_eq!(
            (&evidence["score"], &evidence["fit"], &evidence["engagement"], &evidence["grade"]),
            (&json!(65), &json!(40_000), &json!(25_000), &json!("A2"))
        );
        let lines = evidence["receipt"]["lines"].as_array().unwrap();
        assert_eq!(lines.iter().map(|line| line["points"].as_i64().unwrap()).sum::<i64>(), 65_000);
        let events = evidence["events"].as_array().unwrap();
        assert_eq!((events.len(), &events[0]["type"]), (3, &json!("email_subscribed")), "{events:?}");
        assert_eq!(
            (&evidence["qualified_by"], &evidence["model_name"]),
            (&json!("threshold"), &json!("b2b-saas"))
        );
        assert_eq!(evidence["model_version"], handoff["model_version"]);
        assert_eq!(evidence["consent"]["do_not_contact"], false);
        let rules: Vec<i64> = evidence["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["points"].as_i64().unwrap())
            .collect();
        assert!(rules.len() >= 4 && rules.is_sorted_by(|a, b| a >= b), "{rules:?}");
        assert_eq!(told(app).await, ["handoff.offered open"]);
    })
    .await;
}

#[tokio::test]
async fn the_evidence_stays_as_it_was_whatever_comes_later() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        let before = open(app, &lead).await;

        app.events(json!({"id": "late", "type": "chat_started", "lead": {"user_id": "u1"},
            "occurred_at": "2026-03-01T09:00:00Z"}))
            .await;
        app.advance(TimeDelta::hours(1));
        act(app, "u1", "more", "demo_requested").await;

        let path = format!("/v1/handoffs/{}", before["id"].as_str().unwrap());
        assert_eq!(app.get(&path).await.json(), before);
    })
    .await;
}

#[tokio::test]
async fn who_asks_not_to_be_contacted_is_offered_no_more_until_it_asks_for_contact() {
    run(async |app| {
        let lead = mql(app, "u1").await;

        act(app, "u1", "a", "do_not_contact_requested").await;

        let [handoff] = &handoffs(app, &lead).await[..] else { panic!("one") };
        assert_eq!((&handoff["state"], &handoff["reason"]), (&json!("withdrawn"), &json!("do_not_contact")));
        let refused = call(app, "POST", &format!("/v1/leads/{lead}/handoff"), &json!({})).await;
        assert_eq!(refused.problem(), "conflict");
        app.advance(TimeDelta::hours(1));
        act(app, "u1", "b", "demo_requested").await;
        assert_eq!(states(app, &lead).await, ["open", "withdrawn"]);
    })
    .await;
}

#[tokio::test]
async fn somebody_may_offer_a_lead_by_hand_and_vouches_for_it() {
    run(async |app| {
        app.events(
            json!({"id": "e1", "type": "identify", "lead": {"user_id": "u1"}, "traits": {"owner": "ola"}}),
        )
        .await;
        let lead = app.lead("u1").await["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/leads/{lead}/handoff");

        let answer = call(app, "POST", &path, &json!({"author": "mia"})).await;

        assert_eq!(answer.status, 201, "{answer:?}");
        let handoff = answer.json();
        assert_eq!(
            (&handoff["offered_by"], &handoff["rep"], &handoff["score"], &handoff["cycle"]),
            (&json!("mia"), &json!("ola"), &json!(0), &json!(1))
        );
        assert_eq!(handoff["evidence"]["qualified_by"], "person");
        assert_eq!(answer.headers["location"], format!("/v1/handoffs/{}", handoff["id"].as_str().unwrap()));
        assert_eq!(last_passage(app).await, "lead > mql: person by mia");
        app.advance(TimeDelta::days(100));
        app.run_due().await;
        assert_eq!(stage(app, &lead).await, "mql", "no score takes back what a colleague vouches for");
        let again = call(app, "POST", &path, &json!({"rep": "bob"})).await;
        assert_eq!((again.status.as_u16(), &again.json()["id"]), (200, &handoff["id"]));
        assert_eq!(states(app, &lead).await, ["open"]);
    })
    .await;
}

#[tokio::test]
async fn the_same_call_under_the_same_key_is_the_same_offer_also_when_that_was_answered() {
    run(async |app| {
        act(app, "u1", "e1", "page_viewed").await;
        let lead = app.lead("u1").await["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/leads/{lead}/handoff");
        let headers = [("content-type", "application/json"), ("idempotency-key", "k-1")];
        let first = app.post_with(&path, &headers, "{}").await;
        assert_eq!(first.status, 201);
        answered(app, &first.json(), "reject", json!({"reason": "other"})).await;

        let second = app.post_with(&path, &headers, "{}").await;

        assert_eq!((second.status.as_u16(), &second.json()["id"]), (200, &first.json()["id"]));
        assert_eq!(second.json()["state"], "rejected");
        assert_eq!(call(app, "POST", &path, &json!({})).await.status, 201, "another call is another offer");
    })
    .await;
}

#[tokio::test]
async fn nobody_is_offered_by_hand_who_is_unknown_or_with_sales_already() {
    run(async |app| {
        app.events(json!({"id": "e1", "type": "page_viewed", "lead": {"anonymous_id": "d1"}})).await;
        let stranger = app.only_lead().await["id"].as_str().unwrap().to_owned();
        let taken = mql(app, "u1").await;
        answered(app, &open(app, &taken).await, "accept", json!({})).await;

        for lead in [&stranger, &taken] {
            let refused = call(app, "POST", &format!("/v1/leads/{lead}/handoff"), &json!({})).await;
            assert_eq!((refused.status.as_u16(), refused.problem()), (409, "conflict".to_owned()));
        }
        let nobody = "0196a000-0000-7000-8000-000000000000";
        for path in [format!("/v1/leads/{nobody}/handoff"), format!("/v1/handoffs/{nobody}/accept")] {
            assert_eq!(call(app, "POST", &path, &json!({})).await.problem(), "not_found");
        }
    })
    .await;
}

#[tokio::test]
async fn whom_only_a_new_model_made_an_mql_is_offered_when_the_person_does_something() {
    run(async |app| {
        publish(app, &visits(10)).await;
        for n in 0..5 {
            act(app, "u1", &format!("v{n}"), "page_viewed").await;
        }
        let lead = app.lead("u1").await["id"].as_str().unwrap().to_owned();
        assert_eq!(states(app, &lead).await, ["open"]);
        act(app, "u2", "w1", "page_viewed").await;
        let other = app.lead("u2").await["id"].as_str().unwrap().to_owned();
        app.advance(TimeDelta::hours(1));

        publish(app, &visits(50)).await;

        assert_eq!((stage(app, &other).await, states(app, &other).await.len()), ("mql".to_owned(), 0));
        app.advance(TimeDelta::hours(1));
        act(app, "u2", "w2", "page_viewed").await;
        assert_eq!(open(app, &other).await["evidence"]["qualified_by"], "threshold");
    })
    .await;
}

#[tokio::test]
async fn without_the_policys_word_nobody_is_offered_but_by_hand() {
    run(async |app| {
        change_terms(app, json!({"auto_offer": false})).await;

        let lead = mql(app, "u1").await;

        assert_eq!(states(app, &lead).await, Vec::<String>::new());
        does(app, "POST", &format!("/v1/leads/{lead}/handoff"), json!({})).await;
        assert_eq!((states(app, &lead).await, app.count("transition").await), (vec!["open".to_owned()], 1));
    })
    .await;
}
