//! A service within this process. The demo calls its API without a network.

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

/// The longest answer that is read, in bytes.
const LONGEST: usize = 64 << 20;
/// How many connections requests get. Few are enough, because sales and the sweeps take turns.
const CONNECTIONS: u32 = 4;
/// One writer, so that a seed gives the same result on every machine.
const WRITERS: u32 = 1;

/// A service, and an admin key to it.
pub(super) struct House {
    pub(super) app: App,
    router: Router,
    key: Secret,
    made: Option<Made>,
}

impl House {
    /// Opens the service on a database, and brings its schema up to date. A service that never started gets the default
    /// model and this key.
    ///
    /// # Errors
    /// If the service does not accept the key.
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
            "the service does not accept this key: {} `leadscore serve` showed the admin key at its first start",
            said["message"].as_str().unwrap_or_default()
        );
        Ok(house)
    }

    /// Opens a second service on the stage, with the same key.
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

    /// Prints the write key, if one was made. The key is shown only here.
    pub(super) fn greet(&self, out: &mut impl Write) -> anyhow::Result<()> {
        if let Some(key) = self.made.as_ref().and_then(|made| made.write.as_ref()) {
            writeln!(out, "This service is new. Its write key, shown this once, is {}", key.reveal())?;
        }
        Ok(())
    }

    /// Calls `GET`. Any answer but a success is an error.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.must(Method::GET, path, None).await
    }

    /// Calls `POST`. Any answer but a success is an error.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.must(Method::POST, path, Some(body)).await
    }

    /// Calls `POST` for something that may come too late. `None` if the answer is 409 or 204.
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

    /// Stops the service after it has finished what it had begun.
    pub(super) async fn close(self) {
        self.app.shut_down().await;
        self.app.db.close().await;
    }
}
