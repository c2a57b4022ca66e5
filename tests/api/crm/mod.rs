//! What other systems know of leads: created, set, joined, and never written twice.

mod batches;
mod conditions;
mod joining;
mod upserts;

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};

use crate::harness::{ADMIN, Answer, TestApp};

async fn call(app: &TestApp, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    request = request.header(header::AUTHORIZATION, format!("Bearer {ADMIN}"));
    request = request.header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn post(app: &TestApp, body: Value) -> Answer {
    call(app, "POST", "/v1/leads", &[], &body).await
}

async fn put(app: &TestApp, path: &str, body: Value) -> Answer {
    call(app, "PUT", &format!("/v1/leads/by/{path}"), &[], &body).await
}

async fn batch(app: &TestApp, leads: Value) -> Vec<Value> {
    let answer = call(app, "POST", "/v1/leads/batch", &[], &json!({ "leads": leads })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["results"].as_array().unwrap().clone()
}

fn status(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.json()["status"].as_str().unwrap_or_default().to_owned())
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["status"].as_str().unwrap()).collect()
}
