//! Keys: made, shown once, listed, revoked; where they stand in a request; and the pages that may use them.

mod lifetime;
mod making;
mod presenting;

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::Value;

use crate::harness::{Answer, TestApp};

async fn create(app: &TestApp, key: &Value) -> Answer {
    app.post("/v1/keys", key.to_string()).await
}

/// A request that asks for nothing but whether the key is known and may send events.
async fn present(app: &TestApp, header: header::HeaderName, value: &str) -> Answer {
    let request = Request::post("/v1/events").header(header, value);
    app.send(request.body(Body::from("[]")).unwrap()).await
}

async fn status(app: &TestApp, key: &str) -> u16 {
    present(app, header::AUTHORIZATION, &format!("Bearer {key}")).await.status.as_u16()
}
