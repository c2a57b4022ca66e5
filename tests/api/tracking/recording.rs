//! Recordings of what SDKs sent, as they lie in `captures`, and how to send them again.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::taken;
use crate::harness::{Answer, TestApp};

/// The write keys of the recordings, shorter than an operator may choose.
const KEYS: [&str; 2] = ["wk_test_123", "wk_browser_1"];
/// When the recordings are replayed: minutes after they were made.
const REPLAYED: &str = "2026-11-21T18:00:00Z";

/// A recording, by its file's name.
macro_rules! recording {
    ($name:literal) => {
        serde_json::from_str::<$crate::tracking::recording::Recording>(include_str!(concat!(
            "../captures/",
            $name,
            ".json"
        )))
        .unwrap()
    };
}

pub(super) use recording;

#[derive(Deserialize)]
pub(super) struct Recording {
    requests: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    method: String,
    path: String,
    query: String,
    headers: Map<String, Value>,
    #[serde(default)]
    body: String,
    body_bytes: usize,
}

impl Recorded {
    fn request(&self) -> Request<Body> {
        let uri =
            if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) };
        let body = STANDARD.decode(&self.body).expect("base64");
        assert_eq!(body.len(), self.body_bytes, "a body has as many bytes as were recorded");
        let mut request = Request::builder().method(self.method.as_str()).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(name, value.as_str().expect("text"));
        }
        request.body(body.into()).expect("a request")
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.1.as_str()
    }
}

/// Enters the keys of the recordings as they are, and goes to the day on which they were made.
pub(super) async fn prepare(app: &TestApp) {
    app.advance(REPLAYED.parse::<DateTime<Utc>>().expect("an instant") - app.now());
    for key in KEYS {
        sqlx::query(
            "insert into api_key (id, name, hash, prefix, last_four, scopes, created_at)
            values (gen_random_uuid(), $1, $2, 'wk_', right($1, 4), '{ingest}', $3)",
        )
        .bind(key)
        .bind(Sha256::digest(key).to_vec())
        .bind(app.now())
        .execute(&mut app.database.connect().await)
        .await
        .expect("a key of the recordings");
    }
}

/// Sends every request of a recording; the answers to those that carry messages, in order.
pub(super) async fn replay(app: &TestApp, recording: &Recording) -> Vec<Value> {
    let mut answers = Vec::new();
    for recorded in &recording.requests {
        let answer = app.send(recorded.request()).await;
        assert_eq!(answer.status, StatusCode::OK, "{} {}: {answer:?}", recorded.method, recorded.path);
        if let Some(origin) = recorded.header("origin") {
            assert_lets_in(&answer.headers, origin, recorded);
        }
        if recorded.method == "POST" {
            answers.push(taken(&answer));
        } else {
            assert_is_no_error(recorded, &answer);
        }
    }
    answers
}

/// A browser hands the answer to the page's script only so.
fn assert_lets_in(headers: &HeaderMap, origin: &str, recorded: &Recorded) {
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], origin);
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
    if recorded.method == "OPTIONS" {
        let mirrored = |allow: HeaderName, requested: &str| {
            let requested =
                HeaderValue::from_str(recorded.header(requested).expect("a preflight")).expect("a header");
            assert_eq!(headers[allow], requested);
        };
        mirrored(header::ACCESS_CONTROL_ALLOW_METHODS, "access-control-request-method");
        mirrored(header::ACCESS_CONTROL_ALLOW_HEADERS, "access-control-request-headers");
    }
}

fn assert_is_no_error(recorded: &Recorded, answer: &Answer) {
    match (recorded.method.as_str(), recorded.path.starts_with("/v1/pixel")) {
        ("OPTIONS", _) => assert!(answer.body.is_empty(), "{answer:?}"),
        (_, true) => assert!(answer.body.starts_with(b"GIF89a"), "{answer:?}"),
        _ => assert!(answer.json()["integrations"]["Segment.io"]["apiHost"].is_string(), "{answer:?}"),
    }
}
