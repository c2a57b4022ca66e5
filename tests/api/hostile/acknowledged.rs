//! Whatever the service acknowledges, by any call, it can list, read, replay, tell in its feed and send as a webhook.

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use scoring::profile::Fold;
use serde_json::{Map, Value};

use super::{Ask, calls, values};
use crate::harness::{
    Receiver, TestApp,
    description::{Operation, operations},
    models::{publish, visits},
    run,
};

/// How many hostile bodies each operation is sent; `LEADSCORE_CASES` asks for more.
const CASES: usize = 12;
/// Stands for the hostile value until the body is text.
const PLACE: &str = "@here@";

fn with_bodies() -> Vec<Operation> {
    operations().into_iter().filter(|one| one.described.get("requestBody").is_some()).collect()
}

/// The places of a body in which something else may stand: every value, and one more field in every object.
fn places(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(format!("{pointer}/hostile"));
            for (name, value) in fields {
                places(value, &format!("{pointer}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{pointer}/{index}"), found);
            }
        }
        _ => found.push(pointer.to_owned()),
    }
}

/// The body with a hostile value in one place.
fn altered(body: &str, choice: usize, hostile: &str) -> String {
    let mut value: Value = serde_json::from_str(body).unwrap();
    let mut found = Vec::new();
    places(&value, "", &mut found);
    let pointer = &found[choice % found.len()];
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match value.pointer_mut(parent).unwrap() {
        Value::Object(fields) => drop(fields.insert(name.to_owned(), PLACE.into())),
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = PLACE.into(),
        _ => unreachable!("{pointer} is within an object or an array"),
    }
    value.to_string().replace(&format!("\"{PLACE}\""), hostile)
}

/// Every call that reads, about things that there are: all of it can be read.
async fn all_is_readable(app: &TestApp) {
    for operation in operations().iter().filter(|operation| operation.method == "GET") {
        let path = calls::existing(app, &operation.path, None).await;
        let answer = app.get(&path).await;
        assert!(answer.status.as_u16() < 500, "{}: {answer:?}", operation.name());
        let paged = operation.described["parameters"].to_string().contains("\"cursor\"");
        if paged && answer.status == 200 {
            let separator = if path.contains('?') { '&' } else { '?' };
            let rows = app.pages(&format!("{path}{separator}limit=200")).await;
            assert!(rows.iter().all(Value::is_object), "{path}");
        }
    }
    for lead in app.pages("/v1/leads?limit=500").await {
        let id = lead["id"].as_str().unwrap();
        for rest in ["", "/events", "/timeline", "/score", "/outcomes", "/qualification"] {
            let answer = app.get(&format!("/v1/leads/{id}{rest}")).await;
            assert_eq!(answer.status, 200, "{id}{rest}: {answer:?}");
            answer.json();
        }
    }
}

/// What is stored of leads' attributes is the fold of the log, and their scores are those of a model that is built anew.
async fn what_is_stored_is_a_replay(app: &TestApp) {
    let mut conn = app.database.connect().await;
    let leads: Vec<(uuid::Uuid, Option<String>)> = sqlx::query_as(
        "select l.id, p.attributes::text from lead l left join lead_profile p on p.lead_id = l.id where merged_into is null",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    for (lead, stored) in leads {
        let log: Vec<(String, chrono::DateTime<chrono::Utc>, String)> = sqlx::query_as(
            "select e.id, e.occurred_at, e.traits::text from identity_span s join event e on e.identity_id = s.identity_id
                and e.occurred_at >= s.since and (s.until is null or e.occurred_at < s.until)
            where s.lead_id = $1 and e.traits is not null and e.held_until is null and e.verdict <> 'machine'",
        )
        .bind(lead)
        .fetch_all(&mut conn)
        .await
        .unwrap();
        let mut fold = Fold::default();
        for (id, at, traits) in log {
            let traits: Map<String, Value> = serde_json::from_str(&traits).unwrap();
            fold.apply(&traits, at.into(), &id);
        }
        let stored: Fold = stored.map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default();
        assert_eq!(stored.to_profile(), fold.to_profile(), "{lead}");
    }
    let live = app.get("/v1/models").await.json();
    let live = live["data"].as_array().unwrap().iter().find(|one| one["role"] == "live").unwrap().clone();
    let before = scores(app).await;
    publish(app, &visits(50)).await;
    publish(app, &live["document"]).await;
    assert_eq!(scores(app).await, before, "built anew from the log");
}

async fn scores(app: &TestApp) -> Vec<(Value, Value, Value, Value)> {
    let mut scores: Vec<_> = app
        .pages("/v1/leads?limit=500")
        .await
        .into_iter()
        .map(|lead| (lead["id"].clone(), lead["score"].clone(), lead["raw"].clone(), lead["profile"].clone()))
        .collect();
    scores.sort_by_key(|(id, ..)| id.to_string());
    scores
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_can_be_read_replayed_and_told() {
    let cases = std::env::var("LEADSCORE_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    run(async |app| {
        let receiver = Receiver::start().await;
        calls::scene(app).await;
        let hook = serde_json::json!({"url": receiver.url}).to_string();
        assert_eq!(app.post("/v1/webhooks", hook).await.status, 201);
        let mut runner = TestRunner::deterministic();
        let case = (values::value(), any::<usize>());
        let (mut n, mut acknowledged) = (0, 0);
        for operation in with_bodies() {
            for round in 0..=cases {
                n += 1;
                let Some(mut ask) = calls::example(app, &operation.name(), n).await else { break };
                if round > 0 {
                    let (hostile, choice) = case.new_tree(&mut runner).unwrap().current();
                    ask.body = altered(&ask.body, choice, &hostile);
                }
                let answer = ask.send(app).await;
                assert!(answer.status.as_u16() < 500, "{} {:.3000}: {answer:?}", operation.name(), ask.body);
                assert!(
                    round > 0 || answer.status.is_success(),
                    "the example of {}: {ask:?}: {answer:?}",
                    operation.name()
                );
                acknowledged += usize::from(answer.status.is_success());
                app.advance(chrono::TimeDelta::milliseconds(1));
            }
        }
        app.run_due().await;
        all_is_readable(app).await;
        for got in receiver.got() {
            got.body();
        }
        // The scene pings an endpoint that is not there; every change is brought.
        assert_eq!(app.count("webhook_delivery where state = 'failed' and lead_id is not null").await, 0);
        assert!(acknowledged > n / 3, "{acknowledged} of {n}: the examples prove too little");
        what_is_stored_is_a_replay(app).await;
    })
    .await;
}

#[tokio::test]
async fn an_array_is_taken_for_no_object() {
    run(async |app| {
        calls::scene(app).await;
        for (n, operation) in with_bodies().into_iter().enumerate() {
            let Some(ask) = calls::example(app, &operation.name(), n).await else { continue };
            let mut pointers = Vec::new();
            let body: Value = serde_json::from_str(&ask.body).unwrap();
            objects(&body, "", &mut pointers);
            for pointer in pointers {
                let mut altered = body.clone();
                let place = altered.pointer_mut(&pointer).unwrap();
                let values: Vec<Value> = place.as_object().unwrap().values().cloned().collect();
                *place = values.into();
                let ask = Ask { body: altered.to_string(), ..ask.clone() };

                let answer = ask.send(app).await;

                let taken = answer.status.is_success() && refused_items(&answer.json()) == 0;
                let free = is_free(&pointer) || ask.path.starts_with("/v1/hooks");
                assert!(!taken || free, "{} {pointer}: {answer:?}", operation.name());
            }
        }
        app.run_due().await;
        let listed = app.post("/v1/keys", r#"["arr", ["read"], [], null]"#).await;
        assert_eq!((listed.status.as_u16(), listed.problem()), (422, "invalid_request".to_owned()));
    })
    .await;
}

/// The places of all objects of a body.
fn objects(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(pointer.to_owned());
            fields.iter().for_each(|(name, value)| objects(value, &format!("{pointer}/{name}"), found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| objects(item, &format!("{pointer}/{index}"), found));
        }
        _ => {}
    }
}

/// Whether somebody else's documents stand here, in which an array is as good as an object.
fn is_free(pointer: &str) -> bool {
    ["/context", "/properties", "/traits"].iter().any(|free| pointer.contains(free))
}

fn refused_items(answer: &Value) -> usize {
    let rejected = answer["rejected"].as_array().map_or(0, Vec::len);
    let results = answer["results"].as_array().into_iter().flatten();
    let mistaken = answer["errors"].as_array().map_or(0, Vec::len);
    rejected + mistaken + results.filter(|one| one["status"] == "rejected").count()
}
