//! The requests that are most work of their kind, as large as each may be: what an unkind client would send.

mod asking;
mod documents;
mod events;
mod filling;
mod ground;
mod mail;
mod pulse;
mod tracking;

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderName, Method, Request},
};
use http_body_util::BodyExt;
use tower::ServiceExt;

pub(crate) use ground::Ground;
pub(crate) use pulse::Pulse;

/// May do everything.
pub(crate) const ADMIN: &str = "sk_test_0123456789abcdefghij";
/// How large an event may be, in bytes, with room for what surrounds it.
const EVENT: usize = 64 * 1024 - 512;
/// How large a body may be that is read on the spot, in bytes.
const SMALL: usize = 32 * 1024;
/// How large the JSON of an ordinary call may be, in bytes.
const DOCUMENT: usize = 256 * 1024 - 64;
/// How much a query may hold, in bytes: heads are bounded.
const QUERY: usize = 60 * 1024;
/// How large what a provider of one event a request sends may be, in bytes.
const HOOK: usize = 1024 * 1024 - 512;
/// The key by which Mailgun and Resend sign.
const SIGNING: &[u8] = b"0123456789abcdefghijklmnopqrstuv";
/// The topic to which the source of Amazon SES listens.
const TOPIC: &str = "arn:aws:sns:us-east-1:1:a";

/// A request that is much work.
#[derive(Clone)]
pub(crate) struct Worst {
    /// What is special about it.
    pub(crate) name: &'static str,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Worst {
    fn post(name: &'static str, path: &str, body: impl Into<Bytes>) -> Worst {
        let (path, body) = (path.to_owned(), body.into());
        Worst { name, method: Method::POST, path, headers: Vec::new(), body }
            .with("content-type", "application/json")
    }

    fn get(name: &'static str, path: impl Into<String>) -> Worst {
        let (path, body) = (path.into(), Bytes::new());
        Worst { name, method: Method::GET, path, headers: Vec::new(), body }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Worst {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    fn by(self, method: Method) -> Worst {
        Worst { method, ..self }
    }

    /// How many bytes it sends, head and body.
    pub(crate) fn size(&self) -> usize {
        self.path.len() + self.body.len() + self.headers.iter().map(|(_, value)| value.len()).sum::<usize>()
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        request = request.header("authorization", format!("Bearer {ADMIN}"));
        for (name, value) in &self.headers {
            request = request.header(HeaderName::from_static(name), value);
        }
        request.body(Body::from(self.body.clone())).expect("a request")
    }

    /// Sends it, and takes the answer in: status and body.
    pub(crate) async fn send(&self, router: &Router) -> (u16, Bytes) {
        let answer = router.clone().oneshot(self.request()).await.expect("the router fails at nothing");
        let (status, body) = (answer.status().as_u16(), answer.into_body());
        (status, body.collect().await.expect("a body").to_bytes())
    }
}
