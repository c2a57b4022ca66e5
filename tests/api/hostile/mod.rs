//! Everything that a call takes, with hostile values in every place: what is acknowledged can be read back.
//!
//! The calls and their parameters come from the service's own description. A call that takes a body and has no example
//! in [`calls`] fails the test: whoever adds one says there how it is made.

mod acknowledged;
mod calls;
mod parameters;
mod values;

use axum::{
    body::Body,
    http::{Request, header},
};

use crate::harness::{ADMIN, Answer, TestApp};

/// A request that is to be made.
#[derive(Debug, Clone)]
struct Ask {
    method: &'static str,
    path: String,
    /// In the place of a key.
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Ask {
    fn json(method: &'static str, path: impl Into<String>, body: &serde_json::Value) -> Ask {
        Ask { method, path: path.into(), headers: Vec::new(), body: body.to_string() }
    }

    async fn send(&self, app: &TestApp) -> Answer {
        let mut request = Request::builder()
            .method(self.method)
            .uri(&self.path)
            .header(header::CONTENT_TYPE, "application/json");
        if self.headers.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {ADMIN}"));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        app.send(request.body(Body::from(self.body.clone())).unwrap()).await
    }
}
