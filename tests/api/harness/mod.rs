//! What every test stands on: a database of its own, the real service around it, a clock that stands still.

mod amazon;
mod calls;
mod database;
pub(crate) mod description;
mod logs;
pub(crate) mod models;
mod receiver;
mod replay;
pub(crate) mod sales;

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use leadscore::{
    app::{App, Settings},
    feed::webhooks,
    http::body,
    intake::links,
    keys::{self, Prefix, Secret},
    platform::{clock::Clock, db, ids::Ids, sweep::Job},
    publishing::jobs::{Step, rebuild_step},
    routes, sweeps,
};
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) use amazon::Amazon;
pub(crate) use calls::{call, does, rows, shown};
pub(crate) use database::TestDatabase;
pub(crate) use logs::logged;
pub(crate) use receiver::{Got, Receiver, Reply};
pub(crate) use replay::assert_stored_is_replay;

/// When every test begins.
pub(crate) const START: &str = "2026-03-02T09:00:00Z";
/// May do everything.
pub(crate) const ADMIN: &str = "sk_test_0123456789abcdefghij";
/// May send events.
pub(crate) const WRITE: &str = "wk_test_0123456789abcdefghij";

/// The service under test.
#[derive(Clone)]
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) router: Router,
    pub(crate) database: TestDatabase,
    pub(crate) amazon: Amazon,
}

/// Runs a test's body against a service of its own; afterwards nothing may be left undone.
pub(crate) async fn run(body: impl AsyncFnOnce(&TestApp)) {
    logs::begin();
    let test = TestApp::start().await;
    let ended = AssertUnwindSafe(body(&test)).catch_unwind().await;
    if ended.is_ok() {
        assert_eq!(test.run_due().await, 0, "something that was due was left undone; call run_due");
        assert_eq!(test.database.open_transactions().await, 0, "a transaction was left open");
        assert_eq!(test.count("webhook_lane where lease_token is not null").await, 0, "a lease was left");
    }
    test.app.shut_down().await;
    test.database.remove().await;
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

/// Reads the log as far as it takes to give the next leads, at most so many, a state; how many there were, and one for the
/// step at the end.
pub(crate) async fn rebuild_next(app: &TestApp, at_most: usize) -> sqlx::Result<usize> {
    loop {
        match rebuild_step(&app.app.publishing, at_most).await? {
            Step::Read => {}
            Step::Nothing => return Ok(0),
            Step::InUse => return Ok(1),
            Step::Rebuilt(leads) => return Ok(leads),
        }
    }
}

impl TestApp {
    async fn start() -> TestApp {
        let database = TestDatabase::create().await;
        let clock = Clock::manual(START.parse().unwrap());
        let amazon = Amazon::default();
        let app = service(&database, &clock, 1, receivers(receiver::TIMEOUT), &amazon).await;
        leadscore::models::ensure_default(&app.models).await.unwrap();
        let admin = Secret::given(ADMIN, Prefix::Secret).unwrap();
        let write = Secret::given(WRITE, Prefix::Write).unwrap();
        keys::ensure(&app.keys, Some(admin), Some(write)).await.unwrap();
        links::ensure(&app.links).await.unwrap();
        TestApp { router: routes::router(&app), app, database, amazon }
    }

    /// Another instance of the service on the same database, with the same clock.
    pub(crate) async fn second_instance(&self) -> TestApp {
        self.beside(2, receivers(receiver::TIMEOUT)).await
    }

    /// The same, which waits for the answers of webhooks' receivers for longer than any test takes.
    pub(crate) async fn patient_instance(&self) -> TestApp {
        self.beside(4, receivers(Duration::from_mins(2))).await
    }

    /// The same, whose operator has allowed no addresses for webhooks besides the public ones.
    pub(crate) async fn instance_that_reaches_only_the_internet(&self) -> TestApp {
        self.beside(3, webhooks::Settings::default()).await
    }

    /// The same, with other settings.
    pub(crate) async fn instance_with(&self, settings: Settings) -> TestApp {
        let pools = db::connect(self.database.options(), 2, 1).await.unwrap();
        let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
        let clock = self.app.clock.clone();
        let app = App::start(pools, clock.clone(), Ids::seeded(clock, 5), metrics, settings);
        TestApp {
            router: routes::router(&app),
            app,
            database: self.database.clone(),
            amazon: self.amazon.clone(),
        }
    }

    /// The same, which waits next to no time for the rest of a body.
    pub(crate) async fn impatient_instance(&self) -> TestApp {
        let bodies = body::Limits { silence: Duration::from_millis(1), ..body::Limits::default() };
        self.instance_with(Settings { bodies, ..Settings::default() }).await
    }

    async fn beside(&self, seed: u64, webhooks: webhooks::Settings) -> TestApp {
        let (database, amazon) = (self.database.clone(), self.amazon.clone());
        let app = service(&database, &self.app.clock, seed, webhooks, &amazon).await;
        TestApp { router: routes::router(&app), app, database, amazon }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        self.app.clock.advance(by);
    }

    /// Does everything that is due, and returns how many leads that were. It ends once every sweep in turn has
    /// found nothing to do.
    pub(crate) async fn run_due(&self) -> usize {
        self.app.links.idle().await;
        let (of_leads, of_changes) = (sweeps::of_leads(&self.app), sweeps::of_changes(&self.app));
        let sweeps: Vec<&Job> = of_leads.iter().chain(&of_changes).collect();
        let (mut leads, mut idle) = (0, 0);
        for turn in (0..=sweeps.len()).cycle() {
            let done = match sweeps.get(turn) {
                Some(sweep) => sweep.run_once().await.unwrap(),
                None => self.see_to_webhooks().await,
            };
            leads += if turn < of_leads.len() { done } else { 0 };
            idle = if done == 0 { idle + 1 } else { 0 };
            if idle > sweeps.len() {
                break;
            }
        }
        leads
    }

    /// One run of every sweep that is about webhooks, where there are any, until nothing is being sent.
    async fn see_to_webhooks(&self) -> usize {
        let any = sqlx::query_scalar("select exists (select from webhook_endpoint)");
        let any: bool = any.fetch_one(&self.app.db).await.unwrap();
        if !any {
            return 0;
        }
        let mut done = 0;
        for sweep in sweeps::of_webhooks(&self.app) {
            done += sweep.run_once().await.unwrap();
        }
        self.app.webhooks.couriers.idle().await;
        done
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {ADMIN}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {ADMIN}"))
            .header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Sends events in our own shape; all must be taken.
    pub(crate) async fn events(&self, events: Value) -> Value {
        let answer = self.post("/v1/events?return=leads", events.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let answer = answer.json();
        assert_eq!(answer["rejected"], json!([]), "{answer}");
        answer
    }

    /// The one lead there is.
    pub(crate) async fn only_lead(&self) -> Value {
        let leads = self.get("/v1/leads").await.json();
        assert_eq!(leads["data"].as_array().unwrap().len(), 1, "{leads}");
        self.get(&format!("/v1/leads/{}", leads["data"][0]["id"].as_str().unwrap())).await.json()
    }

    /// The lead that a user id or e-mail begins.
    pub(crate) async fn lead(&self, begins: &str) -> Value {
        let found = self.get(&format!("/v1/leads?q={begins}")).await.json();
        let text = begins.replace("%40", "@");
        let begun = |lead: &&Value| {
            ["user_id", "email"].iter().any(|id| lead[id].as_str().is_some_and(|id| id.starts_with(&text)))
        };
        let leads: Vec<&Value> = found["data"].as_array().unwrap().iter().filter(begun).collect();
        assert_eq!(leads.len(), 1, "{found}");
        leads[0].clone()
    }
}

/// Webhooks to the receivers of tests, which may take this long to answer.
fn receivers(timeout: Duration) -> webhooks::Settings {
    webhooks::Settings { reachable: receiver::here(), timeout }
}

async fn service(
    database: &TestDatabase,
    clock: &Clock,
    seed: u64,
    webhooks: webhooks::Settings,
    amazon: &Amazon,
) -> App {
    let pools = db::connect(database.options(), 5, 3).await.unwrap();
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
    let ids = Ids::seeded(clock.clone(), seed);
    let settings = Settings {
        public_url: "http://leads.test".to_owned(),
        webhooks,
        amazon: amazon.fetch(),
        ..Settings::default()
    };
    App::start(pools, clock.clone(), ids, metrics, settings)
}

/// What the service answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The stable word of a problem document, after a look at its form.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{problem}");
        assert!(problem["message"].is_string(), "{problem}");
        problem["code"].as_str().unwrap().to_owned()
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}
