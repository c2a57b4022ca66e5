//! A CRM: its records, what people do to them, and a server that speaks of them in one of the shapes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Method, Response, Uri, header},
};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use leadscore::platform::clock::Clock;
use serde_json::{Map, Value};
use tokio::{net::TcpListener, runtime::Runtime, task::AbortHandle};

pub(super) const TOKEN: &str = "the-token-of-the-tests";

/// A contact or lead.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) fields: Map<String, Value>,
    pub(super) modified: DateTime<Utc>,
    pub(super) deleted: bool,
    /// The record that it became.
    pub(super) master: Option<String>,
    /// The records that became this one.
    pub(super) merged: Vec<String>,
}

/// How the next call that writes goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// It is not done.
    Before,
    /// It is done, and the answer is lost.
    After,
    /// It comes too soon.
    Busy,
}

/// Everything that a CRM knows.
#[derive(Debug, Default)]
pub(super) struct Data {
    pub(super) records: BTreeMap<String, Row>,
    /// How many records were written to over the API.
    pub(super) writes: usize,
    failure: Option<Failure>,
    last: DateTime<Utc>,
}

impl Data {
    /// An instant after every other, to the millisecond.
    fn tick(&mut self) -> DateTime<Utc> {
        self.last = Clock::System.now().trunc_subsecs(3).max(self.last + TimeDelta::milliseconds(1));
        self.last
    }

    pub(super) fn add(&mut self, id: String, fields: Map<String, Value>) {
        let modified = self.tick();
        let row = Row { fields, modified, deleted: false, master: None, merged: Vec::new() };
        self.records.insert(id, row);
    }

    pub(super) fn set(&mut self, id: &str, fields: impl IntoIterator<Item = (String, Value)>) {
        let modified = self.tick();
        let row = self.records.get_mut(id).expect("a record");
        row.fields.extend(fields);
        row.modified = modified;
    }

    pub(super) fn delete(&mut self, id: &str, master: Option<String>) {
        let modified = self.tick();
        let row = self.records.get_mut(id).expect("a record");
        (row.deleted, row.master, row.modified) = (true, master, modified);
    }

    /// What changed since an instant, oldest first.
    pub(super) fn since(&self, since: Option<DateTime<Utc>>) -> Vec<(&String, &Row)> {
        let mut rows: Vec<_> =
            self.records.iter().filter(|(_, row)| since.is_none_or(|since| row.modified >= since)).collect();
        rows.sort_by_key(|(_, row)| row.modified);
        rows
    }

    pub(super) fn by_field(&self, field: &str, value: &Value) -> Option<String> {
        let has = |row: &Row| !row.deleted && row.fields.get(field) == Some(value);
        self.records.iter().find(|(_, row)| has(row)).map(|(id, _)| id.clone())
    }
}

/// What a server answers to a method, a path with its query, and a body.
pub(super) type Speak = fn(&mut Data, &str, &Uri, &Value) -> (u16, Value);

/// The server; it ends with the test.
pub(super) struct Fake {
    pub(super) url: String,
    data: Arc<Mutex<Data>>,
    serving: AbortHandle,
}

impl Fake {
    pub(super) fn start(runtime: &Runtime, speak: Speak) -> Fake {
        let data = Arc::new(Mutex::new(Data::default()));
        let router = Router::new().fallback(answer).with_state((Arc::clone(&data), speak));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let serving = runtime.spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Fake { url, data, serving }
    }

    pub(super) fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().expect("nobody panicked")
    }

    pub(super) fn fail(&self, failure: Failure) {
        self.data().failure = Some(failure);
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    State((data, speak)): State<(Arc<Mutex<Data>>, Speak)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response<Body> {
    let (status, said) = {
        let mut data = data.lock().expect("nobody panicked");
        let known = headers.get(header::AUTHORIZATION).is_some_and(|key| *key == *format!("Bearer {TOKEN}"));
        let writes = method != Method::GET && !uri.path().ends_with("/search");
        let failure = if writes { data.failure.take() } else { None };
        match failure {
            _ if !known => (401, Value::Null),
            Some(Failure::Before) => (500, Value::Null),
            Some(Failure::Busy) => (429, Value::Null),
            failure => {
                let body = serde_json::from_str(&body).unwrap_or_default();
                let answer = speak(&mut data, method.as_str(), &uri, &body);
                if failure == Some(Failure::After) { (500, Value::Null) } else { answer }
            }
        }
    };
    let answer = Response::builder().status(status).header(header::RETRY_AFTER, "0");
    answer.body(Body::from(said.to_string())).expect("an answer")
}

/// A parameter of the query.
pub(super) fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
