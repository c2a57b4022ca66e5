//! Somebody else's server, which takes webhooks: it keeps what comes, and answers as it is told.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Response},
};
use leadscore::feed::webhooks::address::Reachable;
use serde_json::Value;
use tokio::{net::TcpListener, task::AbortHandle};

/// How long a receiver of a test may take to answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// The addresses of receivers.
pub(super) fn here() -> Arc<Reachable> {
    Arc::new(Reachable { allowed: vec!["127.0.0.1/32".parse().unwrap()] })
}

/// A message that came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Got {
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Got {
    pub(crate) fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn data(&self) -> Value {
        self.body()["data"].clone()
    }
}

/// How a message is answered.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// With a status.
    Status(u16),
    /// With a status and a header.
    With(u16, &'static str, String),
    /// With a status and a body.
    Saying(u16, String),
    /// Not at all.
    Hang,
}

#[derive(Default)]
struct Told {
    /// Answers to the next messages.
    next: VecDeque<Reply>,
    /// The answer to all others; none: 204.
    always: Option<Reply>,
    got: Vec<Got>,
}

/// The server; it ends with the test.
pub(crate) struct Receiver {
    pub(crate) url: String,
    told: Arc<Mutex<Told>>,
    serving: AbortHandle,
}

impl Receiver {
    pub(crate) async fn start() -> Receiver {
        let told = Arc::new(Mutex::new(Told::default()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&told));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Receiver { url, told, serving }
    }

    /// Answers to the next messages.
    pub(crate) fn next(&self, replies: impl IntoIterator<Item = Reply>) {
        self.told.lock().unwrap().next.extend(replies);
    }

    /// The answer to every message for which no other is set.
    pub(crate) fn always(&self, reply: Reply) {
        self.told.lock().unwrap().always = Some(reply);
    }

    /// Everything that came so far.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.told.lock().unwrap().got.clone()
    }

    /// What came since this was asked last.
    pub(crate) fn take(&self) -> Vec<Got> {
        std::mem::take(&mut self.told.lock().unwrap().got)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(told): State<Arc<Mutex<Told>>>, headers: HeaderMap, text: String) -> Response<Body> {
    let reply = {
        let mut told = told.lock().unwrap();
        told.got.push(Got { headers, text });
        told.next.pop_front().or(told.always.clone()).unwrap_or(Reply::Status(204))
    };
    match reply {
        Reply::Status(status) => Response::builder().status(status).body(Body::empty()).unwrap(),
        Reply::With(status, name, value) => {
            Response::builder().status(status).header(name, value).body(Body::empty()).unwrap()
        }
        Reply::Saying(status, text) => Response::builder().status(status).body(Body::from(text)).unwrap(),
        Reply::Hang => pending().await,
    }
}
