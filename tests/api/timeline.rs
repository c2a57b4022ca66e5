//! What happened to a lead: its log, and the whole story.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::harness::{
    TestApp, does, run,
    sales::{act, answered, mql, open},
};

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

/// `kind what` of a timeline's entries.
fn story(rows: &[Value]) -> Vec<String> {
    let word = |row: &Value| {
        let data = &row["data"];
        let of = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
        let what = match row["kind"].as_str().unwrap() {
            "event" => of("type"),
            "transition" => format!("{} > {}", of("from"), of("to")),
            "handoff_answered" => of("state"),
            "outcome" => of("outcome"),
            _ => String::new(),
        };
        format!("{} {what}", row["kind"].as_str().unwrap()).trim().to_owned()
    };
    rows.iter().map(word).collect()
}

async fn timeline(app: &TestApp, lead: &str, limit: usize) -> Vec<Value> {
    app.pages(&format!("/v1/leads/{lead}/timeline?limit={limit}")).await
}

#[tokio::test]
async fn the_log_of_a_lead_is_read_newest_first_and_by_type() {
    run(async |app| {
        for n in 0..7 {
            let kind = if n % 2 == 0 { "page_viewed" } else { "chat_started" };
            app.events(json!({"id": format!("e{n}"), "type": kind, "lead": {"user_id": "u1"}, "properties": {"n": n}})).await;
            app.advance(TimeDelta::seconds(1));
        }
        act(app, "u2", "other", "page_viewed").await;
        let lead = app.lead("u1").await["id"].as_str().unwrap().to_owned();

        let all = app.pages(&format!("/v1/leads/{lead}/events?limit=3")).await;

        assert_eq!(ids(&all), ["e6", "e5", "e4", "e3", "e2", "e1", "e0"]);
        assert_eq!(
            all[6],
            json!({"id": "e0", "type": "page_viewed", "occurred_at": "2026-03-02T09:00:00Z",
                "received_at": "2026-03-02T09:00:00Z", "properties": {"n": 0}, "verdict": "human",
                "verdict_reason": null, "held_until": null})
        );
        let some = app.pages(&format!("/v1/leads/{lead}/events?type=chat_started&limit=2")).await;
        assert_eq!(ids(&some), ["e5", "e3", "e1"]);
        for query in ["type=%00", "limit=501", "kind=a"] {
            let refused = app.get(&format!("/v1/leads/{lead}/events?{query}")).await;
            assert_eq!(refused.problem(), "invalid_parameter", "{query}");
        }
        let refused = app.get(&format!("/v1/leads/{lead}/events?cursor=x")).await;
        assert_eq!(refused.problem(), "invalid_cursor");
    })
    .await;
}

#[tokio::test]
async fn events_of_one_instant_are_each_read_once_whatever_the_page() {
    run(async |app| {
        let events: Vec<Value> = (0..23)
            .map(|n| json!({"id": format!("e{n}"), "type": "page_viewed", "lead": {"user_id": "u1"}}))
            .collect();
        app.events(json!(events)).await;
        let lead = app.lead("u1").await["id"].as_str().unwrap().to_owned();
        for (path, limit) in
            [("events", 1), ("events", 7), ("timeline", 1), ("timeline", 7), ("timeline", 23)]
        {
            let rows = app.pages(&format!("/v1/leads/{lead}/{path}?limit={limit}")).await;

            let mut found: Vec<String> = rows
                .iter()
                .map(|row| row.get("data").unwrap_or(row)["id"].as_str().unwrap().to_owned())
                .collect();
            found.sort();
            found.dedup();
            assert_eq!((rows.len(), found.len()), (23, 23), "{path} {limit}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_timeline_tells_the_whole_story() {
    run(async |app| {
        let lead = mql(app, "u1").await;
        app.advance(TimeDelta::hours(1));
        let handoff = open(app, &lead).await;
        answered(app, &handoff, "accept", json!({"rep": "ana"})).await;
        app.advance(TimeDelta::hours(1));
        answered(app, &handoff, "recycle", json!({"rep": "ana", "reason": "quiet"})).await;
        app.advance(TimeDelta::days(31));
        act(app, "u1", "hand", "demo_requested").await;
        answered(app, &open(app, &lead).await, "accept", json!({"rep": "bob"})).await;
        app.advance(TimeDelta::hours(1));
        does(
            app,
            "POST",
            &format!("/v1/leads/{lead}/outcome"),
            json!({"outcome": "won", "amount": 1, "currency": "EUR"}),
        )
        .await;

        let rows = timeline(app, &lead, 500).await;

        let mut told = story(&rows);
        told[13..].sort(); // of one instant, and in no order
        assert_eq!(
            told,
            [
                "transition sql > customer",
                "outcome won",
                "handoff_offered",
                "transition mql > sql",
                "transition recycled > mql",
                "handoff_answered accepted",
                "event demo_requested",
                "transition sql > recycled",
                "handoff_answered recycled",
                "transition mql > sql",
                "handoff_answered accepted",
                "handoff_offered",
                "transition lead > mql",
                "event email_subscribed",
                "event identify",
                "event trial_started",
            ]
        );
        let passage = rows.iter().rfind(|row| row["kind"] == "transition").unwrap();
        assert_eq!(
            (
                &passage["data"]["cause"],
                &passage["data"]["score"],
                &passage["data"]["cycle"],
                &passage["data"]["actor"]
            ),
            (&json!("threshold"), &json!(65), &json!(1), &json!(null))
        );
        for limit in [1, 2, 5] {
            assert_eq!(timeline(app, &lead, limit).await, rows, "{limit}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_lead_that_was_joined_brings_its_story_along() {
    run(async |app| {
        let former = mql(app, "u1").await;
        app.advance(TimeDelta::hours(1));
        act(app, "u2", "x", "page_viewed").await;
        app.post("/v1/alias", json!({"messageId": "m", "userId": "u2", "previousId": "u1"}).to_string())
            .await;
        let heir = app.lead("u2").await["id"].as_str().unwrap().to_owned();

        let rows = timeline(app, &heir, 50).await;

        let transitions: Vec<(&Value, &Value)> = rows
            .iter()
            .filter(|row| row["kind"] == "transition")
            .map(|row| (&row["data"]["cause"], &row["data"]["lead_id"]))
            .collect();
        assert_eq!(transitions, [(&json!("merge"), &json!(heir)), (&json!("threshold"), &json!(former))]);
        assert_eq!(rows.iter().filter(|row| row["kind"] == "handoff_offered").count(), 1);
        assert_eq!(timeline(app, &former, 50).await, rows, "the old id leads to the same");
    })
    .await;
}
