//! What people agree to: a gate of its own, which no score opens.

mod channels;
mod feed;

use leadscore::{
    intake::ingest::{
        Submission,
        event::{Arrival, Found},
        submit,
    },
    leads::identity::{Identity, Kind, Named},
};
use serde_json::{Map, Value, json};

use crate::harness::TestApp;

const JANE: &str = "jane@acme.example";

/// An event of an address, as mail providers tell of it.
fn mail(kind: &str, address: &str) -> Value {
    json!({"type": kind, "lead": {"email": address}})
}

async fn channels(app: &TestApp, email: &str) -> Value {
    let answer = app.get(&format!("/v1/leads/by/email/{email}")).await;
    let mut channels = answer.json()["consent"]["channels"].clone();
    for word in channels.as_object_mut().unwrap().values_mut() {
        *word = word["state"].clone();
    }
    channels
}

async fn agree(app: &TestApp, email: &str, body: Value) -> crate::harness::Answer {
    let id = app.get(&format!("/v1/leads/by/email/{email}")).await.json()["id"].as_str().unwrap().to_owned();
    app.post(&format!("/v1/leads/{id}/consent"), body.to_string()).await
}

/// Events that make nobody a lead, as a mail provider's are.
async fn in_passing(app: &TestApp, kind: &str, address: &str) {
    let arrival = Arrival { at: app.now(), api_key: None };
    let email = Identity::parse(Kind::Email, address).unwrap();
    let found = Found {
        id: None,
        kind: kind.to_owned(),
        name: None,
        named: Named::in_passing(email),
        original_at: None,
        sent_at: None,
        corrected: true,
        properties: Map::new(),
        traits: None,
        context: None,
        hint: None,
    };
    let event = found.into_event(arrival, || "passing".to_owned()).unwrap();
    let submission =
        Submission { arrival, events: vec![(0, event)], refused: Vec::new(), want_leads: false, size: 0 };
    assert_eq!(submit(&app.app.intake.writers, submission).await.unwrap().accepted, 1);
}

/// Who follows the feed from here on.
async fn here(app: &TestApp) -> String {
    app.get("/v1/changes?cursor=now").await.json()["resume_cursor"].as_str().unwrap().to_owned()
}

/// What the feed has told of consents since, by lead: the last word on each channel.
async fn told_since(app: &TestApp, start: &str, lead: &Value) -> Value {
    let changes = app.get(&format!("/v1/changes?cursor={start}")).await.json();
    let mut told = json!({});
    for change in changes["data"].as_array().unwrap() {
        if change["type"] == "lead.consent_changed" && change["lead_id"] == lead["id"] {
            told[change["data"]["channel"].as_str().unwrap_or("do_not_contact")] =
                change["data"]["state"].clone();
        }
    }
    told
}
