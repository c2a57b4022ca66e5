//! Adjustments and resets: events with author and reason, in the receipt, and never an overwritten score.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{ADMIN, Answer, TestApp, run};

/// A lead with 10 points for a look at the prices.
async fn visitor(app: &TestApp) -> String {
    app.events(json!({"id": "e1", "type": "page_viewed", "lead": {"user_id": "u1"}, "properties": {"path": "/pricing"}}))
        .await;
    app.lead("u1").await["id"].as_str().unwrap().to_owned()
}

async fn adjust(app: &TestApp, lead: &str, body: Value) -> Answer {
    app.post(&format!("/v1/leads/{lead}/adjustments"), body.to_string()).await
}

async fn reset(app: &TestApp, lead: &str, body: Value) -> Answer {
    app.post(&format!("/v1/leads/{lead}/reset"), body.to_string()).await
}

/// The same with an `Idempotency-Key`.
async fn keyed(app: &TestApp, path: &str, key: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    app.post_with(path, &headers, body.to_string()).await
}

async fn receipt(app: &TestApp, lead: &str) -> Value {
    app.get(&format!("/v1/leads/{lead}/score")).await.json()
}

fn adjustments(receipt: &Value) -> Vec<Value> {
    let lines = receipt["receipt"]["lines"].as_array().unwrap();
    lines.iter().filter(|line| line["kind"] == "adjustment").cloned().collect()
}

#[tokio::test]
async fn an_adjustment_is_an_event_with_author_and_reason_and_a_line_of_the_receipt() {
    run(async |app| {
        let lead = visitor(app).await;

        let answer =
            adjust(app, &lead, json!({"points": 12.5, "reason": " Met at the fair ", "author": "Ann"})).await;

        assert_eq!(answer.status, 201, "{answer:?}");
        let event = answer.json();
        assert_eq!((&event["type"], &event["verdict"]), (&json!("score_adjusted"), &json!("human")));
        assert_eq!(
            event["properties"],
            json!({"points": 12.5, "reason": "Met at the fair", "author": "Ann"})
        );
        assert_eq!(
            (&event["occurred_at"], &event["received_at"]),
            (&json!("2026-03-02T09:00:00Z"), &json!("2026-03-02T09:00:00Z"))
        );
        let standing = &event["lead"];
        assert_eq!(
            (&standing["score"], &standing["raw"], &standing["stage"]),
            (&json!(23), &json!(22_500), &json!("lead"))
        );
        let lines = adjustments(&receipt(app, &lead).await);
        assert_eq!(lines.len(), 1);
        assert_eq!(
            (&lines[0]["points"], &lines[0]["occurrences"][0]["event_id"]),
            (&json!(12_500), &event["id"])
        );
        assert_eq!(app.only_lead().await["raw"], 22_500, "what is stored is what was answered");
    })
    .await;
}

#[tokio::test]
async fn an_adjustment_expires_by_itself() {
    run(async |app| {
        let lead = visitor(app).await;
        adjust(
            app,
            &lead,
            json!({"points": 30, "reason": "a call", "expires_at": "2026-03-03T10:00:00+01:00"}),
        )
        .await;
        assert_eq!(receipt(app, &lead).await["raw"], 40_000);
        let at = |instant: &str| format!("/v1/leads/{lead}/score?as_of={instant}");
        assert_eq!(app.get(&at("2026-03-03T08:59:59.999999Z")).await.json()["raw"], 40_000);
        assert_eq!(app.get(&at("2026-03-03T09:00:00Z")).await.json()["raw"], 10_000);

        app.advance(TimeDelta::days(1));
        assert_eq!(app.run_due().await, 1);

        assert_eq!(app.lead("u1").await["raw"], 10_000, "the stored score has followed");
        assert_eq!(adjustments(&receipt(app, &lead).await), Vec::<Value>::new());
    })
    .await;
}

#[tokio::test]
async fn the_author_is_the_keys_name_unless_another_is_given() {
    run(async |app| {
        let lead = visitor(app).await;
        let key = app.key_with(&["read_write"]).await;
        let path = format!("/v1/leads/{lead}/reset");

        let answer = app.call("POST", &path, Some(&key), json!({"reason": "r"}).to_string()).await;

        assert_eq!(answer.json()["properties"], json!({"reason": "r", "author": "a key"}));
        let reader = app.key_with(&["read", "ingest"]).await;
        let refused = app.call("POST", &path, Some(&reader), json!({"reason": "r"}).to_string()).await;
        assert_eq!(refused.problem(), "missing_scope");
    })
    .await;
}

#[tokio::test]
async fn a_reset_cuts_off_what_is_older_and_leaves_fit_and_adjustments() {
    run(async |app| {
        let lead = visitor(app).await;
        app.events(json!({"id": "e2", "type": "identify", "lead": {"user_id": "u1"}, "traits": {"title": "CEO"}})).await;
        adjust(app, &lead, json!({"points": -1, "reason": "r"})).await;
        app.advance(TimeDelta::hours(1));

        let answer = reset(app, &lead, json!({"reason": "was our own tester"})).await;

        assert_eq!(answer.status, 201, "{answer:?}");
        let event = answer.json();
        assert_eq!(event["type"], "engagement_reset");
        assert_eq!((&event["lead"]["engagement"], &event["lead"]["raw"]), (&json!(0), &json!(19_000)));
        app.advance(TimeDelta::hours(1));
        app.events(json!({"id": "e3", "type": "email_subscribed", "lead": {"user_id": "u1"}})).await;
        assert_eq!(receipt(app, &lead).await["engagement"], 5_000, "what comes after counts");
        let before = app.get(&format!("/v1/leads/{lead}/score?as_of=2026-03-02T09:30:00Z")).await.json();
        assert_eq!(before["engagement"], 10_000, "the past stays what it was");
        app.events(json!({"id": "late", "type": "trial_started", "lead": {"user_id": "u1"}, "occurred_at": "2026-03-01T09:00:00Z"})).await;
        assert_eq!(receipt(app, &lead).await["engagement"], 5_000, "what is older and comes late does not count");
    })
    .await;
}

#[tokio::test]
async fn the_same_call_under_the_same_key_is_the_same_event() {
    run(async |app| {
        let lead = visitor(app).await;
        let path = format!("/v1/leads/{lead}/adjustments");
        let body = json!({"points": 5, "reason": "r", "expires_at": "2026-03-03T09:00:00Z"});
        let first = keyed(app, &path, "k-1", &body).await;
        assert_eq!((first.status.as_u16(), &first.json()["id"]), (201, &json!("k-1")));
        app.advance(TimeDelta::hours(2));

        let second = keyed(
            app,
            &path,
            "k-1",
            &json!({"points": 5.0, "reason": "r", "expires_at": "2026-03-03T10:00:00+01:00"}),
        )
        .await;

        assert_eq!(second.status, 200);
        let event = |answer: &Answer| {
            let mut event = answer.json();
            event.as_object_mut().unwrap().remove("lead");
            event
        };
        assert_eq!(event(&second), event(&first));
        assert_eq!((app.count("event").await, &second.json()["lead"]["raw"]), (2, &json!(15_000)));
        app.advance(TimeDelta::days(2));
        app.run_due().await;
        let late = keyed(app, &path, "k-1", &body).await;
        assert_eq!(
            (late.status.as_u16(), &late.json()["lead"]["raw"]),
            (200, &json!(10_000)),
            "its end has passed"
        );
    })
    .await;
}

#[tokio::test]
async fn the_same_key_with_another_body_is_a_conflict() {
    run(async |app| {
        let lead = visitor(app).await;
        let path = format!("/v1/leads/{lead}/adjustments");
        let body = json!({"points": 5, "reason": "r"});
        keyed(app, &path, "k-1", &body).await;

        let reset = format!("/v1/leads/{lead}/reset");
        for (path, key, body) in [
            (&path, "k-1", json!({"points": 6, "reason": "r"})),
            (&path, "k-1", json!({"points": 5, "reason": "another"})),
            (&path, "k-1", json!({"points": 5, "reason": "r", "expires_at": "2026-03-03T09:00:00Z"})),
            (&reset, "k-1", json!({"reason": "r"})),
            (&path, "e1", body),
        ] {
            let answer = keyed(app, path, key, &body).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (409, "conflict".to_owned()), "{body}");
        }
        assert_eq!(app.count("event").await, 2);
    })
    .await;
}

#[tokio::test]
async fn calls_under_one_key_at_one_moment_add_one_event() {
    run(async |app| {
        let lead = visitor(app).await;
        let path = format!("/v1/leads/{lead}/adjustments");
        let same = json!({"points": 5, "reason": "r"});
        let other = json!({"points": 7, "reason": "r"});
        let calls = (0..12).map(|n| keyed(app, &path, "k-1", if n % 3 == 0 { &other } else { &same }));

        let answers = futures_util::future::join_all(calls).await;

        let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((with(201), with(200) + with(409)), (1, 11), "{answers:?}");
        assert!(with(409) >= 4, "{answers:?}");
        assert_eq!(app.count("event").await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_merged_leads_old_id_and_old_keys_still_work() {
    run(async |app| {
        app.events(json!({"id": "e1", "type": "chat_started", "lead": {"email": "a@acme.example"}})).await;
        let former = app.lead("a@").await["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/leads/{former}/adjustments");
        let body = json!({"points": 5, "reason": "r"});
        keyed(app, &path, "k-1", &body).await;
        app.advance(TimeDelta::hours(1));
        app.events(json!([
            {"id": "e2", "type": "chat_started", "lead": {"user_id": "u1"}},
            {"id": "e3", "type": "identify", "lead": {"user_id": "u1", "email": "a@acme.example"}},
        ]))
        .await;

        let again = keyed(app, &path, "k-1", &body).await;
        let new = adjust(app, &former, json!({"points": 1, "reason": "r"})).await;

        assert_eq!((again.status.as_u16(), new.status.as_u16()), (200, 201));
        assert_eq!(new.json()["lead"]["id"], app.lead("u1").await["id"]);
        assert_eq!(new.json()["lead"]["raw"], 26_000);
        let kinds: Vec<String> = sqlx::query_scalar(
            "select i.kind from event e join identity i on i.id = e.identity_id
            where e.type = 'score_adjusted' order by e.occurred_at",
        )
        .fetch_all(&mut app.database.connect().await)
        .await
        .unwrap();
        assert_eq!(kinds, ["email", "user_id"], "each hangs on the strongest identity of its time");
    })
    .await;
}

#[tokio::test]
async fn every_mistake_is_named_with_a_pointer_to_it() {
    run(async |app| {
        let lead = visitor(app).await;
        let pointers = |answer: &Answer| {
            assert_eq!(answer.problem(), "invalid_request", "{answer:?}");
            let errors = answer.json()["errors"].clone();
            let pointer = |error: &Value| error["pointer"].as_str().unwrap().to_owned();
            errors.as_array().unwrap().iter().map(pointer).collect::<Vec<_>>().join(" ")
        };
        for (body, expected) in [
            (json!({"points": 0, "reason": "r"}), "/points"),
            (json!({"points": 0.0001, "reason": ""}), "/points /reason"),
            (json!({"points": "10", "reason": "r", "expires_at": "soon"}), "/points /expires_at"),
            (json!({"points": 1_000_001, "reason": "r"}), "/points"),
            (json!({"points": 1, "reason": "r", "expires_at": "2026-03-02T09:00:00Z"}), "/expires_at"),
            (json!({"points": 1, "reason": "r", "expires_at": 5}), "/expires_at"),
            (json!({"points": 1, "reason": "r", "expires_at": "9999-12-31T23:59:59-12:00"}), "/expires_at"),
            (json!({"points": 1, "reason": " ", "author": " "}), "/reason /author"),
            // A text that nothing can hold is refused where it stands, before anything else is looked at.
            (json!({"points": 1, "reason": "a\u{0}b", "author": " "}), "/reason"),
            (json!({"points": 1, "reason": "r", "colour": "blue"}), "/colour"),
        ] {
            assert_eq!(pointers(&adjust(app, &lead, body.clone()).await), expected, "{body}");
        }
        assert_eq!(pointers(&reset(app, &lead, json!({"reason": "r", "points": 1})).await), "/points");
        for missing in [json!({"points": 1}), json!({"reason": "r"}), json!({})] {
            assert_eq!(adjust(app, &lead, missing).await.problem(), "invalid_request");
        }
        assert_eq!(reset(app, &lead, json!({})).await.problem(), "invalid_request");
        assert_eq!(app.count("event").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_lead_that_does_not_exist_and_a_key_that_cannot_be_read_are_refused() {
    run(async |app| {
        let nobody = "0196a000-0000-7000-8000-000000000000";
        let body = json!({"points": 1, "reason": "r"});
        assert_eq!(adjust(app, nobody, body.clone()).await.problem(), "not_found");
        let lead = visitor(app).await;
        let path = format!("/v1/leads/{lead}/adjustments");
        assert_eq!(keyed(app, &path, "", &body).await.problem(), "invalid_parameter");
        assert_eq!(keyed(app, &path, &"k".repeat(513), &body).await.problem(), "invalid_parameter");
        let sent = app.call(
            "POST",
            "/v1/events",
            Some(ADMIN),
            json!({"type": "score_adjusted", "lead": {"user_id": "u1"}}).to_string(),
        );
        assert_eq!(sent.await.json()["rejected"][0]["code"], "reserved_event_type");
        assert_eq!(app.count("event").await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_adjustment_can_make_an_mql_but_not_of_one_who_did_nothing_since() {
    run(async |app| {
        app.events(json!([
            {"id": "e1", "type": "identify", "lead": {"user_id": "u1"},
             "traits": {"title": "Director", "phone": "+1 555 0100", "company": {"employees": 200}}},
            {"id": "e2", "type": "trial_started", "lead": {"user_id": "u1"}},
            {"id": "e3", "type": "email_clicked", "lead": {"user_id": "u1"}},
        ]))
        .await;
        let lead = app.lead("u1").await;
        assert_eq!(lead["stage"], "lead", "{lead}");
        let id = lead["id"].as_str().unwrap();
        app.events(json!({"id": "e4", "type": "chat_started", "lead": {"user_id": "u1"}})).await;
        assert_eq!(app.lead("u1").await["stage"], "mql");

        let fallen = adjust(app, id, json!({"points": -60, "reason": "a competitor's tester"})).await.json();
        assert_eq!(fallen["lead"]["stage"], "mql", "the dwell is a day");
        app.advance(TimeDelta::days(1));
        app.run_due().await;
        assert_eq!(app.lead("u1").await["stage"], "lead");
        let raised = adjust(app, id, json!({"points": 60, "reason": "a mistake"})).await.json();

        assert_eq!(raised["lead"]["stage"], "lead", "{raised}");
    })
    .await;
}
