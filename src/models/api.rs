//! `/v1/models`.

use std::collections::HashSet;

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, header},
    response::Response,
};
use chrono::{DateTime, Utc};
use scoring::{Event, Instant, Mistake, Model, Receipt, Score, check};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{document, load, store};
use crate::{
    app::App,
    clock::to_instant,
    http::{
        auth::Reader,
        etag::tagged,
        extract::{Json, Path},
        problem::{Code, Problem, Violation},
    },
    ids::ModelId,
};

/// The calls of this room.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_models))
        .routes(routes!(get_model))
        .routes(routes!(check_model))
        .routes(routes!(evaluate_model))
}

/// A version of a scoring model.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelView {
    pub(super) id: ModelId,
    pub(super) name: String,
    /// Counts up per name.
    pub(super) version: i32,
    /// `draft`, `published` (the live one) or `retired`.
    pub(super) state: String,
    /// The rules.
    pub(super) document: Value,
    pub(super) created_at: DateTime<Utc>,
    pub(super) published_at: Option<DateTime<Utc>>,
}

/// The versions there are.
#[derive(Debug, Serialize, ToSchema)]
struct ModelList {
    /// Newest first.
    data: Vec<ModelView>,
    /// Always false: versions are few.
    has_more: bool,
    /// Always null.
    next_cursor: Option<String>,
}

/// A score to be computed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Evaluate {
    /// A model's document, or a version's id.
    model: Value,
    /// The attributes; those that events carry come on top.
    #[serde(default)]
    profile: Map<String, Value>,
    /// The log: `type`, `occurred_at`, and optionally `id`, `properties`, `traits`, `verdict`. Repeated ids count once.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    events: Vec<Event>,
    /// For which instant; now if absent.
    #[schema(value_type = Option<DateTime<Utc>>)]
    as_of: Option<Instant>,
}

/// A score with the lines that add up to it.
#[derive(Debug, Serialize, ToSchema)]
struct Evaluated {
    #[serde(flatten)]
    score: Score,
    /// Every rule with its occurrences, and whatever each bound and weight took or gave.
    receipt: Receipt,
}

/// All versions of all models, newest first.
#[utoipa::path(get, path = "/v1/models", tag = "Models", responses((status = 200, body = ModelList)))]
async fn list_models(State(app): State<App>, _reader: Reader) -> Result<Json<ModelList>, Problem> {
    let data = store::list(&mut *app.db.acquire().await?).await?;
    Ok(Json(ModelList { data, has_more: false, next_cursor: None }))
}

/// One version of a model.
#[utoipa::path(get, path = "/v1/models/{id}", tag = "Models", params(("id" = ModelId, Path)),
    responses((status = 200, body = ModelView), (status = 304, description = "Unchanged since the given ETag")))]
async fn get_model(
    State(app): State<App>,
    _reader: Reader,
    Path(id): Path<ModelId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = store::find(&mut *app.db.acquire().await?, id).await?;
    let version = found.ok_or_else(|| Problem::not_found("version of a model"))?;
    Ok(tagged(&headers, &version))
}

/// Checks a model's document: every mistake with its place, its own tests, and warnings.
///
/// The body is the document, in JSON or YAML, or `{"model": document}`. Nothing is stored.
#[utoipa::path(post, path = "/v1/models/check", tag = "Models", request_body = Value,
    responses((status = 200, body = Checked)))]
async fn check_model(_reader: Reader, headers: HeaderMap, body: Bytes) -> Result<Json<Checked>, Problem> {
    let document = document_of(&headers, &body)?;
    let report = check::check(&document);
    let valid = report.errors.is_empty() && report.tests.iter().all(|test| test.passed);
    Ok(Json(Checked { valid, report }))
}

/// What a check found.
#[derive(Debug, Serialize, ToSchema)]
struct Checked {
    /// Whether the document could be published: no errors, and its tests pass.
    valid: bool,
    #[serde(flatten)]
    report: check::Report,
}

/// Computes a score from a model, a profile and events; touches no lead.
#[utoipa::path(post, path = "/v1/models/evaluate", tag = "Models", request_body = Evaluate,
    responses((status = 200, body = Evaluated)))]
async fn evaluate_model(
    State(app): State<App>,
    _reader: Reader,
    Json(body): Json<Evaluate>,
) -> Result<Json<Evaluated>, Problem> {
    let as_of = body.as_of.unwrap_or_else(|| to_instant(app.clock.now()));
    let mut seen = HashSet::new();
    let events: Vec<Event> = body
        .events
        .into_iter()
        .filter(|event| event.id.is_empty() || seen.insert(event.id.clone()))
        .collect();
    let evaluation = if let Some(id) = version(&body.model)? {
        let known = load(&mut *app.db.acquire().await?, id).await?;
        let known = known.ok_or_else(|| Problem::not_found("version of a model"))?;
        scoring::evaluate(&known.model, &body.profile, &events, as_of)
    } else {
        let model = Model::parse(&body.model).map_err(|mistakes| refuse(&mistakes))?;
        scoring::evaluate(&model, &body.profile, &events, as_of)
    };
    Ok(Json(Evaluated { score: evaluation.score, receipt: evaluation.receipt }))
}

/// The id in `model`, if it is one and not a document.
fn version(model: &Value) -> Result<Option<ModelId>, Problem> {
    let Value::String(text) = model else { return Ok(None) };
    let message = "`model` is a document, or the id of a version";
    let violation =
        Violation { pointer: "/model".to_owned(), code: "invalid".to_owned(), message: message.to_owned() };
    text.parse().map(|id| Some(ModelId(id))).map_err(|_| Problem::invalid(message, vec![violation]))
}

fn refuse(mistakes: &[Mistake]) -> Problem {
    let violation = |mistake: &Mistake| Violation {
        pointer: format!("/model{}", mistake.pointer),
        code: mistake.code.to_owned(),
        message: mistake.message.clone(),
    };
    Problem::invalid("The model has mistakes.", mistakes.iter().map(violation).collect())
}

fn document_of(headers: &HeaderMap, body: &[u8]) -> Result<Value, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let unreadable = |error: &dyn std::fmt::Display| {
        Problem::new(Code::InvalidBody, format!("The document cannot be read: {error}."))
    };
    let document: Value = if kind.contains("yaml") {
        let text = std::str::from_utf8(body).map_err(|error| unreadable(&error))?;
        document::from_yaml(text).map_err(|error| unreadable(&error))?
    } else {
        serde_json::from_slice(body).map_err(|error| unreadable(&error))?
    };
    match document {
        Value::Object(mut wrapper) if wrapper.len() == 1 && wrapper.contains_key("model") => {
            Ok(wrapper.remove("model").unwrap_or_default())
        }
        document => Ok(document),
    }
}
