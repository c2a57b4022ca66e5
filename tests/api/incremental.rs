//! What is stored equals a replay of the log: random models, random traffic of several people on several devices,
//! in any order and batching, duplicated and late, through several writers at once, while other models are published
//! and taken back and run in shadow.

#[path = "../../crates/scoring/tests/arbitrary/mod.rs"]
mod arbitrary;

use arbitrary::{Arrival, START, log, model};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use leadscore::{
    intake::{
        ingest::{
            Submission,
            event::{self, Found},
            submit,
        },
        verdicts::Finding,
    },
    leads::identity::{Identity, Kind, Named},
    platform::{clock::to_utc, db},
    publishing::jobs::{Step, rebuild_step},
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use scoring::{Event, Instant, Verdict};
use serde_json::{Value, json};

use crate::harness::{ADMIN, TestApp, assert_stored_is_replay, run};

/// How many random models and logs; `LEADSCORE_CASES` asks for more.
const CASES: u32 = 60;

/// An arrival of an event: when, which, and whom it names.
#[derive(Debug, Clone)]
struct Delivery {
    at: i64,
    event: Event,
    names: [Option<u8>; 3],
}

impl Delivery {
    /// The same, in a story that begins now.
    fn later(mut self, now: DateTime<Utc>) -> Delivery {
        let shift = |at: i64| at - START + now.timestamp_micros();
        self.at = shift(self.at);
        self.event.occurred_at = Instant::from_micros(shift(self.event.occurred_at.as_micros()));
        let expires_at = self.event.properties.get("expires_at").and_then(Value::as_str);
        if let Some(at) = expires_at.and_then(|text| Instant::parse_rfc3339(text).ok()) {
            self.event
                .properties
                .insert("expires_at".to_owned(), json!(Instant::from_micros(shift(at.as_micros()))));
        }
        self
    }
}

fn deliveries() -> impl Strategy<Value = Vec<Delivery>> {
    let one_of = |n: u8| prop_oneof![1 => Just(None), 2 => (0..n).prop_map(Some)];
    let names = [one_of(2).boxed(), one_of(2).boxed(), one_of(3).boxed()];
    log().prop_flat_map(move |log| {
        let names = prop::collection::vec(names.clone(), log.len());
        (Just(log), names).prop_map(|(log, names)| {
            let deliver = |(arrival, names): (Arrival, [Option<u8>; 3])| {
                arrival.at.into_iter().map(move |at| Delivery { at, event: arrival.event.clone(), names })
            };
            let mut deliveries: Vec<Delivery> = log.into_iter().zip(names).flat_map(deliver).collect();
            deliveries.sort_by_key(|delivery| delivery.at);
            deliveries
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_equals_a_replay_of_the_log_under_every_version() {
    let cases = std::env::var("LEADSCORE_CASES").map_or(CASES, |cases| cases.parse().unwrap());
    run(async |app| {
        let mut runner = TestRunner::deterministic();
        let sizes = prop::collection::vec(1..6_usize, 40);
        let case = ((model(), model(), model()), deliveries(), sizes, 0..40_i64, 1..4_usize, any::<bool>());
        for number in 0..cases {
            let ((first, second, third), deliveries, sizes, days, chunk, back) =
                case.new_tree(&mut runner).unwrap().current();
            let deliveries: Vec<Delivery> = deliveries.into_iter().map(|one| one.later(app.now())).collect();
            let (before, rest) = deliveries.split_at(deliveries.len() / 3);
            let (during, after) = rest.split_at(rest.len() / 2);
            let world = World::new(app, number).await;

            world.publish(&first).await;
            app.run_due().await;
            world.deliver(before, &sizes).await;
            let shadow = world.add(&third).await;
            world.call("PUT", &format!("/v1/models/{shadow}/shadow")).await;
            let live = world.publish(&second).await;
            tokio::join!(world.deliver(during, &sizes), world.rebuild(chunk));
            let going_back = async {
                if back {
                    world.call("POST", &format!("/v1/models/{live}/rollback")).await;
                }
                app.run_due().await;
            };
            tokio::join!(world.deliver(after, &sizes), going_back);

            world.check(false).await;
            app.advance(TimeDelta::days(days) + TimeDelta::microseconds(days));
            app.run_due().await;
            world.check(true).await;
        }
    })
    .await;
}

/// The leads of one case, and nobody else.
struct World<'a> {
    app: &'a TestApp,
    number: u32,
}

impl<'a> World<'a> {
    async fn new(app: &'a TestApp, number: u32) -> World<'a> {
        app.run_due().await;
        let mut conn = app.database.connect().await;
        sqlx::query("truncate lead, identity, event cascade").execute(&mut conn).await.unwrap();
        World { app, number }
    }

    async fn call(&self, method: &str, path: &str) -> Value {
        let answer = self.app.call(method, path, Some(ADMIN), "").await;
        assert!(answer.status.is_success(), "{method} {path}: {answer:?}");
        answer.json()
    }

    /// Adds a version; its thresholds are within reach of random traffic.
    async fn add(&self, document: &Value) -> String {
        let mut document = document.clone();
        document["mql"] = json!({"enter": 15, "leave": 8, "dwell": "1d"});
        let answer = self.app.post("/v1/models", document.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    async fn publish(&self, document: &Value) -> String {
        let id = self.add(document).await;
        self.call("POST", &format!("/v1/models/{id}/publish")).await;
        id
    }

    /// Rebuilds, a few leads at a time, until everything that was asked for is in use.
    async fn rebuild(&self, chunk: usize) {
        loop {
            match rebuild_step(&self.app.app.publishing, chunk).await {
                Ok(Step::Nothing) => return,
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => assert!(db::is_collision(&error), "{error}"),
            }
        }
    }

    /// Sends what arrives in batches of random sizes, up to three batches at once.
    async fn deliver(&self, deliveries: &[Delivery], sizes: &[usize]) {
        let mut rest = deliveries;
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let mut batches = Vec::new();
            for _ in 0..3 {
                let (batch, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                rest = after;
                batches.push(batch);
            }
            let latest = batches.iter().flat_map(|batch| batch.iter()).map(|delivery| delivery.at).max();
            self.move_clock_to(latest.unwrap_or(START));
            let sent = batches.into_iter().map(|batch| {
                let events =
                    batch.iter().enumerate().filter_map(|(index, one)| Some((index, self.event(one)?)));
                submit(
                    &self.app.app.intake.writers,
                    Submission {
                        arrival: self.arrival(),
                        events: events.collect(),
                        refused: Vec::new(),
                        want_leads: false,
                        size: 0,
                    },
                )
            });
            for answer in join_all(sent).await {
                assert_eq!(answer.unwrap().rejected, [], "case {}", self.number);
            }
        }
    }

    fn move_clock_to(&self, at: i64) {
        let ahead = to_utc(Instant::from_micros(at)) - self.app.now();
        self.app.advance(ahead.max(TimeDelta::zero()));
    }

    fn arrival(&self) -> event::Arrival {
        event::Arrival { at: self.app.now(), api_key: None }
    }

    fn event(&self, delivery: &Delivery) -> Option<event::NewEvent> {
        let [user, email, device] = delivery.names;
        let identity = |kind: Kind, text: String| Identity::parse(kind, &text).unwrap();
        let case = self.number;
        let named = Named::new(
            user.map(|n| identity(Kind::UserId, format!("{case}-u{n}"))),
            email.map(|n| identity(Kind::Email, format!("{case}-{n}@acme.example"))),
            device.map(|n| identity(Kind::AnonymousId, format!("{case}-d{n}"))),
            delivery.event.kind == "identify",
        )?;
        let alone = delivery.names.iter().flatten().count() == 1 && named.principal().kind() == Kind::Email;
        let named = if alone { Named::in_passing(named.principal().clone()) } else { named };
        let found = Found {
            id: Some(delivery.event.id.clone()),
            kind: delivery.event.kind.clone(),
            name: None,
            named,
            original_at: Some(to_utc(delivery.event.occurred_at)),
            sent_at: None,
            corrected: true,
            properties: delivery.event.properties.clone(),
            traits: delivery.event.traits.clone(),
            context: None,
            hint: match delivery.event.verdict {
                Verdict::Human => None,
                Verdict::Suspect => Some(Finding::NoAgent),
                Verdict::Machine => Some(Finding::Provider),
            },
        };
        Some(found.into_event(self.arrival(), String::new).unwrap())
    }

    async fn check(&self, woken: bool) {
        let mut conn = self.app.database.connect().await;
        let scored = self.app.app.models.live.scored(&mut conn).await.unwrap();
        assert!(!scored.others.is_empty(), "the shadow, and the one before for a week");
        let now = woken.then(|| self.app.now());
        assert_stored_is_replay(&mut conn, &scored, now, &format!("case {}", self.number)).await;
    }
}
