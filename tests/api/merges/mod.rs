//! Two leads that somebody makes one, and takes apart again.

mod any_traffic;
mod merging;
mod undoing;

use serde_json::{Value, json};

use crate::harness::{Answer, TestApp};

fn visit(id: &str, lead: &Value, at: &str) -> Value {
    json!({"id": id, "type": "page_viewed", "lead": lead, "occurred_at": at, "properties": {"path": "/pricing"}})
}

/// A lead known by a user id, which has sent so many forms.
async fn known(app: &TestApp, user: &str, forms: usize) -> String {
    let mut events =
        vec![json!({"id": "i", "type": "identify", "lead": {"user_id": user}, "traits": {"name": user}})];
    events.extend(
        (0..forms)
            .map(|n| json!({"id": format!("f{n}"), "type": "form_submitted", "lead": {"user_id": user}})),
    );
    app.events(Value::Array(events)).await;
    app.lead(user).await["id"].as_str().unwrap().to_owned()
}

async fn decide(app: &TestApp, into: &str, verb: &str, lead: &str) -> Answer {
    let body = json!({"lead_id": lead, "author": "ana", "reason": "they are one"});
    app.post(&format!("/v1/leads/{into}/{verb}"), body.to_string()).await
}

async fn merge(app: &TestApp, into: &str, lead: &str) -> Value {
    let answer = decide(app, into, "merge", lead).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

async fn unmerge(app: &TestApp, from: &str, lead: &str) -> Value {
    let answer = decide(app, from, "unmerge", lead).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

async fn lead(app: &TestApp, id: &str) -> Value {
    app.get(&format!("/v1/leads/{id}")).await.json()
}

fn points(lead: &Value) -> Value {
    json!([lead["score"], lead["raw"], lead["fit"], lead["engagement"], lead["grade"], lead["band"]])
}

fn is_of_a_merge(entry: &Value) -> bool {
    let data = &entry["data"];
    ["lead_merged", "lead_unmerged"].iter().any(|kind| data["type"] == *kind)
        || ["identified", "merge", "unmerge"].iter().any(|cause| data["cause"] == *cause)
}

/// Everything that readers see of a lead, but when it last changed and what was noted of merges.
async fn everything(app: &TestApp, id: &str) -> Value {
    let mut view = lead(app, id).await;
    view.as_object_mut().unwrap().remove("updated_at");
    let mut timeline = app.pages(&format!("/v1/leads/{id}/timeline")).await;
    timeline.retain(|entry| !is_of_a_merge(entry));
    let claims = app.pages(&format!("/v1/claims?lead_id={id}")).await;
    let claim = |one: &Value| json!([one["id"], one["rep"], one["state"], one["expires_at"], one["token"]]);
    let receipt = app.get(&format!("/v1/leads/{id}/score")).await.json();
    let queue = app.get("/v1/queues/sales/leads").await.json();
    let place = |row: &Value| json!([row["lead_id"], row["score"], row["tier"]]);
    json!({
        "lead": view,
        "timeline": timeline,
        "score": points(&receipt),
        "handoffs": app.pages(&format!("/v1/handoffs?lead_id={id}")).await,
        "claims": claims.iter().map(claim).collect::<Vec<_>>(),
        "outcomes": app.get(&format!("/v1/leads/{id}/outcomes")).await.json()["data"],
        "checklists": app.get(&format!("/v1/leads/{id}/qualification")).await.json()["checklists"],
        "queue": queue["data"].as_array().unwrap().iter().map(place).collect::<Vec<_>>(),
    })
}
