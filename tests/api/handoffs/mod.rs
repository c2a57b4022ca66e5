//! Handoffs to sales: made when a lead is ripe, with the evidence of that moment; answered once.

mod accepting;
mod answering;
mod deadlines;
mod joining;
mod listing;
mod offering;
mod returning;

use serde_json::Value;

use crate::harness::{
    TestApp,
    sales::{changes, handoffs},
};

async fn states(app: &TestApp, lead: &str) -> Vec<String> {
    handoffs(app, lead).await.iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect()
}

/// `type state` of every change about handoffs.
async fn told(app: &TestApp) -> Vec<String> {
    let feed = changes(app).await;
    let about = |one: &&Value| one["type"].as_str().unwrap().starts_with("handoff.");
    let line =
        |one: &Value| format!("{} {}", one["type"].as_str().unwrap(), one["data"]["state"].as_str().unwrap());
    feed.iter().filter(about).map(line).collect()
}
