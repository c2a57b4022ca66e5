//! Webhooks: what happened to leads arrives at other people's servers, signed, in order, at least once.

mod addresses;
mod endpoints;
mod log;
mod ordering;
mod retries;
mod sending;

use chrono::{DateTime, Utc};
use leadscore::{
    feed::outbox::{Change, Kind, publish},
    platform::ids::LeadId,
};
use serde_json::{Value, json};

use crate::harness::{Answer, Receiver, TestApp};

/// A lead, which nobody has to know: a change names it by its id.
fn lead(number: u128) -> LeadId {
    LeadId(uuid::Uuid::from_u128(number))
}

/// Says that a lead's score changed to a number.
async fn say(app: &TestApp, lead: LeadId, to: i64) {
    say_that(app, lead, Kind::ScoreChanged, json!({ "to": to })).await;
}

async fn say_that(app: &TestApp, lead_id: LeadId, kind: Kind, data: Value) {
    let change = Change { lead_id, kind, at: app.now(), data };
    publish(&mut app.database.connect().await, &app.app.ids, &[change]).await.unwrap();
}

/// A new endpoint at a receiver; id and secret.
async fn endpoint(app: &TestApp, receiver: &Receiver) -> (String, String) {
    let made = create(app, &json!({"url": receiver.url})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    (made["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
}

async fn create(app: &TestApp, endpoint: &Value) -> Answer {
    app.post("/v1/webhooks", endpoint.to_string()).await
}

/// The scores of which messages told, in the order in which they came.
fn told(receiver: &Receiver) -> Vec<i64> {
    receiver.take().iter().map(|got| got.data()["to"].as_i64().unwrap()).collect()
}

/// The deliveries of an endpoint, newest first.
async fn deliveries(app: &TestApp, endpoint: &str) -> Vec<Value> {
    app.pages(&format!("/v1/webhooks/{endpoint}/deliveries?limit=2")).await
}

/// Sets the clock to when something is sent to an endpoint next.
async fn wait_for_next(app: &TestApp, endpoint: &str) {
    let waiting = deliveries(app, endpoint).await;
    let next = waiting.iter().filter_map(|one| one["next_attempt_at"].as_str()).min();
    let next: DateTime<Utc> = next.expect("something waits").parse().unwrap();
    app.advance(next - app.now());
}

/// The states of an endpoint's deliveries, oldest first.
async fn states(app: &TestApp, endpoint: &str) -> Vec<String> {
    let states = deliveries(app, endpoint).await.into_iter().rev();
    states.map(|delivery| delivery["state"].as_str().unwrap().to_owned()).collect()
}
