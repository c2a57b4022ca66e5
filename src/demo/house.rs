//! A service within this process, asked by its API and without a network.

use std::io::Write;

use anyhow::{Context, ensure};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode, header},
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use tower::ServiceExt;

use super::store;
use crate::{
    app::{App, Settings},
    intake::links,
    keys::{self, Made, Secret},
    models,
    platform::{clock::Clock, db, ids::Ids},
    routes,
};

/// The longest answer that is read.
const LONGEST: usize = 64 << 20;
/// Connections for requests: sales and the sweeps take turns.
const CONNECTIONS: u32 = 4;
/// One writer, so that the same story is the same whatever the machine.
const WRITERS: u32 = 1;

/// A service, and a key to it.
pub(super) struct House {
    pub(super) app: App,
    router: Router,
    key: Secret,
    made: Option<Made>,
}

impl House {
    /// The service on a database, brought up to date; one that never started gets its model and this key.
    pub(super) async fn open(
        database: PgConnectOptions,
        clock: Clock,
        metrics: PrometheusHandle,
        key: Secret,
    ) -> anyhow::Result<House> {
        let mut house = House::start(database, clock, metrics, key).await?;
        if store::has_no_keys(&house.app.db).await? {
            models::ensure_default(&house.app.models).await?;
            house.made = Some(keys::ensure(&house.app.keys, Some(house.key.clone()), None).await?);
            links::ensure(&house.app.links).await?;
        }
        let (status, said) = house.call(Method::GET, "/v1/queues/sales", None).await?;
        ensure!(
            status == StatusCode::OK,
            "the service does not take this key: {} `leadscore serve` showed the admin key at its first start",
            said["message"].as_str().unwrap_or_default()
        );
        Ok(house)
    }

    /// Another one, on a stage: it has the same key.
    pub(super) async fn stage(&self, database: PgConnectOptions, clock: Clock) -> anyhow::Result<House> {
        let house = House::start(database, clock, self.app.metrics.clone(), self.key.clone()).await?;
        keys::ensure(&house.app.keys, Some(house.key.clone()), None).await?;
        links::ensure(&house.app.links).await?;
        Ok(house)
    }

    async fn start(
        database: PgConnectOptions,
        clock: Clock,
        metrics: PrometheusHandle,
        key: Secret,
    ) -> anyhow::Result<House> {
        let pools = db::connect(database, CONNECTIONS, WRITERS).await?;
        db::migrate(&pools.main).await?;
        let ids = Ids::random(clock.clone());
        let app = App::start(pools, clock, ids, metrics, Settings::default());
        Ok(House { router: routes::router(&app), app, key, made: None })
    }

    /// Shows the key that was made for pages and trackers, if one was: the only time.
    pub(super) fn greet(&self, out: &mut impl Write) -> anyhow::Result<()> {
        if let Some(key) = self.made.as_ref().and_then(|made| made.write.as_ref()) {
            writeln!(out, "This service is new. Its write key, shown this once, is {}", key.reveal())?;
        }
        Ok(())
    }

    /// Reads something; anything but a success is an error.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.must(Method::GET, path, None).await
    }

    /// Sends something; anything but a success is an error.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.must(Method::POST, path, Some(body)).await
    }

    /// Sends something that may be too late by now; whether it was not.
    pub(super) async fn try_post(&self, path: &str, body: &Value) -> anyhow::Result<Option<Value>> {
        let (status, answer) = self.call(Method::POST, path, Some(body)).await?;
        if status == StatusCode::CONFLICT || status == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        ensure!(status.is_success(), "{path}: {status} {answer}");
        Ok(Some(answer))
    }

    async fn must(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let (status, answer) = self.call(method, path, body).await?;
        ensure!(status.is_success(), "{path}: {status} {answer}");
        Ok(answer)
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key.reveal()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.map_or_else(Body::empty, |body| body.to_string().into()))?;
        let response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let status = response.status();
        let body = to_bytes(response.into_body(), LONGEST).await?;
        let answer =
            if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).context("an answer")? };
        Ok((status, answer))
    }

    /// Ends it, with all that it had begun.
    pub(super) async fn close(self) {
        self.app.shut_down().await;
        self.app.db.close().await;
    }
}
