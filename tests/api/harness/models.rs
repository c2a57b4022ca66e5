//! Models, and how one goes live.

use axum::http::StatusCode;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::TestApp;

/// The model that every installation begins with.
pub(crate) fn document() -> Value {
    leadscore::models::document::from_yaml(leadscore::models::DEFAULT_DOCUMENT).unwrap()
}

/// A document by which a visit is worth so many points, and 50 make an MQL; 30 keep one.
pub(crate) fn visits(points: i64) -> Value {
    json!({
        "name": "visits",
        "score": {"min": 0, "max": 100},
        "dimensions": {
            "fit": {"min": 0, "max": 0, "groups": []},
            "engagement": {"min": 0, "max": 100, "groups": [{"name": "web", "rules": [
                {"name": "visit", "event": "page_viewed", "points": points}
            ]}]}
        },
        "grades": {"fit": [{"label": "A"}], "engagement": [{"label": "1", "from": 50}, {"label": "2"}]},
        "bands": [{"label": "hot", "from": 50}, {"label": "cold"}],
        "mql": {"enter": 50, "leave": 30, "dwell": "1d"}
    })
}

/// A draft; its id.
pub(crate) async fn add(app: &TestApp, document: &Value) -> String {
    app.advance(TimeDelta::seconds(1)); // newest first is then certain
    let answer = app.post("/v1/models", document.to_string()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// A version that is being prepared; its id.
pub(crate) async fn begin(app: &TestApp, document: &Value) -> String {
    let id = add(app, document).await;
    let answer = app.post(&format!("/v1/models/{id}/publish"), "").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    id
}

/// A version that is live, and all that follows from it done.
pub(crate) async fn publish(app: &TestApp, document: &Value) -> String {
    let id = begin(app, document).await;
    app.run_due().await;
    id
}

/// A second later somebody views a page, so many times.
pub(crate) async fn visit(app: &TestApp, user: &str, times: usize) {
    app.advance(TimeDelta::seconds(1));
    let events = vec![json!({"type": "page_viewed", "lead": {"user_id": user}}); times];
    app.events(json!(events)).await;
}
