//! Requests that are not the usual ones: other methods, keys, headers and bytes.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};

use super::{ADMIN, Answer, TestApp};

impl TestApp {
    /// Any request with a JSON body, with any key or none.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Bytes to a path, with headers beside the key.
    pub(crate) async fn post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::post(path).header(header::AUTHORIZATION, format!("Bearer {ADMIN}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// A new key with these scopes.
    pub(crate) async fn key_with(&self, scopes: &[&str]) -> String {
        let made = self.post("/v1/keys", json!({"name": "a key", "scopes": scopes}).to_string()).await.json();
        made["key"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    /// The rows of every page of a list, by following `next_cursor`.
    pub(crate) async fn pages(&self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}{cursor}")).await.json();
            rows.extend(page["data"].as_array().unwrap_or_else(|| panic!("{page}")).clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("{}cursor={next}", if path.contains('?') { "&" } else { "?" }),
                None => return rows,
            }
        }
    }

    /// How many rows a table has.
    pub(crate) async fn count(&self, table: &'static str) -> i64 {
        let statement = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
        sqlx::query_scalar(statement).fetch_one(&mut self.database.connect().await).await.unwrap()
    }
}

/// Any call with a JSON body.
pub(crate) async fn call(app: &TestApp, method: &str, path: &str, body: &Value) -> Answer {
    app.call(method, path, Some(ADMIN), body.to_string()).await
}

/// A call that must succeed; what it answers, or null where it answers nothing.
pub(crate) async fn does(app: &TestApp, method: &str, path: &str, body: Value) -> Value {
    let answer = call(app, method, path, &body).await;
    assert!(answer.status.is_success(), "{method} {path} {body}: {answer:?}");
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// Everything in the database that a call might change, as text.
pub(crate) async fn rows(app: &TestApp) -> Vec<String> {
    let mut conn = app.database.connect().await;
    let mut rows = Vec::new();
    for table in [
        "event",
        "identity",
        "identity_link",
        "identity_span",
        "lead",
        "lead_profile",
        "score",
        "transition",
        "rejected_events",
        "scoring_model",
    ] {
        let statement =
            sqlx::AssertSqlSafe(format!("select '{table} ' || t::text from {table} t order by 1"));
        rows.extend(sqlx::query_scalar::<_, String>(statement).fetch_all(&mut conn).await.unwrap());
    }
    rows
}

/// A body as text, with every id that differs from run to run replaced.
pub(crate) fn shown(body: &Value) -> String {
    fn hide(value: &mut Value) {
        match value {
            Value::String(text) if uuid::Uuid::parse_str(text).is_ok() => *value = json!("[id]"),
            Value::Object(fields) => fields.values_mut().for_each(hide),
            Value::Array(items) => items.iter_mut().for_each(hide),
            _ => {}
        }
    }
    let mut body = body.clone();
    hide(&mut body);
    format!("{body:#}")
}
