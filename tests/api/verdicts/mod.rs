//! Who caused an event: what machines do is kept and never scored.

mod agents;
mod mail;
mod orders;
mod people;
mod stages;
mod waiting;

use serde_json::{Value, json};

use crate::harness::{Answer, TestApp};

const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36";

const HEADLESS: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36";

/// A look at the prices, which gives 10 points.
fn look(id: &str, context: &Value) -> Value {
    json!({"id": id, "type": "page_viewed", "lead": {"user_id": "u1"}, "properties": {"path": "/pricing"},
        "context": context})
}

/// `id verdict reason` of a lead's events, by id.
async fn verdicts(app: &TestApp, begins: &str) -> Vec<String> {
    let id = app.lead(begins).await["id"].as_str().unwrap().to_owned();
    let events = app.pages(&format!("/v1/leads/{id}/events")).await;
    let word = |event: &Value, field: &str| event[field].as_str().unwrap_or("-").to_owned();
    let line = |event: &Value| {
        format!("{} {} {}", word(event, "id"), word(event, "verdict"), word(event, "verdict_reason"))
    };
    let mut lines: Vec<String> = events.iter().map(line).collect();
    lines.sort();
    lines
}

/// An event of a mail to Ann, of 2026-03-02.
fn of_mail(id: &str, kind: &str, time: &str, mut more: Value) -> Value {
    more.as_object_mut().unwrap().entry("message_id").or_insert(json!("m1"));
    json!({"id": id, "type": kind, "lead": {"email": "ann@acme.example"},
        "occurred_at": format!("2026-03-02T{time}Z"), "properties": more})
}

/// A click on a link, which gives 3 points.
fn click(id: &str, time: &str, link: &str) -> Value {
    of_mail(id, "email_clicked", time, json!({"url": format!("https://acme.example/{link}")}))
}

fn delivered(time: &str) -> Value {
    of_mail("delivered", "email_delivered", time, json!({}))
}

/// The raw score as stored, which must be that of the log.
async fn raw(app: &TestApp, begins: &str) -> i64 {
    let lead = app.lead(begins).await;
    let receipt = app.get(&format!("/v1/leads/{}/score", lead["id"].as_str().unwrap())).await.json();
    assert_eq!(lead["raw"], receipt["raw"], "what is stored is what the log says");
    lead["raw"].as_i64().unwrap()
}

/// Says who caused an event of a lead.
async fn decide(app: &TestApp, begins: &str, event: &str, verdict: &str) -> Answer {
    let lead = app.lead(begins).await["id"].as_str().unwrap().to_owned();
    let body = json!({"verdict": verdict, "reason": "we called them", "author": "Ann"});
    app.post(&format!("/v1/leads/{lead}/events/{event}/verdict"), body.to_string()).await
}

/// All that a lead's score says of it, and how it stands.
async fn standing(app: &TestApp, begins: &str) -> (Value, Value) {
    let lead = app.lead(begins).await;
    let mut receipt = app.get(&format!("/v1/leads/{}/score", lead["id"].as_str().unwrap())).await.json();
    receipt["lead_id"] = Value::Null;
    let shown = ["score", "raw", "fit", "engagement", "grade", "band", "stage", "next_change_at"];
    (receipt, json!(shown.map(|field| lead[field].clone())))
}
