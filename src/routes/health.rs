//! Whether the service is alive and ready, and its counters.

use std::time::Duration;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::TimeDelta;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    feed::webhooks,
    http::{
        extract::Json,
        problem::{Code, Problem},
    },
    platform::db,
    scores,
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(metrics))
        .route("/healthz", axum::routing::get(live))
}

/// The health of the service.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// Always `ok`. A service that is not ready answers 503.
    status: &'static str,
}

/// How long the database may take to answer a probe or a scrape.
const PATIENCE: Duration = Duration::from_secs(2);

const OK: Json<Health> = Json(Health { status: "ok" });

/// Answers as long as the process is alive. `/healthz` is the same.
#[utoipa::path(get, path = "/livez", tag = "Operations", security(()), responses((status = 200, body = Health)))]
async fn live() -> Json<Health> {
    OK
}

/// Says whether the service can work: it is not about to stop, the database answers, and the schema fits this version.
///
/// Answers 503 if not.
#[utoipa::path(get, path = "/readyz", tag = "Operations", security(()), responses((status = 200, body = Health)))]
async fn ready(State(app): State<App>) -> Result<Json<Health>, Problem> {
    if app.leaving.is_cancelled() || app.stop.is_cancelled() {
        return Err(Problem::new(Code::Overloaded, "The service is stopping."));
    }
    let answered = tokio::time::timeout(PATIENCE, db::is_fit(&app.db)).await;
    let fit = answered.map_err(|_| not_ready("The database does not answer."))??;
    if !fit {
        return Err(not_ready(
            "The database's schema lacks what this version needs, or is too new for this version.",
        ));
    }
    Ok(OK)
}

fn not_ready(why: &str) -> Problem {
    tracing::warn!(why, "the service is not ready");
    Problem::new(Code::Overloaded, why)
}

/// Reads the metrics, in Prometheus's text format. No metric names a lead or a key.
#[utoipa::path(get, path = "/metrics", tag = "Operations", security(()),
    responses((status = 200, body = String, content_type = "text/plain")))]
async fn metrics(State(app): State<App>) -> Response {
    metrics::gauge!("leadscore_events_waiting").set(app.intake.writers.waiting() as f64);
    metrics::gauge!("leadscore_body_bytes").set(app.bodies.held() as f64);
    // Without the database, the other metrics matter all the more, so they are shown.
    if let Ok(Ok(overdue)) = tokio::time::timeout(PATIENCE, overdue(&app)).await {
        metrics::gauge!("leadscore_scores_overdue_seconds").set(overdue.as_seconds_f64());
    }
    if let Ok(Ok(waiting)) = tokio::time::timeout(PATIENCE, webhooks_waiting(&app)).await {
        metrics::gauge!("leadscore_webhook_oldest_waiting_seconds").set(waiting.as_seconds_f64());
    }
    let text = app.metrics.render();
    (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn overdue(app: &App) -> sqlx::Result<TimeDelta> {
    scores::overdue(&mut *app.db.acquire().await?, app.clock.now()).await
}

/// Returns how long the oldest waiting webhook has waited.
async fn webhooks_waiting(app: &App) -> sqlx::Result<TimeDelta> {
    let since = webhooks::waiting_since(&mut *app.db.acquire().await?).await?;
    Ok(since.map_or(TimeDelta::zero(), |since| app.clock.now() - since))
}
