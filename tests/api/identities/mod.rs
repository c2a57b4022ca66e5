//! Whose an event is: identify, alias, shared devices, whatever the order.

mod in_passing;
mod joining;

use serde_json::{Value, json};

use crate::harness::TestApp;

fn identify(id: &str, lead: &Value, at: &str) -> Value {
    json!({"id": id, "type": "identify", "lead": lead, "occurred_at": at, "traits": {"title": "Director"}})
}

async fn leads(app: &TestApp) -> usize {
    app.get("/v1/leads").await.json()["data"].as_array().unwrap().len()
}

fn standing(lead: &Value) -> Value {
    json!([
        lead["user_id"],
        lead["email"],
        lead["raw"],
        lead["fit"],
        lead["engagement"],
        lead["stage"],
        lead["profile"]
    ])
}

/// How many occurrences of a rule a lead's receipt lists.
async fn count(app: &TestApp, lead: &Value, rule: &str) -> usize {
    let receipt = app.get(&format!("/v1/leads/{}/score", lead["id"].as_str().unwrap())).await.json();
    let lines = receipt["receipt"]["lines"].as_array().unwrap().clone();
    let line = lines.iter().find(|line| line["kind"] == "rule" && line["rule"] == rule).unwrap().clone();
    line["occurrences"].as_array().map_or(0, Vec::len)
}
