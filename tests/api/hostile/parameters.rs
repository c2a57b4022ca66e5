//! Parameters of paths and queries, and cursors: what cannot be asked of the database is refused, and never fails in it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::calls;
use crate::harness::{
    ADMIN, TestApp,
    description::{Operation, operations},
    run,
};

/// Texts, percent-encoded: NUL, no UTF-8, patterns, quotes, the ends of Unicode, and one that is long.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> =
        ["%00", "a%00b", "%FF", "%25", "_%5C", "%5C", "%27%22", "%F4%8F%BF%BF", "%EF%BB%BF", "%0A", "null"]
            .map(str::to_owned)
            .into();
    texts.push("x".repeat(9_000));
    texts
}

/// Instants that chrono, the database or RFC 3339 does not hold.
const INSTANTS: [&str; 8] = [
    "-262143-01-01T00:00:00Z",
    "%2B262142-12-31T23:59:59Z",
    "-4714-01-01T00:00:00Z",
    "%2B294277-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0000-01-01T00:00:00%2B23:59",
    "9999-12-31T23:59:59.999999999-23:59",
    "infinity",
];

fn parameters(operation: &Operation) -> Vec<(String, String, Value)> {
    let all = operation.described["parameters"].as_array().cloned().unwrap_or_default();
    all.into_iter()
        .map(|one| {
            let text = |field: &str| one[field].as_str().unwrap().to_owned();
            (text("name"), text("in"), one["schema"].clone())
        })
        .collect()
}

fn is_public(operation: &Operation) -> bool {
    !operation.described["security"].to_string().contains("\"key\"")
}

/// The path of an operation with the ids of things that there are, and one parameter as it is given.
async fn path(app: &TestApp, operation: &Operation, name: &str, place: &str, value: &str) -> String {
    let mut path = calls::existing(app, &operation.path, (place == "path").then_some((name, value))).await;
    if place == "query" {
        path = format!("{path}?{name}={value}");
    }
    path
}

#[tokio::test]
async fn no_text_in_a_path_or_a_query_fails_in_the_database() {
    run(async |app| {
        calls::scene(app).await;
        let mut tried = 0;
        for operation in operations() {
            for (name, place, schema) in parameters(&operation) {
                if place == "header" || !schema.to_string().contains("\"string\"") {
                    continue;
                }
                for text in texts() {
                    let path = path(app, &operation, &name, &place, &text).await;
                    let answer = app.call(&operation.method, &path, Some(ADMIN), "{}").await;
                    let said = format!("{} {name}={text:.20}: {answer:?}", operation.name());
                    assert!(answer.status.as_u16() < 500, "{said}");
                    if text.contains("%00") && !is_public(&operation) {
                        assert!(answer.status.is_client_error(), "{said}");
                        assert!(place == "path" || answer.problem() == "invalid_parameter", "{said}");
                    }
                    tried += 1;
                }
            }
        }
        assert!(tried > 500, "{tried}");
        app.run_due().await;
    })
    .await;
}

#[tokio::test]
async fn no_instant_in_a_query_fails_in_the_database() {
    run(async |app| {
        calls::scene(app).await;
        let mut tried = 0;
        for operation in operations() {
            for (name, place, schema) in parameters(&operation) {
                if schema.to_string().contains("date-time") {
                    for instant in INSTANTS {
                        let path = path(app, &operation, &name, &place, instant).await;
                        let answer = app.call(&operation.method, &path, Some(ADMIN), "").await;
                        assert!(answer.status.as_u16() < 500, "{path}: {answer:?}");
                        tried += 1;
                    }
                }
            }
        }
        assert!(tried >= 4 * INSTANTS.len(), "{tried}");
    })
    .await;
}

/// Every cursor that differs from one in a single value.
fn altered(key: &Value) -> Vec<Value> {
    let others = [
        json!("-262143-01-01T00:00:00Z"),
        json!("+262142-12-31T23:59:59Z"),
        json!("-5000-01-01T00:00:00Z"),
        json!("0000-01-01T00:00:00Z"),
        json!("9999-12-31T23:59:59.999999Z"),
        json!("\0"),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
        json!([[]]),
        Value::Null,
    ];
    let mut found: Vec<Value> = others.to_vec();
    match key {
        Value::Object(fields) => {
            for (name, value) in fields {
                for other in altered(value) {
                    let mut one = key.clone();
                    one[name] = other;
                    found.push(one);
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                for other in altered(value) {
                    let mut one = key.clone();
                    one[index] = other;
                    found.push(one);
                }
            }
        }
        _ => {}
    }
    found
}

#[tokio::test]
async fn a_cursor_that_no_list_gave_out_is_refused_and_never_fails_in_the_database() {
    run(async |app| {
        calls::scene(app).await;
        let mut lists = 0;
        for operation in operations() {
            if !parameters(&operation).iter().any(|(name, ..)| name == "cursor") {
                continue;
            }
            let base = calls::existing(app, &operation.path, None).await;
            let page = app.get(&format!("{base}?limit=1")).await;
            assert_eq!(page.status, 200, "{base}: {page:?}");
            let page = page.json();
            let key: Value = match page["next_cursor"].as_str() {
                Some(cursor) => serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap(),
                None => json!({}),
            };
            lists += 1;
            for one in altered(&key) {
                let cursor = URL_SAFE_NO_PAD.encode(one.to_string());
                let answer = app.get(&format!("{base}?cursor={cursor}")).await;
                let said = format!("{} {one}: {answer:?}", operation.name());
                assert!(answer.status.as_u16() < 500, "{said}");
                assert!(
                    answer.status != 400
                        || ["invalid_cursor", "invalid_parameter"].contains(&&*answer.problem()),
                    "{said}"
                );
                let text = one.to_string();
                if text.contains("262143") || text.contains("262142") || text.contains("\\u0000") {
                    assert_eq!(
                        (answer.status.as_u16(), answer.problem()),
                        (400, "invalid_cursor".to_owned()),
                        "{said}"
                    );
                }
            }
            for cursor in ["", "%00", "!!!", "bm9uc2Vuc2U", &"W1tb".repeat(500)] {
                let answer = app.get(&format!("{base}?cursor={cursor}")).await;
                assert_eq!(answer.status, 400, "{}?cursor={cursor}: {answer:?}", operation.name());
            }
        }
        assert!(lists >= 10, "{lists}");
    })
    .await;
}
