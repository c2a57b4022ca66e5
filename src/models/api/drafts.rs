//! Calls that add, replace and delete drafts.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use scoring::Model;
use serde_json::Value;

use super::{
    super::drafts::{self, DraftError},
    ModelDocument, ModelView, document_of, refuse,
};
use crate::{
    http::{
        aside::aside,
        etag::{IfMatch, require_match, tagged},
        extract::{Body, Path},
        problem::{Code, Problem},
        said::idempotency_key,
    },
    keys::auth::Admin,
    models::Models,
    platform::ids::ModelId,
};

/// Adds a version of a model, as a draft.
///
/// The body is the document, in JSON or YAML. It must be a model without mistakes (see `/v1/models/check`). Its own
/// tests may still fail; they must pass when the version is published. The versions of one name are numbered from 1. If
/// you repeat the call with the same `Idempotency-Key`, it adds no second version, and answers 200 with the first one.
/// The same key with another document is a conflict.
#[utoipa::path(post, path = "/v1/models", tag = "Models", security(("key" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 512 printable ASCII characters")),
    request_body(content((ModelDocument = "application/json"), (String = "application/yaml"))),
    responses((status = 201, body = ModelView, headers(("Location" = String))), (status = 200, body = ModelView)))]
pub(super) async fn create_draft(
    State(models): State<Models>,
    _admin: Admin,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let request_key = idempotency_key(&headers)?;
    let (model, document) = aside(move || model_of(&headers, &body)).await??;
    let (version, new) = drafts::create(&models, model.name(), &document, request_key.as_deref()).await?;
    let location = [(header::LOCATION, format!("/v1/models/{}", version.id))];
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, location, tagged(&HeaderMap::new(), &version)).into_response())
}

/// Replaces the document of a draft. A version by which leads are or were scored never changes.
#[utoipa::path(put, path = "/v1/models/{id}", tag = "Models", params(("id" = ModelId, Path), IfMatch),
    security(("key" = ["admin"])),
    request_body(content((ModelDocument = "application/json"), (String = "application/yaml"))),
    responses((status = 200, body = ModelView)))]
pub(super) async fn replace_draft(
    State(models): State<Models>,
    _admin: Admin,
    Path(id): Path<ModelId>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let given = headers.clone();
    let (model, document) = aside(move || model_of(&given, &body)).await??;
    let unchanged = |version: &ModelView| require_match(&headers, version);
    let version = drafts::replace(&models, id, unchanged, model.name(), &document).await?;
    Ok(tagged(&HeaderMap::new(), &version))
}

/// Deletes a draft. A version by which leads are or were scored cannot be deleted.
#[utoipa::path(delete, path = "/v1/models/{id}", tag = "Models", params(("id" = ModelId, Path), IfMatch),
    security(("key" = ["admin"])), responses((status = 204)))]
pub(super) async fn delete_draft(
    State(models): State<Models>,
    _admin: Admin,
    Path(id): Path<ModelId>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    drafts::delete(&models, id, |version| require_match(&headers, version)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn model_of(headers: &HeaderMap, body: &[u8]) -> Result<(Model, Value), Problem> {
    let document = document_of(headers, body)?;
    let model = Model::parse(&document).map_err(|mistakes| refuse(&mistakes, ""))?;
    Ok((model, document))
}

impl From<DraftError> for Problem {
    fn from(error: DraftError) -> Problem {
        match error {
            DraftError::NotFound => Problem::not_found("version of a model"),
            DraftError::InUse => Problem::new(
                Code::Conflict,
                "Leads are or were scored by this version, so it cannot change. Add a new one with POST /v1/models.",
            ),
            DraftError::KeyUsed(id) => Problem::new(
                Code::Conflict,
                format!(
                    "A call with this Idempotency-Key has added version {id} with another document. Send the new document \
                     under a new key."
                ),
            ),
            DraftError::Refused(problem) => problem,
            DraftError::Database(error) => error.into(),
        }
    }
}
