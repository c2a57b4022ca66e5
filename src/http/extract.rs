//! Extractors whose rejections are problem documents.

use std::{borrow::Cow, collections::HashMap};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    http::{HeaderMap, request::Parts},
    response::{IntoResponse, Response},
};
use scoring::Mistake;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, IntoDeserializer},
};
use serde_path_to_error::Segment;
use url::form_urlencoded;

use super::{
    aside::in_place,
    body::{self, LARGEST_BODY, LARGEST_DOCUMENT},
    problem::{Code, Problem},
    said,
};
use crate::platform::json::{self, Unstorable};

/// How many parameters a query string may have.
const MOST_PARAMETERS: usize = 1_000;

/// A JSON body. A request's body may have up to [`LARGEST_DOCUMENT`] bytes.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Json<T>, Problem> {
        json(request, LARGEST_DOCUMENT).await.map(Json)
    }
}

/// A JSON body of up to [`LARGEST_BODY`] bytes. The handler must work on it by [`super::aside`].
#[derive(Debug)]
pub struct Large<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Large<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Large<T>, Problem> {
        json(request, LARGEST_BODY).await.map(Large)
    }
}

async fn json<T: DeserializeOwned>(request: Request, most: usize) -> Result<T, Problem> {
    if !is_json(request.headers()) {
        let message = "Send the body with Content-Type: application/json.";
        return Err(Problem::new(Code::UnsupportedMediaType, message));
    }
    let body = body::read(request, most).await?;
    in_place(body.len(), || parse(&body))
}

/// A JSON body of up to [`LARGEST_DOCUMENT`] bytes that may be left out. Without a body the value is the default.
#[derive(Debug)]
pub struct Optional<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for Optional<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Optional<T>, Problem> {
        let body = body::read(request, LARGEST_DOCUMENT).await?;
        if body.trim_ascii().is_empty() {
            return Ok(Optional(T::default()));
        }
        in_place(body.len(), || parse(&body)).map(Optional)
    }
}

/// A body as it came, unpacked, of up to [`LARGEST_BODY`] bytes.
#[derive(Debug)]
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Body, Problem> {
        body::read(request, LARGEST_BODY).await.map(Body)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// The query string.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Query<T>, Problem> {
        let given = parts.uri.query().unwrap_or_default().as_bytes();
        if form_urlencoded::parse(given).nth(MOST_PARAMETERS).is_some() {
            return Err(Problem::parameter(format!("a query has at most {MOST_PARAMETERS} parameters")));
        }
        no_nul(form_urlencoded::parse(given))?;
        let joined = joined(form_urlencoded::parse(given));
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(joined.as_bytes()));
        serde_path_to_error::deserialize(pairs).map(Query).map_err(|error| parameter(&error.to_string()))
    }
}

/// Writes the query anew. If a parameter is given several times, its values are joined by commas. A call that takes one
/// value then refuses the joined value.
fn joined<'a>(given: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> String {
    let mut values: Vec<(Cow<'a, str>, String)> = Vec::new();
    let mut places: HashMap<Cow<'a, str>, usize> = HashMap::new();
    for (name, value) in given {
        if let Some(place) = places.get(&name) {
            let (_, before) = &mut values[*place];
            before.push(',');
            before.push_str(&value);
        } else {
            places.insert(name.clone(), values.len());
            values.push((name, value.into_owned()));
        }
    }
    form_urlencoded::Serializer::new(String::new()).extend_pairs(values).finish()
}

/// The values of a filter. A row matches if it has any of them. The caller separates them by commas, or repeats the
/// parameter. Without values there is no filter.
#[derive(Debug)]
pub struct Many<T>(pub Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Many<T> {
        Many(Vec::new())
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Many<T>, D::Error> {
        let said = String::deserialize(from)?;
        said.split(',')
            .map(|word| T::deserialize(word.trim().into_deserializer()))
            .collect::<Result<_, _>>()
            .map(Many)
    }
}

/// Parts of the path.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, Problem> {
        if let Ok(given) = RawPathParams::from_request_parts(parts, state).await {
            no_nul(given.iter())?;
        }
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Path(path)),
            Err(rejection) => Err(parameter(&rejection.body_text())),
        }
    }
}

/// Refuses parameters that contain a NUL character, which the database cannot store.
fn no_nul<T: AsRef<str>>(given: impl Iterator<Item = (T, T)>) -> Result<(), Problem> {
    for (name, value) in given {
        if name.as_ref().contains('\0') || value.as_ref().contains('\0') {
            let name = name.as_ref().replace('\0', "");
            return Err(Problem::parameter(format!("{name}: remove the NUL character (%00)")));
        }
    }
    Ok(())
}

/// Makes a problem of the framework's message, without the framework's own prefix.
fn parameter(said: &str) -> Problem {
    Problem::parameter(said.strip_prefix("Invalid URL: ").unwrap_or(said))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = said::header(headers, "content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Reads a JSON body.
///
/// # Errors
/// 400 `invalid_body` if the text is not JSON. 422 `invalid_request` if a value does not fit. The error names the place
/// of the value.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    json::read(body).map_err(|error| misfit(&error))
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::new(Code::InvalidBody, format!("The body is not JSON: {error}."))
}

fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    if !error.inner().is_data() {
        return not_json(error.inner());
    }
    let said = error.inner().to_string();
    let message = said.split(" at line ").next().unwrap_or_default().to_owned();
    let code = match message.as_str() {
        said if said == Unstorable::Nul.to_string() => "invalid_character",
        said if said == Unstorable::TooDeep.to_string() => "too_deep",
        said if said.ends_with(json::REPEATED) => "repeated_key",
        said if said.starts_with("unknown field") => "unknown_field",
        said if said.starts_with("missing field") => "missing_field",
        _ => "invalid",
    };
    let pointer = pointer(error.path());
    let place = if pointer.is_empty() { "The body" } else { pointer.as_str() };
    let summary = format!("{place}: {message}");
    Problem::invalid(summary, vec![Mistake::new(pointer, code, message)])
}

/// Writes a path as a JSON pointer.
fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    // A key that could not be read has no name. The place is then the object that contains the key.
    for segment in path.iter().filter(|segment| !matches!(segment, Segment::Unknown)) {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
    }
    pointer
}
