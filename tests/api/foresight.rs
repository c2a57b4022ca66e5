//! What a score would be, was and will be: suppositions, series, and how long an MQL stays one.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::{TestApp, rows, run};

async fn send(app: &TestApp, events: &[(&str, &str)]) {
    for (id, kind) in events {
        app.events(
            json!({"id": id, "type": kind, "lead": {"user_id": "u1"}, "properties": {"path": "/pricing"}}),
        )
        .await;
    }
}

/// 40 of fit, and what these events are worth.
async fn director(app: &TestApp, events: &[(&str, &str)]) -> String {
    app.events(json!({"id": "fit", "type": "identify", "lead": {"user_id": "u1"},
        "traits": {"title": "Director", "phone": "+1 555 0100", "company": {"employees": 200}}}))
        .await;
    send(app, events).await;
    id(app).await
}

async fn id(app: &TestApp) -> String {
    app.lead("u1").await["id"].as_str().unwrap().to_owned()
}

async fn stage(app: &TestApp) -> String {
    app.lead("u1").await["stage"].as_str().unwrap().to_owned()
}

async fn receipt(app: &TestApp, lead: &str, query: &str) -> Value {
    app.get(&format!("/v1/leads/{lead}/score{query}")).await.json()
}

async fn what_if(app: &TestApp, lead: &str, body: Value) -> Value {
    let answer = app.post(&format!("/v1/leads/{lead}/score/what-if"), body.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn series(app: &TestApp, lead: &str, query: &str) -> Value {
    let answer = app.get(&format!("/v1/leads/{lead}/score/series{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn adjust(app: &TestApp, lead: &str, body: Value) {
    let answer = app.post(&format!("/v1/leads/{lead}/adjustments"), body.to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

fn instant(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap_or_else(|| panic!("{value} is no instant")).parse().unwrap()
}

async fn move_to(app: &TestApp, at: DateTime<Utc>) {
    app.advance(at - app.now());
    app.run_due().await;
}

/// Everything that is due on the way, when it is due.
async fn live_through(app: &TestApp, until: DateTime<Utc>) {
    loop {
        let next: Option<DateTime<Utc>> = sqlx::query_scalar("select min(due_at) from score")
            .fetch_one(&mut app.database.connect().await)
            .await
            .unwrap();
        match next.filter(|next| *next <= until) {
            Some(next) => move_to(app, next).await,
            None => return move_to(app, until).await,
        }
    }
}

#[tokio::test]
async fn a_supposed_event_counts_as_a_real_one_would_and_writes_nothing() {
    run(async |app| {
        let lead = director(app, &[("e1", "page_viewed")]).await;
        let before = rows(app).await;

        let supposed = what_if(app, &lead, json!({"events": [{"id": "e2", "type": "trial_started"}]})).await;

        assert_eq!(rows(app).await, before, "it was a question");
        assert_eq!((&supposed["before"]["score"], &supposed["score"]), (&json!(50), &json!(70)));
        send(app, &[("e2", "trial_started")]).await;
        let mut real = receipt(app, &lead, "").await;
        real["before"] = supposed["before"].clone();
        assert_eq!(supposed, real);
    })
    .await;
}

#[tokio::test]
async fn supposed_traits_hold_against_what_was_said_before_and_null_removes_one() {
    run(async |app| {
        let lead = director(app, &[]).await;

        let other = what_if(app, &lead, json!({"traits": {"title": "Student", "phone": null}})).await;

        assert_eq!((&other["before"]["fit"], &other["fit"]), (&json!(40_000), &json!(-5_000)));
        assert_eq!(receipt(app, &lead, "").await["fit"], 40_000);
    })
    .await;
}

#[tokio::test]
async fn one_may_suppose_for_any_instant_and_any_version() {
    run(async |app| {
        let lead = director(app, &[("e1", "page_viewed")]).await;
        let version = receipt(app, &lead, "").await["model_version"].clone();

        let later = what_if(
            app,
            &lead,
            json!({"as_of": "2026-03-09T09:00:00Z", "model": version, "events": [
                {"type": "email_subscribed", "occurred_at": "2026-03-05T09:00:00Z"},
                {"type": "trial_started", "occurred_at": "2026-03-10T09:00:00Z"},
                {"type": "chat_started", "verdict": "machine"},
            ]}),
        )
        .await;

        assert_eq!((&later["before"]["raw"], &later["raw"]), (&json!(47_500), &json!(52_500)));
        assert_eq!(later["as_of"], "2026-03-09T09:00:00Z");
        let nothing = what_if(app, &lead, json!({})).await;
        assert_eq!(nothing["before"]["raw"], nothing["raw"]);
    })
    .await;
}

#[tokio::test]
async fn a_supposition_that_cannot_be_is_refused_with_a_pointer() {
    run(async |app| {
        let lead = director(app, &[("e1", "page_viewed")]).await;
        let many = vec![json!({"type": "page_viewed"}); 1001];
        for (body, pointer) in [
            (
                json!({"events": [{"type": "page_viewed"}, {"id": "e1", "type": "page_viewed"}]}),
                "/events/1/id",
            ),
            (json!({"events": [{"type": "page_viewed", "colour": "blue"}]}), "/events/0/colour"),
            (json!({"event": []}), "/event"),
            (json!({"events": many}), "/events"),
            (json!({"as_of": "soon"}), "/as_of"),
        ] {
            let answer = app.post(&format!("/v1/leads/{lead}/score/what-if"), body.to_string()).await;
            assert_eq!(answer.problem(), "invalid_request");
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{answer:?}");
        }
        let nobody = "/v1/leads/0196a000-0000-7000-8000-000000000000/score/what-if";
        assert_eq!(app.post(nobody, "{}").await.problem(), "not_found");
    })
    .await;
}

#[tokio::test]
async fn a_series_says_at_each_point_what_the_receipt_says_for_that_instant() {
    run(async |app| {
        let lead = director(app, &[("e1", "page_viewed")]).await;
        app.advance(TimeDelta::days(5));
        app.run_due().await;
        send(app, &[("e2", "content_downloaded"), ("e3", "page_viewed")]).await;
        adjust(app, &lead, json!({"points": 7.5, "reason": "r", "expires_at": "2026-03-20T00:00:00Z"})).await;
        app.advance(TimeDelta::days(5));
        app.run_due().await;

        let series = series(app, &lead, "?from=2026-03-01T00:00:00Z&to=2026-04-20T00:00:00Z&step=36h").await;

        let points = series["points"].as_array().unwrap();
        assert_eq!(points.len(), 34);
        for point in points {
            let at = point["at"].as_str().unwrap();
            let receipt = receipt(app, &lead, &format!("?as_of={at}")).await;
            for piece in ["score", "raw", "fit", "engagement", "band", "grade"] {
                assert_eq!(point[piece], receipt[piece], "{piece} at {at}");
            }
            assert_eq!(point["forecast"], instant(&point["at"]) > app.now(), "{at}");
        }
        assert_eq!(series["changes_complete"], true);
        let changes = series["changes"].as_array().unwrap();
        assert!(changes.iter().any(|change| change["at"] == "2026-03-20T00:00:00Z"), "{series}");
        for change in changes {
            let at = instant(&change["at"]);
            let just_before = (at - TimeDelta::microseconds(1)).to_rfc3339().replace("+00:00", "Z");
            let (before, after) = (
                receipt(app, &lead, &format!("?as_of={just_before}")).await,
                receipt(app, &lead, &format!("?as_of={}", change["at"].as_str().unwrap())).await,
            );
            assert_eq!((&change["from"], &change["to"]), (&before["score"], &after["score"]), "{change}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_series_reaches_thirty_days_to_either_side_in_about_ninety_points() {
    run(async |app| {
        let lead = director(app, &[]).await;

        let series = series(app, &lead, "").await;

        let points = series["points"].as_array().unwrap();
        assert_eq!((points.len(), &points[0]["at"]), (91, &json!("2026-01-31T09:00:00Z")));
        assert_eq!(points[90]["at"], "2026-04-01T09:00:00Z");
        assert_eq!(series["changes"][0]["at"], "2026-03-02T09:00:00Z");
        assert_eq!(
            series["outlook"],
            json!({"next_change_at": null, "falls_below_leave_at": null, "mql_until": null})
        );
    })
    .await;
}

#[tokio::test]
async fn a_series_that_cannot_be_drawn_is_refused_with_what_to_do() {
    run(async |app| {
        let lead = director(app, &[]).await;
        for (query, said) in [
            ("?step=1m", "86401 points"),
            ("?step=1month", "months and years"),
            ("?step=0d", "longer than zero"),
            ("?from=2026-04-02T00:00:00Z&to=2026-04-01T00:00:00Z", "before it begins"),
            ("?from=0001-01-01T00:00:00Z&to=9999-01-01T00:00:00Z&step=1w", "at most 1000"),
            ("?until=2026-04-02T00:00:00Z", "until"),
        ] {
            let answer = app.get(&format!("/v1/leads/{lead}/score/series{query}")).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (400, "invalid_parameter".to_owned()));
            let message = answer.json()["message"].to_string();
            assert!(message.contains(said), "{query}: {message}");
        }
        let most = series(app, &lead, "?from=2026-03-01T00:00:00Z&to=2026-04-11T15:00:00Z&step=1h").await;
        assert_eq!(most["points"].as_array().unwrap().len(), 1000);
        let centuries = series(app, &lead, "?from=0001-01-01T00:00:00Z&to=9999-01-01T00:00:00Z").await;
        assert_eq!(centuries["changes_complete"], true);
    })
    .await;
}

#[tokio::test]
async fn an_mql_leaves_at_the_instant_that_the_outlook_says() {
    run(async |app| {
        let lead = director(app, &[("e1", "trial_started"), ("e2", "email_subscribed")]).await;
        adjust(app, &lead, json!({"points": -15, "reason": "r"})).await;
        assert_eq!(stage(app).await, "mql");

        let outlook = series(app, &lead, "").await["outlook"].clone();

        let (falls, until) = (instant(&outlook["falls_below_leave_at"]), instant(&outlook["mql_until"]));
        assert_eq!(until - falls, TimeDelta::days(1), "the dwell");
        assert!(falls > app.now(), "{outlook}");
        live_through(app, falls - TimeDelta::microseconds(1)).await;
        assert!(app.lead("u1").await["score"].as_i64().unwrap() >= 45);
        live_through(app, falls + TimeDelta::hours(5)).await;
        assert!(app.lead("u1").await["score"].as_i64().unwrap() < 45);
        let again = series(app, &lead, "").await["outlook"].clone();
        assert_eq!(
            (&again["falls_below_leave_at"], &again["mql_until"]),
            (&outlook["falls_below_leave_at"], &outlook["mql_until"])
        );
        live_through(app, until - TimeDelta::microseconds(1)).await;
        assert_eq!(stage(app).await, "mql");
        live_through(app, until).await;
        assert_eq!(stage(app).await, "lead");
        assert_eq!(series(app, &lead, "").await["outlook"]["mql_until"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn a_dip_that_recovers_within_the_dwell_ends_nothing() {
    run(async |app| {
        let lead = director(app, &[("e1", "trial_started"), ("e2", "email_subscribed")]).await;
        adjust(app, &lead, json!({"points": -15, "reason": "for good"})).await;
        adjust(
            app,
            &lead,
            json!({"points": -10, "reason": "for a while", "expires_at": "2026-03-02T21:00:00Z"}),
        )
        .await;

        let outlook = series(app, &lead, "").await["outlook"].clone();

        assert_eq!(outlook["falls_below_leave_at"], "2026-03-02T09:00:00Z", "it is too low already");
        let until = instant(&outlook["mql_until"]);
        assert!(until > app.now() + TimeDelta::days(2), "{outlook}");
        live_through(app, until - TimeDelta::microseconds(1)).await;
        assert_eq!(stage(app).await, "mql");
        live_through(app, until).await;
        assert_eq!(stage(app).await, "lead");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_foretold_of_who_raised_a_hand() {
    run(async |app| {
        let lead = director(app, &[("e1", "demo_requested")]).await;
        adjust(app, &lead, json!({"points": -60, "reason": "r"})).await;
        assert_eq!(stage(app).await, "mql");

        let outlook = series(app, &lead, "").await["outlook"].clone();

        assert_eq!((&outlook["mql_until"], &outlook["falls_below_leave_at"]), (&Value::Null, &Value::Null));
        assert!(outlook["next_change_at"].is_string(), "{outlook}");
    })
    .await;
}
