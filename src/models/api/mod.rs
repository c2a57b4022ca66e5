//! `/v1/models`.

mod check;
mod drafts;

use axum::{
    extract::FromRef,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use scoring::Mistake;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{VersionState, document, store};
use crate::{
    http::{
        etag::tagged,
        extract::{Json, Path},
        problem::{Code, Problem},
        said,
    },
    keys::auth::{Reader, RouterState},
    models::Models,
    platform::{ids::ModelId, json},
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Models: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list_models, drafts::create_draft))
        .routes(routes!(get_model, drafts::replace_draft, drafts::delete_draft))
        .routes(routes!(get_model_schema))
        .routes(routes!(check::check_model))
        .routes(routes!(check::evaluate_model))
}

/// A version of a scoring model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Model)]
pub(super) struct ModelView {
    /// The version's id.
    pub(super) id: ModelId,
    /// The model's name, which its versions share.
    pub(super) name: String,
    /// The number of the version, from 1 for each name.
    pub(super) version: i32,
    /// Whether the version is a draft, live, or was live.
    pub(super) state: VersionState,
    /// What leads are scored by this version for. Null if they are not scored by it.
    pub(super) role: Option<Role>,
    /// The rules.
    #[schema(value_type = ModelDocument)]
    pub(super) document: Value,
    pub(super) created_at: DateTime<Utc>,
    pub(super) published_at: Option<DateTime<Utc>>,
}

/// A scoring model, as people write it. In the API's description, [`scoring::model::SCHEMA`] takes this place.
#[derive(ToSchema)]
#[schema(value_type = Object)]
#[expect(dead_code, reason = "documents what the core reads by hand")]
pub(super) struct ModelDocument(Value);

/// What leads are scored by a version for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(super) enum Role {
    /// The live version: its scores decide.
    Live,
    /// It goes live as soon as every lead has a state under it.
    Preparing,
    /// A shadow: compared with the live version, without consequence.
    Shadow,
    /// It was live before. A rollback makes it live again.
    Previous,
}

/// The JSON Schema (draft 2020-12) of a model document, for editors.
///
/// Write `# yaml-language-server: $schema=` and this address into the first line of a file. Some mistakes a schema
/// cannot find, such as two groups with the same name. `/v1/models/check` finds these too.
#[utoipa::path(get, path = "/v1/models/schema.json", tag = "Models", security(()),
    responses((status = 200, body = Object, content_type = "application/schema+json")))]
async fn get_model_schema() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/schema+json")], scoring::model::SCHEMA)
}

/// A list of versions.
#[derive(Debug, Serialize, ToSchema)]
struct ModelList {
    /// Newest first.
    data: Vec<ModelView>,
    /// Always false: versions are few.
    has_more: bool,
    /// Always null.
    next_cursor: Option<String>,
}

/// All versions of all models, newest first.
#[utoipa::path(get, path = "/v1/models", tag = "Models", responses((status = 200, body = ModelList)))]
async fn list_models(State(models): State<Models>, _reader: Reader) -> Result<Json<ModelList>, Problem> {
    let data = store::list(&mut *models.db.acquire().await?).await?;
    Ok(Json(ModelList { data, has_more: false, next_cursor: None }))
}

/// One version of a model.
#[utoipa::path(get, path = "/v1/models/{id}", tag = "Models", params(("id" = ModelId, Path)),
    responses((status = 200, body = ModelView), (status = 304, description = "Unchanged since the given ETag")))]
async fn get_model(
    State(models): State<Models>,
    _reader: Reader,
    Path(id): Path<ModelId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = store::find(&mut *models.db.acquire().await?, id).await?;
    let version = found.ok_or_else(|| Problem::not_found("version of a model"))?;
    Ok(tagged(&headers, &version))
}

/// Makes the problem of a model with mistakes. The model stands at `pointer` of the request's body.
pub(crate) fn refuse(mistakes: &[Mistake], pointer: &str) -> Problem {
    let mistakes = mistakes.iter().map(|mistake| mistake.clone().below(pointer));
    Problem::invalid("The model has mistakes.", mistakes.collect())
}

/// Reads the document in a body: JSON or YAML, alone or as `{"model": document}`.
fn document_of(headers: &HeaderMap, body: &[u8]) -> Result<Value, Problem> {
    if body.len() > document::LARGEST {
        return Err(Problem::new(Code::TooLarge, format!("{}.", document::Unreadable::TooLarge)));
    }
    let kind = said::header(headers, "content-type").unwrap_or_default();
    let unreadable = |error: &dyn std::fmt::Display| {
        Problem::new(Code::InvalidBody, format!("The document cannot be read: {error}."))
    };
    let mut document: Value = if kind.contains("yaml") {
        let text = std::str::from_utf8(body).map_err(|error| unreadable(&error))?;
        document::from_yaml(text).map_err(|error| unreadable(&error))?
    } else {
        json::read(body).map_err(|error| {
            if error.inner().is_data() {
                return unreadable(&error);
            }
            let hint = "if the body is YAML, send it with `Content-Type: application/yaml`";
            unreadable(&format!("{}; {hint}", error.inner()))
        })?
    };
    json::storable(&mut document, json::DEEPEST).map_err(|error| unreadable(&error))?;
    match document {
        Value::Object(mut wrapper) if wrapper.len() == 1 && wrapper.contains_key("model") => {
            Ok(wrapper.remove("model").unwrap_or_default())
        }
        document => Ok(document),
    }
}
