//! What an address, a number and a website give away: derived when an event arrives, recorded in the log, folded as any
//! attribute.

mod deriving;
mod replays;
mod suspects;

use serde_json::{Value, json};

use crate::harness::{ADMIN, TestApp};

async fn take(app: &TestApp, method: &str, path: &str, body: Value) -> Value {
    let answer = app.call(method, path, Some(ADMIN), body.to_string()).await;
    assert!(answer.status.is_success(), "{method} {path}: {answer:?}");
    answer.json()
}

async fn identify(app: &TestApp, at: &str, traits: Value) {
    app.events(json!({"type": "identify", "lead": {"user_id": "u1"}, "occurred_at": at, "traits": traits}))
        .await;
}

async fn derived(app: &TestApp) -> Value {
    app.only_lead().await["profile"]["derived"].clone()
}
