//! Segment's tracking API as real trackers speak it.

mod bodies;
mod bootstrap;
mod browsers;
mod clocks;
mod keys;
mod messages;
mod pixel;
mod recorded;
mod recording;
mod refusals;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::{Answer, TestApp, WRITE};

/// The `Authorization` of most SDKs: the key as user name, no password.
fn basic(key: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{key}:")))
}

async fn post(app: &TestApp, path: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header(header::AUTHORIZATION, basic(WRITE));
    app.send(request.body(body.into()).expect("a request")).await
}

/// Sends what must be taken whole: the answer, after a look at its form.
async fn take(app: &TestApp, path: &str, body: &Value) -> Value {
    let answer = post(app, path, body.to_string()).await;
    let answer = taken(&answer);
    assert_eq!(answer["rejected"], json!([]), "{answer}");
    answer
}

/// The body of a success as every SDK understands it: exactly 200, and JSON that says so.
fn taken(answer: &Answer) -> Value {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json", "{answer:?}");
    let answer = answer.json();
    assert_eq!(answer["success"], true, "{answer}");
    answer
}

/// The log as it stands, in the order of what happened.
async fn log(app: &TestApp) -> Vec<Value> {
    sqlx::query_scalar(
        "select jsonb_build_object('id', e.id, 'type', e.type, 'name', e.name, 'who', i.kind || ':' || i.value,
            'at', e.occurred_at, 'properties', e.properties, 'traits', e.traits, 'context', e.context)
        from event e join identity i on i.id = e.identity_id
        order by e.occurred_at, e.id",
    )
    .fetch_all(&mut app.database.connect().await)
    .await
    .expect("the log")
}

/// The one event that there is.
async fn only_event(app: &TestApp) -> Value {
    let log = log(app).await;
    assert_eq!(log.len(), 1, "{log:?}");
    log[0].clone()
}

/// Some fields of every event.
fn fields(events: &[Value], names: &[&str]) -> Value {
    events.iter().map(|event| names.iter().map(|name| event[name].clone()).collect::<Value>()).collect()
}
