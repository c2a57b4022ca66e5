//! Queues: documents, rankings, and how leads are handed out.

mod caps;
mod claims;
mod documents;
mod handing_out;
mod hours;
mod meanwhile;
mod ranking;
mod tiers;

use serde_json::{Value, json};

use crate::harness::{ADMIN, Answer, TestApp};

/// Makes a queue, or changes it.
async fn put(app: &TestApp, name: &str, document: Value) -> Value {
    let answer = app.call("PUT", &format!("/v1/queues/{name}"), Some(ADMIN), document.to_string()).await;
    assert!(answer.status.is_success(), "{answer:?}");
    answer.json()
}

/// The next lead for a rep.
async fn ask(app: &TestApp, queue: &str, rep: &str) -> Answer {
    app.post(&format!("/v1/queues/{queue}/next"), json!({"rep": rep}).to_string()).await
}

/// A claim on the next lead; none: there is no lead.
async fn next(app: &TestApp, queue: &str, rep: &str) -> Option<Value> {
    let answer = ask(app, queue, rep).await;
    match answer.status.as_u16() {
        204 => None,
        200 => Some(answer.json()),
        _ => panic!("{answer:?}"),
    }
}

/// The user id of the next lead, or `-`.
async fn next_user(app: &TestApp, queue: &str, rep: &str) -> String {
    next(app, queue, rep).await.map_or("-".to_owned(), |claim| user(&claim["lead"]))
}

fn user(lead: &Value) -> String {
    lead["user_id"].as_str().unwrap_or_else(|| panic!("{lead}")).to_owned()
}

fn id(thing: &Value) -> &str {
    thing["id"].as_str().unwrap_or_else(|| panic!("{thing}"))
}

/// Has a claim act.
async fn act(app: &TestApp, claim: &Value, verb: &str, mut body: Value) -> Answer {
    body["token"] = claim["token"].clone();
    app.post(&format!("/v1/claims/{}/{verb}", id(claim)), body.to_string()).await
}

/// Has a claim act, which must be allowed.
async fn done(app: &TestApp, claim: &Value, verb: &str, body: Value) -> Value {
    let answer = act(app, claim, verb, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The problem with which a claim's act is refused: its code, and what happened.
async fn refused(app: &TestApp, claim: &Value, verb: &str) -> (String, String) {
    let body = if verb == "skip" { json!({"reason": "none"}) } else { json!({}) };
    let answer = act(app, claim, verb, body).await;
    assert_eq!(answer.status, 409, "{verb}: {answer:?}");
    (answer.problem(), answer.json()["message"].as_str().unwrap().to_owned())
}

/// The claim as it stands now.
async fn claim(app: &TestApp, claim: &Value) -> Value {
    app.get(&format!("/v1/claims/{}", id(claim))).await.json()
}

/// Who is in a queue, in its order, as `tier:user` where it has tiers.
async fn ranked(app: &TestApp, path: &str) -> String {
    let page = app.get(&format!("/v1/queues/{path}")).await.json();
    let rows = page["data"].as_array().unwrap_or_else(|| panic!("{page}"));
    let shown = rows.iter().map(|row| match row["tier"].as_str().unwrap() {
        "asked for sales" | "by score" => user(row),
        tier => format!("{tier}:{}", user(row)),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Leads that ask for a demo, a second apart, so that the last is the first in `sales`.
async fn leads(app: &TestApp, users: &[&str]) {
    for user in users {
        app.advance(chrono::TimeDelta::seconds(1));
        app.events(json!({"type": "demo_requested", "lead": {"user_id": user}})).await;
    }
}

/// Says something of a lead, a second later.
async fn traits(app: &TestApp, user: &str, traits: Value) {
    app.advance(chrono::TimeDelta::seconds(1));
    app.events(json!({"type": "identify", "lead": {"user_id": user}, "traits": traits})).await;
}
