//! Versions going live, and back: nobody's score jumps unexplained, and sales is not flooded.

mod before;
mod preparing;
mod progress;
mod refusals;
mod shadow;
mod stages;

use serde_json::Value;

use crate::harness::{ADMIN, Answer, TestApp};

async fn call(app: &TestApp, method: &str, model: &str, verb: &str, body: &str) -> Answer {
    app.call(method, &format!("/v1/models/{model}/{verb}"), Some(ADMIN), body.to_owned()).await
}

async fn phase(app: &TestApp, model: &str) -> String {
    progress(app, model).await["phase"].as_str().unwrap().to_owned()
}

async fn progress(app: &TestApp, model: &str) -> Value {
    let answer = app.get(&format!("/v1/models/{model}/progress")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// `user score stage` of every lead, best first.
async fn standing(app: &TestApp) -> Vec<String> {
    let leads = app.get("/v1/leads").await.json();
    let said = |lead: &Value| {
        format!("{} {} {}", lead["user_id"].as_str().unwrap(), lead["score"], lead["stage"].as_str().unwrap())
    };
    leads["data"].as_array().unwrap().iter().map(said).collect()
}

async fn states(app: &TestApp, model: &str) -> i64 {
    sqlx::query_scalar("select count(*) from score where model_id = $1::uuid")
        .bind(model)
        .fetch_one(&mut app.database.connect().await)
        .await
        .unwrap()
}

async fn roles(app: &TestApp) -> Vec<String> {
    let versions = app.get("/v1/models").await.json();
    let said =
        |one: &Value| format!("{}: {}", one["state"].as_str().unwrap(), one["role"].as_str().unwrap_or("-"));
    versions["data"].as_array().unwrap().iter().map(said).collect()
}
