//! Settings that browser SDKs request before they send anything. Without these answers, the SDKs send
//! nothing, or send visitors' data to their makers.

use axum::{extract::State, http::HeaderMap};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::credentials;
use crate::{
    http::{
        extract::{Json, Path, Query},
        problem::Problem,
    },
    intake::ingest::Intake,
    keys::{Scope, auth},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SourceConfig {
    /// The write key, if it is not in the `Authorization` header.
    #[serde(rename = "writeKey")]
    write_key: Option<String>,
}

/// Serves the settings of Segment's analytics.js: where to send events, and that it must not send telemetry.
#[utoipa::path(get, path = "/v1/projects/{key}/settings", tag = "Ingestion", security(()),
    params(("key" = String, Path, description = "A write key")), responses((status = 200, body = Value)))]
pub(super) async fn get_settings(
    State(intake): State<Intake>,
    headers: HeaderMap,
    Path(key): Path<String>,
) -> Result<Json<Value>, Problem> {
    auth::authenticate(&intake.keys, Some(&key), Scope::Ingest, &headers).await?;
    let (protocol, host) = intake.public_url.split_once("://").unwrap_or(("http", &intake.public_url));
    Ok(Json(json!({
        "integrations": {"Segment.io": {"apiKey": key, "apiHost": format!("{host}/v1"), "protocol": protocol}},
        "metrics": {"sampleRate": 0}
    })))
}

/// Serves the configuration of `RudderStack`'s browser SDK: this source, and no other destination.
#[utoipa::path(get, path = "/sourceConfig", tag = "Ingestion", security(()), params(SourceConfig),
    responses((status = 200, body = Value)))]
pub(super) async fn get_source_config(
    State(intake): State<Intake>,
    headers: HeaderMap,
    Query(query): Query<SourceConfig>,
) -> Result<Json<Value>, Problem> {
    let presented = credentials::presented(&headers, query.write_key.as_deref(), None);
    let key = auth::authenticate(&intake.keys, presented.as_deref(), Scope::Ingest, &headers).await?;
    Ok(Json(json!({
        "source": {
            "id": key.id, "name": key.name, "enabled": true, "workspaceId": "leadscore", "config": {}, "destinations": []
        }
    })))
}
