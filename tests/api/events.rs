//! `POST /v1/events`: taken, scored, and there for every reader before the answer.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde_json::json;

use crate::harness::{WRITE, run};

#[tokio::test]
async fn an_event_is_scored_before_it_is_answered() {
    run(async |app| {
        let visit = json!({"id": "e1", "type": "page_viewed", "lead": {"user_id": "u1"}, "properties": {"path": "/pricing"}});

        let answer = app.events(visit).await;

        assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(1), &json!(0)));
        assert_eq!(answer["leads"][0]["score"], 10);
        let lead = app.only_lead().await;
        assert_eq!((&lead["user_id"], &lead["score"], &lead["raw"]), (&json!("u1"), &json!(10), &json!(10_000)));
    })
    .await;
}

#[tokio::test]
async fn the_same_event_again_is_a_duplicate_and_counts_once() {
    run(async |app| {
        let visit = json!({"id": "e1", "type": "trial_started", "lead": {"user_id": "u1"}});
        app.events(visit.clone()).await;

        let again = app.events(json!([visit, visit])).await;

        assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(2)));
        assert_eq!(app.only_lead().await["score"], 20);
    })
    .await;
}

#[tokio::test]
async fn another_content_under_a_known_id_is_a_conflict_and_the_first_is_kept() {
    run(async |app| {
        app.events(json!({"id": "e1", "type": "trial_started", "lead": {"user_id": "u1"}})).await;
        let other = json!([
            {"id": "e1", "type": "demo_requested", "lead": {"user_id": "u1"}},
            {"id": "e2", "type": "email_subscribed", "lead": {"user_id": "u1"}},
        ]);

        let answer = app.post("/v1/events", other.to_string()).await.json();

        assert_eq!(answer["accepted"], 1);
        assert_eq!(
            (&answer["rejected"][0]["index"], &answer["rejected"][0]["code"]),
            (&json!(0), &json!("id_conflict"))
        );
        assert_eq!(
            app.only_lead().await["score"],
            25,
            "20 for the trial, 5 for the newsletter, nothing for a demo"
        );
    })
    .await;
}

#[tokio::test]
async fn an_id_is_the_senders_own_so_two_leads_may_use_the_same() {
    run(async |app| {
        let answer = app
            .events(json!([
                {"id": "1", "type": "trial_started", "lead": {"user_id": "u1"}},
                {"id": "1", "type": "trial_started", "lead": {"user_id": "u2"}},
            ]))
            .await;

        assert_eq!(answer["accepted"], 2);
    })
    .await;
}

#[tokio::test]
async fn ndjson_is_taken_line_by_line_and_so_is_one_event_alone() {
    run(async |app| {
        let lines = "{\"type\":\"trial_started\",\"lead\":{\"user_id\":\"u1\"}}\n\n{\"type\":\"nonsense\n{\"type\":\"email_subscribed\",\"lead\":{\"user_id\":\"u1\"}}\n";
        let request = Request::post("/v1/events")
            .header(header::AUTHORIZATION, format!("Bearer {WRITE}"))
            .header(header::CONTENT_TYPE, "application/x-ndjson");

        let answer = app.send(request.body(Body::from(lines)).unwrap()).await;

        assert_eq!(answer.status, StatusCode::OK);
        let answer = answer.json();
        assert_eq!(answer["accepted"], 2);
        assert_eq!((&answer["rejected"][0]["index"], &answer["rejected"][0]["code"]), (&json!(1), &json!("invalid_json")));
    })
    .await;
}

#[tokio::test]
async fn the_leads_are_named_only_to_a_key_that_may_read() {
    run(async |app| {
        let event = json!({"type": "trial_started", "lead": {"user_id": "u1"}}).to_string();
        let request =
            Request::post("/v1/events?return=leads").header(header::AUTHORIZATION, format!("Bearer {WRITE}"));

        let answer = app.send(request.body(Body::from(event)).unwrap()).await.json();

        assert_eq!(answer, json!({"accepted": 1, "duplicates": 0, "rejected": []}));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_clock_cancels_out_when_the_time_of_sending_is_known() {
    run(async |app| {
        // The sender's clock is a year ahead; the event happened an hour before it was sent.
        let event = json!({
            "id": "e1", "type": "trial_started", "lead": {"user_id": "u1"},
            "occurred_at": "2027-03-02T08:00:00Z", "sent_at": "2027-03-02T09:00:00Z"
        });

        app.events(event).await;

        let lead = app.only_lead().await;
        assert_eq!(lead["last_activity_at"], "2026-03-02T08:00:00Z");
    })
    .await;
}

#[tokio::test]
async fn what_was_refused_is_kept_with_its_reason() {
    run(async |app| {
        let bad = r#"[{"type":"Not Snake","lead":{"user_id":"u1"}}]"#;

        app.post("/v1/events", bad).await;

        let (code, body): (String, Vec<u8>) = sqlx::query_as("select code, body from rejected_events")
            .fetch_one(&mut app.database.connect().await)
            .await
            .unwrap();
        assert_eq!(code, "invalid_event_type");
        assert_eq!(body, br#"{"type":"Not Snake","lead":{"user_id":"u1"}}"#);
    })
    .await;
}

#[tokio::test]
async fn a_type_is_kept_in_one_form_and_found_by_every_spelling() {
    run(async |app| {
        let (one, two) = ("geprüft", "gepru\u{308}ft");
        let event = |kind: &str| json!({"id": kind, "type": kind, "lead": {"user_id": "u1"}});

        app.events(json!([event(one), event(two), event("हिन्दी_फ़ॉर्म"), event("ที่"), event("ｄｅｍｏ")])).await;

        let kinds: Vec<String> =
            sqlx::query_scalar("select distinct type collate \"C\" from event order by 1")
                .fetch_all(&mut app.database.connect().await)
                .await
                .unwrap();
        assert_eq!(kinds, ["demo", "geprüft", "हिन्दी_फ\u{93c}ॉर्म", "ที่"]);
        let id = app.only_lead().await["id"].as_str().unwrap().to_owned();
        for asked in ["gepr%C3%BCft", "gepru%CC%88ft"] {
            let found = app.get(&format!("/v1/leads/{id}/events?type={asked}")).await.json();
            assert_eq!(found["data"].as_array().map(Vec::len), Some(2), "{found}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_event_in_which_a_key_stands_twice_is_refused_and_a_trackers_message_is_taken() {
    run(async |app| {
        let twice =
            r#"{"type": "form_submitted", "lead": {"user_id": "u1"}, "properties": {"a": {"n": 1, "n": 2}}}"#;
        let once = r#"{"type": "form_submitted", "lead": {"user_id": "u2"}, "properties": {"n": {"n": 1}}}"#;
        let tracked = r#"{"userId": "u3", "event": "Form Submitted", "properties": {"n": 1, "n": 2}}"#;

        let answer = app.post("/v1/events", format!("[{twice},{once}]")).await.json();
        let taken = app.post("/v1/track", tracked).await;

        assert_eq!(answer["accepted"], 1, "{answer}");
        let rejected = &answer["rejected"][0];
        assert_eq!((&rejected["index"], &rejected["code"]), (&json!(0), &json!("repeated_key")));
        assert!(
            rejected["detail"].as_str().unwrap().starts_with("properties.a: `n` stands twice"),
            "{rejected}"
        );
        assert_eq!(taken.status, 200, "a tracker's own server would have taken it");
        assert_eq!(app.lead("u3").await["user_id"], "u3");
    })
    .await;
}
