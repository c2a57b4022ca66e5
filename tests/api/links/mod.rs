//! Links of mails: opens, clicks, unsubscribing; tokens that cannot be made or bent.

mod following;
mod making;
mod unsubscribing;

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::harness::{Answer, TestApp};

const JANE: &str = "jane@acme.example";

const ONE_CLICK: &str = "List-Unsubscribe=One-Click";

/// A lead with an address.
async fn known(app: &TestApp) -> Value {
    app.events(json!({"id": "i1", "type": "identify", "lead": {"user_id": "u1", "email": JANE}})).await;
    app.only_lead().await
}

async fn made(app: &TestApp, wanted: Value) -> Value {
    let answer = app.post("/v1/links", wanted.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Links of a mail to Jane.
async fn links(app: &TestApp) -> Value {
    let urls = json!([{"url": "https://acme.example/pricing?a=1#top"}, {"url": "http://acme.example/trap", "honeypot": true}]);
    made(app, json!({"email": JANE, "message_id": "welcome-1", "links": urls})).await
}

/// The path of an address of the service.
fn path(url: &Value) -> &str {
    url.as_str().unwrap().strip_prefix("http://leads.test").unwrap_or_else(|| panic!("{url}"))
}

async fn fetch(app: &TestApp, method: &str, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("user-agent", "Mozilla/5.0 (X11) Mail");
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    app.app.links.idle().await;
    answer
}

async fn post_form(app: &TestApp, path: &str, kind: &str, body: &str) -> Answer {
    let request = Request::post(path).header("content-type", kind);
    app.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// The events of a type, as they are in the log: properties and context.
async fn logged(app: &TestApp, kind: &str) -> Vec<(Value, Option<Value>)> {
    let rows = sqlx::query_as("select properties, context from event where type = $1 order by received_at");
    rows.bind(kind).fetch_all(&mut app.database.connect().await).await.unwrap()
}
