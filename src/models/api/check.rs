//! Calls that check a model's document and compute with it. They touch no lead.

use std::collections::HashSet;

use axum::{extract::State, http::HeaderMap};

use scoring::{Evaluation, Event, Instant, Mistake, Model, Receipt, Score, check};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    super::{load, seen_types},
    ModelDocument, document_of, refuse,
};
use crate::{
    http::{
        aside::aside,
        extract::{Body, Json, Large},
        problem::{MOST_LISTED, Problem},
    },
    keys::auth::Reader,
    models::Models,
    platform::{clock::to_instant, ids::ModelId},
};

/// What a score is computed from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Evaluate {
    /// A model's document, or the id of a version.
    #[schema(value_type = DocumentOrVersion)]
    model: Value,
    /// The attributes of the profile. Write derived attributes yourself, below `derived`: this call consults no list.
    /// Traits of the events are added on top.
    #[serde(default)]
    profile: Map<String, Value>,
    /// The events: `type`, `occurred_at`, and optionally `id`, `properties`, `traits`, `verdict`. Events with the same
    /// `id` count once.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    events: Vec<Event>,
    /// The instant for which the score is computed; now if absent.
    #[schema(value_type = Option<DateTime<Utc>>)]
    as_of: Option<Instant>,
}

/// A model's document, or the id of a version.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "documents what `version` tells apart")]
enum DocumentOrVersion {
    Document(ModelDocument),
    Version(ModelId),
}

/// A score with the lines that add up to it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Evaluated {
    #[serde(flatten)]
    score: Score,
    /// Every rule with its occurrences, and how much each bound and weight took or gave.
    receipt: Receipt,
}

/// Checks a model's document: every mistake with its place, the document's own tests, and warnings.
///
/// The body is the document, in JSON or YAML, or `{"model": document}`. Nothing is stored. If the rules name a type of
/// event that the service has never received, a warning names the most similar type that it has received.
#[utoipa::path(post, path = "/v1/models/check", tag = "Models",
    request_body(content((ModelDocument = "application/json"), (String = "application/yaml"))),
    responses((status = 200, body = Checked)))]
pub(super) async fn check_model(
    State(models): State<Models>,
    _reader: Reader,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Json<Checked>, Problem> {
    let seen = seen_types(&mut *models.db.acquire().await?).await?;
    let checked = move || document_of(&headers, &body).map(|document| check::check(&document, seen.as_ref()));
    let mut report = aside(checked).await??;
    let valid = report.errors.is_empty() && report.tests.iter().all(|test| test.passed);
    report.errors.truncate(MOST_LISTED);
    Ok(Json(Checked { valid, report }))
}

/// What a check found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Checked {
    /// Whether the document can be published: it has no errors, and its tests pass.
    valid: bool,
    #[serde(flatten)]
    report: check::Report,
}

/// Computes a score from a model, a profile and events. Touches no lead.
#[utoipa::path(post, path = "/v1/models/evaluate", tag = "Models", request_body = Evaluate,
    responses((status = 200, body = Evaluated)))]
pub(super) async fn evaluate_model(
    State(models): State<Models>,
    _reader: Reader,
    Large(body): Large<Evaluate>,
) -> Result<Json<Evaluated>, Problem> {
    let as_of = body.as_of.unwrap_or_else(|| to_instant(models.clock.now()));
    let evaluation = if let Some(id) = version(&body.model)? {
        let known = load(&mut *models.db.acquire().await?, id).await?;
        let known = known.ok_or_else(|| Problem::not_found("version of a model"))?;
        aside(move || body.by(&known.model, as_of)).await?
    } else {
        let evaluated = move || {
            let model = Model::parse(&body.model).map_err(|mistakes| refuse(&mistakes, "/model"))?;
            Ok::<_, Problem>(body.by(&model, as_of))
        };
        aside(evaluated).await??
    };
    Ok(Json(Evaluated { score: evaluation.score, receipt: evaluation.receipt }))
}

impl Evaluate {
    fn by(mut self, model: &Model, as_of: Instant) -> Evaluation {
        let mut seen = HashSet::new();
        self.events.retain(|event| event.id.is_empty() || seen.insert(event.id.clone()));
        scoring::evaluate(model, &self.profile, &self.events, as_of)
    }
}

/// Returns the version's id if `model` is one, and nothing if `model` is a document.
fn version(model: &Value) -> Result<Option<ModelId>, Problem> {
    let Value::String(text) = model else { return Ok(None) };
    let message = "`model` is a document or the id of a version";
    let mistake = Mistake::new("/model", "invalid", message);
    text.parse().map(|id| Some(ModelId(id))).map_err(|_| Problem::invalid(message, vec![mistake]))
}
