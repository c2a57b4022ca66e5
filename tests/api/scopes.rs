//! Which key may do which call: every operation of the description is tried with every kind of key.

use std::collections::BTreeSet;

use crate::harness::{
    TestApp,
    description::{Operation, operations},
    run,
};

/// Calls that need no key in a header. Whoever adds one here has thought about it.
const PUBLIC: [&str; 15] = [
    "GET /analytics.js/v1/{key}/analytics.min.js",
    "GET /c/{token}",
    "GET /livez",
    "GET /metrics",
    "GET /o/{token}",
    "GET /pixel/v1/{type}",
    "GET /readyz",
    "GET /sourceConfig",
    "GET /u/{token}",
    "GET /v1/hooks/{provider}/{token}",
    "GET /v1/models/schema.json",
    "GET /v1/pixel/{type}",
    "GET /v1/projects/{key}/settings",
    "POST /u/{token}",
    "POST /v1/hooks/{provider}/{token}",
];

const SCOPES: [&str; 4] = ["ingest", "read", "read_write", "admin"];

async fn code(app: &TestApp, operation: &Operation, key: Option<&str>) -> (u16, String) {
    let body = if operation.method == "GET" { "" } else { r#"{"batch":[]}"# };
    let answer = app.call(&operation.method, &operation.example(), key, body).await;
    let code = if answer.status.is_success() { String::new() } else { answer.problem() };
    (answer.status.as_u16(), code)
}

#[tokio::test]
async fn every_call_asks_for_the_scope_that_its_description_names_and_for_no_other() {
    run(async |app| {
        let mut keys = Vec::new();
        for scope in SCOPES {
            keys.push((scope, app.key_with(&[scope]).await));
        }
        for operation in operations() {
            let Some(needed) = operation.scope() else { continue };
            assert_eq!(
                code(app, &operation, None).await,
                (401, "unauthorized".to_owned()),
                "{}",
                operation.name()
            );
            for (scope, key) in &keys {
                let (status, code) = code(app, &operation, Some(key)).await;
                let allowed =
                    *scope == needed || *scope == "admin" || (*scope, &*needed) == ("read_write", "read");
                let said = format!("{} with {scope}: {status} {code}", operation.name());
                assert_eq!(allowed, status != 401 && status != 403, "{said}");
                assert!(allowed || code == "missing_scope", "{said}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_public_calls_are_these_and_no_others() {
    let public: BTreeSet<String> =
        operations().iter().filter(|operation| operation.scope().is_none()).map(Operation::name).collect();

    assert_eq!(public, BTreeSet::from(PUBLIC.map(str::to_owned)));
}
