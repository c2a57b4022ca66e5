//! What is accepted can be read back; and what cannot be read costs itself, never its neighbours.

use leadscore::{feed::webhooks::jobs::FanOut, platform::sweep};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::harness::{
    ADMIN, Receiver, TestApp, assert_stored_is_replay, logged,
    models::{publish, visits},
    run,
    sales::change_policy,
};

/// The largest number that a double holds. Postgres prints 309 digits for it.
const LARGEST: &str = "1.7976931348623157e308";

async fn sends(app: &TestApp, event: &str) -> Value {
    let answer = app.post("/v1/events?return=leads", event.to_owned()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn sql(app: &TestApp, statement: String) {
    sqlx::query(AssertSqlSafe(statement)).execute(&mut app.database.connect().await).await.unwrap();
}

/// Whether all goes on beside a lead: lists, events that are committed with one of its own, a new model, the feed.
async fn all_goes_on_beside(app: &TestApp, lead: &str) {
    let listed = app.pages("/v1/leads?limit=1").await;
    assert!(listed.len() >= 2, "{listed:?}");
    for path in [
        "/v1/leads?sort=updated_at&limit=500",
        "/v1/queues/sales/leads",
        "/v1/changes?limit=500",
        &format!("/v1/leads/{lead}/events"),
        &format!("/v1/leads/{lead}/timeline"),
        &format!("/v1/leads/{lead}/score"),
    ] {
        let answer = app.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let user = app.get(&format!("/v1/leads/{lead}")).await.json()["user_id"].as_str().unwrap().to_owned();
    let both = json!([
        {"type": "identify", "lead": {"user_id": user}, "traits": {"seen": "again"}},
        {"type": "trial_started", "lead": {"user_id": "an innocent"}},
    ]);
    assert_eq!(app.events(both).await["accepted"], 2);
    publish(app, &visits(60)).await;
    app.run_due().await;
    let settled = app.get("/v1/leads?limit=500").await.json();
    let live = &app.get("/v1/models").await.json()["data"][0]["id"];
    for lead in settled["data"].as_array().unwrap() {
        assert_eq!(lead["model_version"], *live, "{lead}");
    }
}

#[tokio::test]
async fn the_largest_number_is_read_back_as_it_was_sent() {
    run(async |app| {
        let receiver = Receiver::start().await;
        let made = app.post("/v1/webhooks", json!({"url": receiver.url}).to_string()).await;
        assert_eq!(made.status, 201, "{made:?}");
        let event = format!(
            r#"[{{"id": "e1", "type": "identify", "lead": {{"user_id": "x"}}, "traits": {{"n": {LARGEST}, "deep": {{"m": [-{LARGEST}]}}}}}},
                {{"id": "e2", "type": "demo_requested", "lead": {{"user_id": "x"}}, "properties": {{"amount": {LARGEST}}}}},
                {{"id": "e3", "type": "demo_requested", "lead": {{"user_id": "y"}}}}]"#
        );

        let sent = sends(app, &event).await;

        assert_eq!((&sent["accepted"], &sent["rejected"]), (&json!(3), &json!([])), "{sent}");
        let lead = app.lead("x").await;
        assert_eq!(lead["profile"]["n"], f64::MAX);
        assert_eq!(lead["profile"]["deep"]["m"][0], f64::MIN);
        let id = lead["id"].as_str().unwrap();
        let events = app.get(&format!("/v1/leads/{id}/events?type=demo_requested")).await.json();
        assert_eq!(events["data"][0]["properties"]["amount"], f64::MAX);
        assert_eq!(sends(app, &event).await["duplicates"], 3, "the same again is the same");
        app.run_due().await;
        assert!(receiver.got().iter().any(|got| got.text.contains(id)), "webhooks tell of it");
        all_goes_on_beside(app, id).await;
        let answer = app.call("PATCH", &format!("/v1/leads/{id}"), Some(ADMIN), r#"{"traits": {"m": 1}}"#).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(app.lead("x").await["profile"]["n"], f64::MAX);
    })
    .await;
}

#[tokio::test]
async fn numbers_are_scored_and_shown_as_the_database_gives_them_back() {
    run(async |app| {
        for (number, back) in [
            ("1e16", "10000000000000000"),
            ("-0", "0.0"),
            ("9007199254740993", "9007199254740993"),
            ("9007199254740993e3", "9007199254740993000"),
            ("0.1", "0.1"),
            ("3.141592653589793238462643383279", "3.141592653589793"),
            ("1e-400", "0.0"),
            ("5e-324", "5e-324"),
            ("100000000000000000000", "100000000000000000000.0"),
        ] {
            let event =
                format!(r#"{{"type": "identify", "lead": {{"user_id": "n"}}, "traits": {{"n": {number}}}}}"#);
            assert_eq!(sends(app, &event).await["accepted"], 1, "{number}");
            let shown = app.lead("n").await["profile"]["n"].clone();
            let expected: Value = serde_json::from_str(back).unwrap();
            assert_eq!(shown.to_string(), expected.to_string(), "{number}");
            app.advance(chrono::TimeDelta::seconds(1));
        }
    })
    .await;
}

#[tokio::test]
async fn a_value_that_no_call_could_have_brought_is_read_and_harms_nobody() {
    run(async |app| {
        app.events(json!([
            {"id": "e1", "type": "identify", "lead": {"user_id": "odd"}, "traits": {"n": 1, "title": "CEO"}},
            {"id": "e2", "type": "demo_requested", "lead": {"user_id": "odd"}, "properties": {"n": 1}},
            {"id": "e3", "type": "demo_requested", "lead": {"user_id": "sound"}},
        ]))
        .await;
        let lead = app.lead("odd").await["id"].as_str().unwrap().to_owned();
        let nested = format!("{}{}", "[".repeat(300), "]".repeat(300));
        let beyond = format!(r#"{{"n": 1e400, "minus": -1e400, "deep": {nested}}}"#);
        sql(app, format!("update event set properties = '{beyond}' where id = 'e2'")).await;
        sql(app, format!("update event set traits = traits || '{beyond}' where id = 'e1'")).await;
        for (name, value) in [("n", "1e400"), ("deep", &*nested)] {
            let dated = format!("(select attributes->'n' || '{{\"value\": {value}}}' from lead_profile where lead_id = '{lead}')");
            sql(app, format!("update lead_profile set attributes = attributes || jsonb_build_object('{name}', {dated}) where lead_id = '{lead}'")).await;
        }
        sql(app, format!("update change set data = data || '{beyond}' where lead_id = '{lead}'")).await;
        sql(app, format!("update outbox set data = data || '{beyond}' where lead_id = '{lead}'")).await;
        sql(app, format!("update handoff set evidence = evidence || '{beyond}' where lead_id = '{lead}'")).await;
        let made = app.post("/v1/webhooks", json!({"url": "https://crm.example/"}).to_string()).await.json();

        let shown = app.get(&format!("/v1/leads/{lead}")).await.json();

        assert_eq!(shown["profile"]["n"], f64::MAX, "the nearest number that there is");
        assert!(shown["profile"]["deep"][0][0].is_array(), "{shown}");
        assert_eq!(app.get(&format!("/v1/handoffs?lead_id={lead}")).await.status, 200);
        let fan_out = sweep::run_once::<FanOut>(&app.app.webhooks).await;
        fan_out.unwrap();
        let endpoint = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
        app.call("DELETE", &endpoint, Some(ADMIN), "").await;
        all_goes_on_beside(app, &lead).await;
    })
    .await;
}

/// Puts something into the place of a lead's attributes that no release has written.
async fn damage(app: &TestApp, lead: &str) {
    sql(app, format!("update lead_profile set attributes = '{{\"title\": 7}}' where lead_id = '{lead}'"))
        .await;
}

async fn stored(app: &TestApp, lead: &str) -> Value {
    sqlx::query_scalar("select attributes from lead_profile where lead_id = $1::uuid")
        .bind(lead)
        .fetch_one(&mut app.database.connect().await)
        .await
        .unwrap()
}

/// How often it is told that the attributes of a lead cannot be read.
fn told(log: &str, lead: &str) -> usize {
    log.lines().filter(|line| line.contains("lead_profile.attributes") && line.contains(lead)).count()
}

/// A lead with attributes, and another.
async fn described(app: &TestApp) -> String {
    app.events(json!([
        {"type": "identify", "lead": {"user_id": "odd"},
            "traits": {"title": "CEO", "size": 5, "lastName": "Campbell", "tags": ["rival"]}},
        {"type": "trial_started", "lead": {"user_id": "sound"}},
    ]))
    .await;
    app.lead("odd").await["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn attributes_that_cannot_be_read_come_from_the_log_when_the_lead_is_next_described() {
    run(async |app| {
        let lead = described(app).await;
        damage(app, &lead).await;
        assert_eq!(app.pages("/v1/leads").await.len(), 2);

        damage(app, &lead).await;
        all_goes_on_beside(app, &lead).await;

        let profile = app.lead("odd").await["profile"].clone();
        assert_eq!(
            (&profile["title"], &profile["size"], &profile["seen"]),
            (&json!("CEO"), &json!(5), &json!("again"))
        );
    })
    .await;
}

#[tokio::test]
async fn attributes_that_cannot_be_read_are_those_of_the_log_for_whoever_asks_first() {
    run(async |app| {
        let lead = described(app).await;
        let queue = json!({"filter": {"stage": ["lead"], "attributes": {"field": "title", "eq": "CEO"}}});
        let made = app.call("PUT", "/v1/queues/chiefs", Some(ADMIN), queue.to_string()).await;
        assert!(made.status.is_success(), "{made:?}");
        let before = stored(app, &lead).await;
        let same = json!({"user_id": "odd", "traits": {"title": "CEO"}}).to_string();
        let by_id = format!("/v1/leads/{lead}");
        for (method, path, body) in [
            ("GET", by_id.as_str(), ""),
            ("GET", "/v1/leads?limit=500", ""),
            ("GET", "/v1/queues/chiefs/leads", ""),
            ("POST", "/v1/leads", same.as_str()),
            ("POST", "/v1/queues/chiefs/next", r#"{"rep": "ann"}"#),
            ("GET", "/v1/claims", ""),
        ] {
            damage(app, &lead).await;

            let (answer, log) = logged(app.call(method, path, Some(ADMIN), body.to_owned())).await;

            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            let text = answer.json().to_string();
            assert!(text.contains("\"title\":\"CEO\"") && text.contains("\"size\":5"), "{path}: {text}");
            assert_eq!(told(&log, &lead), 1, "{path}: {log}");
            assert_eq!(stored(app, &lead).await, before, "{path}: what is stored equals a replay again");
        }
        let (_, log) = logged(app.get(&by_id)).await;
        assert_eq!(told(&log, &lead), 0, "it is told once: {log}");
        assert_eq!(app.count("event").await, 2, "nothing was said anew");
    })
    .await;
}

#[tokio::test]
async fn attributes_that_cannot_be_read_still_leave_a_lead_out_and_find_it() {
    run(async |app| {
        change_policy(app, json!({"exclusions": [{"label": "competitor", "tag": "rival"}]})).await;
        app.run_due().await;
        let lead = described(app).await;
        let stage = async || app.get(&format!("/v1/leads/{lead}")).await.json()["stage"].clone();
        damage(app, &lead).await;

        app.events(json!({"type": "demo_requested", "lead": {"user_id": "odd"}})).await;
        assert_eq!(stage().await, "lead", "a competitor");

        damage(app, &lead).await;
        app.events(json!({"type": "identify", "lead": {"user_id": "odd", "email": "o@mail.example"}})).await;
        let found = app.get("/v1/leads?q=campbell").await.json();
        assert_eq!(found["data"][0]["id"], *lead.as_str(), "{found}");
    })
    .await;
}

#[tokio::test]
async fn what_changes_with_attributes_that_could_not_be_read_is_what_the_news_says() {
    run(async |app| {
        let lead = described(app).await;
        damage(app, &lead).await;
        app.advance(chrono::TimeDelta::seconds(1));

        app.events(json!({"type": "identify", "lead": {"user_id": "odd"}, "traits": {"size": 6}})).await;

        let changes = app.get("/v1/changes?limit=500").await.json();
        let updates: Vec<&Value> = changes["data"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|change| change["type"] == "lead.updated" && change["lead_id"] == *lead.as_str())
            .collect();
        let last = updates.last().unwrap_or_else(|| panic!("{changes}"));
        assert_eq!(last["data"]["attributes"], json!(["size"]), "{last}");
    })
    .await;
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_told_of_and_replayed_when_the_lead_changes() {
    run(async |app| {
        let lead = described(app).await;
        let path = format!("/v1/leads/{lead}");
        let before = app.get(&path).await.json()["score"].clone();
        sql(app, format!("update score set tally = substring(tally for 1) where lead_id = '{lead}'")).await;

        let (answer, log) = logged(app.get(&path)).await;

        assert_eq!(answer.json()["score"], before, "as it was stored");
        assert!(log.contains("score.tally") && log.contains(&lead), "{log}");
        app.events(json!({"type": "page_viewed", "lead": {"user_id": "odd"}, "properties": {"path": "/"}}))
            .await;
        let (_, log) = logged(app.get(&path)).await;
        assert!(!log.contains("score.tally"), "{log}");
        let mut conn = app.database.connect().await;
        let scored = app.app.models.live.scored(&mut conn).await.unwrap();
        assert_stored_is_replay(&mut conn, &scored, Some(app.now()), "replayed").await;
    })
    .await;
}

#[tokio::test]
async fn a_note_of_how_one_lead_stood_that_cannot_be_read_keeps_no_other_from_being_put_back() {
    run(async |app| {
        let thresholds = |enter: i64| {
            let mut document = visits(20);
            document["mql"] = json!({"enter": enter, "leave": enter - 5});
            document
        };
        publish(app, &thresholds(50)).await;
        app.run_due().await;
        for user in ["ann", "bob"] {
            let visit = json!({"type": "page_viewed", "lead": {"user_id": user}});
            app.events(json!([visit, visit, visit])).await;
        }
        let strict = publish(app, &thresholds(95)).await;
        app.run_due().await;
        let stages =
            async || [app.lead("ann").await["stage"].clone(), app.lead("bob").await["stage"].clone()];
        assert_eq!(stages().await, ["lead", "lead"]);
        let bob = app.lead("bob").await["id"].as_str().unwrap().to_owned();
        sql(app, format!("update rollback_state set stood = '{{}}' where lead_id = '{bob}'")).await;

        let path = format!("/v1/models/{strict}/rollback");
        let (_, log) = logged(async {
            assert_eq!(app.call("POST", &path, Some(ADMIN), "").await.status, 200);
            app.run_due().await
        })
        .await;

        assert_eq!(stages().await, ["mql", "lead"], "of the other the model decides, by what it does next");
        assert!(log.contains("rollback_state") && log.contains(&bob), "{log}");
        app.advance(chrono::TimeDelta::seconds(1));
        app.events(json!({"type": "page_viewed", "lead": {"user_id": "bob"}})).await;
        assert_eq!(stages().await, ["mql", "mql"]);
    })
    .await;
}
