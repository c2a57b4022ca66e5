//! Every recorded request, byte for byte, and what becomes of it.

use serde_json::{Value, json};

use super::{
    fields, log,
    recording::{prepare, recording, replay},
};
use crate::harness::{TestApp, run};

/// Some fields of every event in the log.
async fn logged(app: &TestApp, names: &[&str]) -> Value {
    fields(&log(app).await, names)
}

/// The counts of answers: accepted, duplicates, rejected.
fn counts(answers: &[Value]) -> [u64; 3] {
    let sum = |count: &dyn Fn(&Value) -> u64| answers.iter().map(count).sum();
    [
        sum(&|answer| answer["accepted"].as_u64().expect("a count")),
        sum(&|answer| answer["duplicates"].as_u64().expect("a count")),
        sum(&|answer| answer["rejected"].as_array().expect("a list").len() as u64),
    ]
}

#[tokio::test]
async fn every_method_of_segments_node_sdk_is_understood() {
    run(async |app| {
        prepare(app).await;

        let answers = replay(app, &recording!("segment-node")).await;

        assert_eq!(answers, [json!({"success": true, "accepted": 7, "duplicates": 0, "rejected": []})]);
        assert_eq!(
            logged(app, &["type", "name", "who", "at"]).await,
            json!([
                // Said to have happened months before it was sent.
                ["demo_requested", "Demo Requested", "user_id:u-1", "2026-01-02T03:18:35.247+00:00"],
                ["identify", null, "user_id:u-1", "2026-11-21T17:59:59.987+00:00"],
                ["screen_viewed", "Home", "user_id:u-1", "2026-11-21T17:59:59.995+00:00"],
                ["page_viewed", "Pricing", "anonymous_id:anon-1", "2026-11-21T17:59:59.995+00:00"],
                ["with_own_id", "With own id", "user_id:u-1", "2026-11-21T17:59:59.996+00:00"],
                ["alias", null, "user_id:u-1", "2026-11-21T17:59:59.996+00:00"],
                ["group", "Acme", "user_id:u-1", "2026-11-21T17:59:59.996+00:00"],
            ])
        );
    })
    .await;
}

#[tokio::test]
async fn segments_node_sdk_makes_one_lead_of_a_person_and_a_device() {
    run(async |app| {
        prepare(app).await;

        replay(app, &recording!("segment-node")).await;

        let lead = app.only_lead().await;
        assert_eq!(
            [&lead["user_id"], &lead["email"], &lead["stage"]],
            ["u-1", "jane@acme.example", "mql"],
            "the demo is a hand-raise"
        );
        assert_eq!(lead["engagement"], 10_000, "the prices were looked at on the device alone");
        assert_eq!(
            lead["fit"], 20_000,
            "what the person says of the company counts, and the group's industry"
        );
        assert_eq!(
            lead["profile"],
            json!({
                "company": {"id": "acct-9", "industry": "Software", "name": "Acme", "employee_count": 50},
                "email": "jane@acme.example", "firstName": "Jane",
                "derived": {"company_domain": "acme.example", "email_domain": "acme.example",
                    "email_kind": "work", "email_valid": true}
            })
        );
    })
    .await;
}

#[tokio::test]
async fn segments_python_sdk_is_understood_plain() {
    run(async |app| {
        prepare(app).await;

        let answers = replay(app, &recording!("segment-python")).await;

        assert_eq!(counts(&answers), [8, 0, 0]);
        assert_python_was_understood(app).await;
    })
    .await;
}

#[tokio::test]
async fn segments_python_sdk_is_understood_compressed() {
    run(async |app| {
        prepare(app).await;

        let answers = replay(app, &recording!("segment-python-gzip")).await;

        assert_eq!(counts(&answers), [8, 0, 0]);
        assert_python_was_understood(app).await;
    })
    .await;
}

/// Null ids are none, numbers are ids, and the path is taken from the address.
async fn assert_python_was_understood(app: &TestApp) {
    let mut said: Vec<String> = log(app)
        .await
        .iter()
        .map(|event| format!("{} {}", event["type"], event["who"]).replace('"', ""))
        .collect();
    said.sort();
    let expected = [
        "alias user_id:u-1",
        "demo_requested user_id:u-1",
        "group user_id:u-1",
        "identify user_id:u-1",
        "naive_ts user_id:u-1",
        "numeric_id user_id:12345",
        "page_viewed user_id:u-1",
        "screen_viewed user_id:u-1",
    ];
    assert_eq!(said, expected);
    let lead = app.lead("u-1").await;
    assert_eq!([&lead["stage"], &lead["email"]], ["mql", "jane@acme.example"]);
    assert_eq!(lead["engagement"], 10_000, "the page's path is /pricing, though only its address was sent");
    assert_eq!(lead["profile"]["company"], json!({"id": "acct-9", "name": "Acme"}));
}

#[tokio::test]
async fn rudderstacks_node_sdk_is_understood_though_it_calls_its_json_a_form() {
    run(async |app| {
        prepare(app).await;

        let answers = replay(app, &recording!("rudder-node")).await;

        assert_eq!(counts(&answers), [6, 0, 0]);
        assert_eq!(
            logged(app, &["type", "who", "at"]).await,
            json!([
                // The caller set `timestamp`; the SDK's own `originalTimestamp` stands beside it.
                ["demo_requested", "user_id:u-1", "2026-01-02T03:17:37.059+00:00"],
                ["screen_viewed", "user_id:u-1", "2026-11-21T17:59:59.693+00:00"],
                ["group", "user_id:u-1", "2026-11-21T17:59:59.694+00:00"],
                ["page_viewed", "anonymous_id:anon-1", "2026-11-21T17:59:59.694+00:00"],
                ["alias", "user_id:u-1", "2026-11-21T17:59:59.694+00:00"],
                ["identify", "user_id:u-1", "2026-11-21T17:59:59.999+00:00"],
            ])
        );
        let lead = app.only_lead().await;
        assert_eq!([&lead["stage"], &lead["email"]], ["mql", "jane@acme.example"]);
        assert_eq!(lead["engagement"], 10_000, "the prices were looked at on the device alone");
    })
    .await;
}

#[tokio::test]
async fn segments_browser_sdk_is_understood_with_its_preflights() {
    run(async |app| {
        prepare(app).await;

        let answers = replay(app, &recording!("segment-browser")).await;

        assert_eq!(counts(&answers), [7, 0, 0]);
        assert_eq!(
            logged(app, &["type", "who"]).await,
            json!([
                ["page_viewed", "user_id:u-1"],
                ["landed", "anonymous_id:47b8a109-84e2-4e3e-82ad-5e3c3ceb8f65"],
                ["identify", "user_id:u-1"],
                ["demo_requested", "user_id:u-1"],
                ["group", "user_id:u-1"],
                ["alias", "user_id:u-1"],
                ["screen_viewed", "user_id:u-1"],
            ])
        );
        let page = &log(app).await[0]["properties"];
        assert_eq!([&page["path"], &page["title"]], ["/ajs-standard.html", "Pricing – Acme"]);
        assert_eq!([&page["utm_source"], &page["utm_campaign"]], ["google", "spring"]);
        let lead = app.only_lead().await;
        // The browser was a headless one, so nobody has raised a hand.
        assert_eq!([&lead["stage"], &lead["email"]], ["lead", "jane@acme.example"]);
    })
    .await;
}

#[tokio::test]
async fn segments_browser_sdk_is_understood_in_batches() {
    run(async |app| {
        prepare(app).await;

        let answers = replay(app, &recording!("segment-browser-batching")).await;

        assert_eq!(counts(&answers), [5, 0, 0]);
        assert_eq!(
            logged(app, &["type", "who"]).await,
            json!([
                ["demo_requested", "user_id:u-1"],
                ["leaving", "user_id:u-1"],
                ["landed", "anonymous_id:a27c1ba8-a7ce-4bd7-8c58-f3b14e15a374"],
                ["page_viewed", "user_id:u-1"],
                ["identify", "user_id:u-1"],
            ])
        );
        assert_eq!(app.only_lead().await["stage"], "lead", "the browser was a headless one");
    })
    .await;
}

#[tokio::test]
async fn beacons_of_every_kind_and_a_picture_are_understood() {
    run(async |app| {
        prepare(app).await;

        let answers = replay(app, &recording!("beacon")).await;

        let mut types: Vec<String> = log(app).await.iter().map(|event| event["type"].to_string()).collect();
        types.sort();
        let expected = ["beacon_blob_json", "beacon_blob_text", "beacon_string", "keepalive", "pixel"];
        assert_eq!(types, expected.map(|kind| format!("\"{kind}\"")));
        // What the two forms lack, they lacked when they were recorded.
        let refused: Vec<&Value> =
            answers.iter().flat_map(|answer| answer["rejected"].as_array().unwrap()).collect();
        assert_eq!(
            refused.iter().map(|item| &item["code"]).collect::<Vec<_>>(),
            ["missing_event", "missing_identity"]
        );
        assert_eq!(app.only_lead().await["stage"], "anonymous");
    })
    .await;
}

#[tokio::test]
async fn everything_again_is_a_duplicate_and_changes_nothing() {
    run(async |app| {
        prepare(app).await;
        let all = [
            recording!("segment-node"),
            recording!("segment-python"),
            recording!("segment-python-gzip"),
            recording!("rudder-node"),
            recording!("segment-browser"),
            recording!("segment-browser-batching"),
            recording!("beacon"),
        ];
        let mut first = Vec::new();
        for recording in &all {
            first.extend(replay(app, recording).await);
        }
        let (log_before, leads_before) = (log(app).await, app.get("/v1/leads").await.json());

        let mut again = Vec::new();
        for recording in &all {
            again.extend(replay(app, recording).await);
        }

        // One that the answers do not count came as a picture.
        let [taken, _, _] = counts(&first);
        assert_eq!(log_before.len() as u64, taken + 1);
        assert_eq!(counts(&again), [0, taken, 2]);
        assert_eq!(log(app).await, log_before);
        assert_eq!(app.get("/v1/leads").await.json(), leads_before);
    })
    .await;
}
