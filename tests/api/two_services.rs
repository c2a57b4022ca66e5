//! Two services in one process, on two schemas of one database: nothing of a service is static or global.

use leadscore::{
    app::{App, Settings},
    keys::{self, Prefix, Secret},
    models,
    platform::{db, ids::Ids, sweep},
    publishing::{
        self,
        jobs::{Rebuild, Settle},
    },
    routes,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::harness::{ADMIN, TestApp, models::visits, run};

const OTHER: &str = "sk_test_other_0123456789abcdef";

/// A service on a schema of its own, with one key, and one model by which a page view gives so many points.
async fn service_on(schema: &str, key: &str, points: i64, app: &TestApp) -> TestApp {
    let mut conn = app.database.connect().await;
    conn.execute(AssertSqlSafe(format!("create schema {schema}"))).await.unwrap();
    let options = app.database.options().options([("search_path", schema)]);
    let pools = db::connect(options, 3, 1).await.unwrap();
    db::migrate(&pools.main).await.unwrap();
    let clock = app.app.clock.clone();
    let metrics = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
    let service = App::start(pools, clock.clone(), Ids::seeded(clock, 7), metrics, Settings::default());
    models::ensure_default(&service.models).await.unwrap();
    let admin = Secret::given(key, Prefix::Secret).unwrap();
    keys::ensure(&service.keys, Some(admin), None).await.unwrap();
    let model = models::add_draft(&service.models, &visits(points)).await.unwrap();
    publishing::publish(&service.publishing, model, false).await.unwrap();
    while sweep::run_once::<Rebuild>(&service.publishing).await.unwrap() > 0 {}
    while sweep::run_once::<Settle>(&service.publishing).await.unwrap() > 0 {}
    TestApp {
        router: routes::router(&service),
        app: service,
        database: app.database.clone(),
        amazon: app.amazon.clone(),
    }
}

/// The scores of the leads that a service knows, by their user ids.
async fn scores(service: &TestApp, key: &str) -> Value {
    let leads = service.call("GET", "/v1/leads", Some(key), "").await.json();
    let leads = leads["data"].as_array().unwrap_or_else(|| panic!("{leads}"));
    let score = |lead: &Value| (lead["user_id"].as_str().unwrap().to_owned(), lead["score"].clone());
    leads.iter().map(score).collect()
}

#[tokio::test]
async fn two_services_on_two_schemas_of_one_database_do_not_see_each_other() {
    run(async |app| {
        let one = service_on("one", ADMIN, 10, app).await;
        let other = service_on("other", OTHER, 25, app).await;

        let seen = |user: &str| json!({"type": "page_viewed", "lead": {"user_id": user}}).to_string();
        for (service, key, user) in [(&one, ADMIN, "jane"), (&other, OTHER, "jane"), (&other, OTHER, "joe")] {
            assert_eq!(service.call("POST", "/v1/events", Some(key), seen(user)).await.status, 200);
        }

        assert_eq!(scores(&one, ADMIN).await, json!({"jane": 10}));
        assert_eq!(scores(&other, OTHER).await, json!({"jane": 25, "joe": 25}));
        assert_eq!(one.call("GET", "/v1/leads", Some(OTHER), "").await.status, 401, "a key of the other");
        assert_eq!(other.call("GET", "/v1/leads", Some(ADMIN), "").await.status, 401, "a key of the first");
        assert_eq!(scores(app, ADMIN).await, json!({}), "the service on the default schema has no lead");
        one.app.shut_down().await;
        other.app.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn a_change_of_one_services_models_does_not_hold_up_the_other() {
    run(async |app| {
        let one = service_on("one", ADMIN, 10, app).await;
        let other = service_on("other", OTHER, 25, app).await;
        let mut conn = app.database.connect().await;
        conn.execute("set search_path to one").await.unwrap();
        let change = conn.begin_with(CHANGES_MODELS).await.unwrap();
        let seen = json!({"type": "page_viewed", "lead": {"user_id": "jane"}}).to_string();
        let (waiting, body) = (one.clone(), seen.clone());
        let waiting =
            tokio::spawn(async move { waiting.call("POST", "/v1/events", Some(ADMIN), body).await.status });
        while !waits_for_the_lock(app).await {
            assert!(!waiting.is_finished(), "the models of its schema are being changed");
        }

        let answered = other.call("POST", "/v1/events", Some(OTHER), seen).await.status;

        assert_eq!(answered, 200);
        change.rollback().await.unwrap();
        assert_eq!(waiting.await.unwrap(), 200);
        one.app.shut_down().await;
        other.app.shut_down().await;
    })
    .await;
}

/// How a transaction begins that changes the models of its schema.
const CHANGES_MODELS: &str =
    "begin; select pg_advisory_xact_lock(hashtextextended(current_schema(), 7309453671))";

/// Whether a transaction waits for an advisory lock.
async fn waits_for_the_lock(app: &TestApp) -> bool {
    let waits = "select exists (
        select from pg_locks l join pg_database d on d.oid = l.database
        where d.datname = current_database() and l.locktype = 'advisory' and not l.granted
    )";
    sqlx::query_scalar(waits).fetch_one(&mut app.database.connect().await).await.unwrap()
}
