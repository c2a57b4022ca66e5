//! Errors as RFC 9457 problem details, with the top-level `code` and `message` that tracking SDKs read.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use scoring::Mistake;
use serde::Serialize;
use strum::IntoEnumIterator;
use tower_http::request_id::RequestId;
use utoipa::ToSchema;

use crate::platform::db;

/// What went wrong, as a stable word that programs may act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProblemCode)]
#[derive(strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Code {
    /// The body cannot be read: it is not JSON, or was cut off.
    InvalidBody,
    /// The body is JSON, but a field is missing, unknown or of the wrong kind.
    InvalidRequest,
    /// A query parameter or a part of the path is wrong.
    InvalidParameter,
    /// The cursor is not one that this list gave out; start without one.
    InvalidCursor,
    /// The request has no key, or an unknown one.
    Unauthorized,
    /// The key lacks the scope that the call needs.
    MissingScope,
    /// Pages of this origin may not use the key.
    OriginNotAllowed,
    /// There is nothing at this path, or nothing with this id.
    NotFound,
    /// The path exists, but does not support this method.
    MethodNotAllowed,
    /// Another request changed the same thing first.
    Conflict,
    /// The claim has ended.
    ClaimEnded,
    /// The claim is open, but the token that you sent belongs to another claim.
    WrongToken,
    /// The lead is no longer in the queue. The claim cannot be renewed, and runs out.
    ClaimNotRenewable,
    /// The rep holds as many leads as the queue allows, or has got as many today as it allows.
    CapReached,
    /// The lead's checklist lacks answers that this call needs.
    CriteriaMissing,
    /// The resource has changed: `If-Match` names another version.
    PreconditionFailed,
    /// The changes after this cursor are no longer kept.
    CursorExpired,
    /// The body is larger than the call allows.
    TooLarge,
    /// The call does not accept the body's media type or encoding.
    UnsupportedMediaType,
    /// The service is overloaded, stopping, or without its database. Nothing of the request was done. Try again later.
    Overloaded,
    /// The service failed. The fault is its own.
    Internal,
}

impl Code {
    /// Returns the code as the API writes it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the HTTP status of the code.
    pub fn status(self) -> StatusCode {
        match self {
            Code::InvalidBody | Code::InvalidParameter | Code::InvalidCursor => StatusCode::BAD_REQUEST,
            Code::InvalidRequest => StatusCode::UNPROCESSABLE_ENTITY,
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            Code::MissingScope | Code::OriginNotAllowed => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::Conflict
            | Code::ClaimEnded
            | Code::WrongToken
            | Code::ClaimNotRenewable
            | Code::CapReached
            | Code::CriteriaMissing => StatusCode::CONFLICT,
            Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Code::CursorExpired => StatusCode::GONE,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn of_status(status: StatusCode) -> Code {
        Code::iter().find(|code| code.status() == status).unwrap_or(if status.is_server_error() {
            Code::Internal
        } else {
            Code::InvalidBody
        })
    }
}

/// One thing that is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Violation {
    /// JSON pointer to the place in the body.
    pub pointer: String,
    /// What is wrong, as a stable word.
    pub code: String,
    /// What to do.
    pub message: String,
}

impl From<Mistake> for Violation {
    fn from(mistake: Mistake) -> Violation {
        let Mistake { pointer, code, message } = mistake;
        Violation { pointer: short(pointer), code: code.to_owned(), message: short(message) }
    }
}

/// Why a request failed.
#[derive(Debug, Clone)]
pub struct Problem {
    /// A stable word for programs.
    pub code: Code,
    /// What to do, for a person.
    pub message: String,
    /// For an invalid body: each mistake with its place. At most 100 are listed.
    pub errors: Vec<Violation>,
    /// After how many seconds the client should try again, for the header `Retry-After`.
    pub retry_after: Option<u32>,
}

/// A problem document (RFC 9457): the body of every answer that is a failure.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document<'a> {
    /// The code as a URI.
    #[serde(rename = "type")]
    kind: String,
    /// The HTTP status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// A stable word for programs.
    code: Code,
    /// What to do, for a person.
    message: &'a str,
    /// The same as `message`, under the name that RFC 9457 gives it.
    detail: &'a str,
    /// The request's id, also in the `x-request-id` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// For an invalid body: each mistake with its place. At most 100 are listed.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Violation],
}

/// How many mistakes of a body an answer lists at most.
pub const MOST_LISTED: usize = 100;
/// How long a message may be, in bytes. A message may quote the request.
const LONGEST_MESSAGE: usize = 4 * 1024;

/// Cuts a message that is too long.
fn short(mut sentence: String) -> String {
    if sentence.len() > LONGEST_MESSAGE {
        sentence.truncate(sentence.floor_char_boundary(LONGEST_MESSAGE));
        sentence.push('…');
        sentence.shrink_to_fit();
    }
    sentence
}

impl Problem {
    /// Makes a problem. The message is a sentence that says what to do.
    pub fn new(code: Code, message: impl Into<String>) -> Problem {
        Problem {
            code,
            message: short(message.into()),
            errors: Vec::new(),
            retry_after: (code == Code::Overloaded).then_some(1),
        }
    }

    /// Makes the problem 404 `not_found`. `what` names the kind of thing, such as `lead`.
    pub fn not_found(what: &str) -> Problem {
        Problem::new(Code::NotFound, format!("There is no such {what}."))
    }

    /// Makes the problem of a wrong query parameter or part of the path: 400 `invalid_parameter`.
    pub fn parameter(message: impl Into<String>) -> Problem {
        Problem::new(Code::InvalidParameter, message)
    }

    /// Makes the problem of a body with mistakes: 422 `invalid_request`.
    pub fn invalid(message: impl Into<String>, mistakes: Vec<Mistake>) -> Problem {
        Problem::new(Code::InvalidRequest, message).listing(mistakes)
    }

    /// Adds the first [`MOST_LISTED`] of these mistakes to the problem.
    #[must_use]
    pub fn listing(self, mistakes: Vec<Mistake>) -> Problem {
        Problem { errors: mistakes.into_iter().take(MOST_LISTED).map(Violation::from).collect(), ..self }
    }

    fn document<'a>(&'a self, status: StatusCode, request_id: Option<&'a str>) -> Document<'a> {
        Document {
            kind: format!("urn:leadscore:problem:{}", self.code.as_str()),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code: self.code,
            message: &self.message,
            detail: &self.message,
            request_id,
            errors: &self.errors,
        }
    }
}

impl IntoResponse for Problem {
    /// Leaves the document to [`render`], which knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<sqlx::Error> for Problem {
    /// If the database is away, the caller should try again. If the database refused a value, the caller can mend the
    /// request. Any other error is a fault of the service, and only the log says which.
    fn from(error: sqlx::Error) -> Problem {
        if is_away(&error) {
            tracing::warn!(error = &error as &dyn std::error::Error, "the database is away");
            return Problem::new(
                Code::Overloaded,
                "The service cannot reach the database at the moment. Try again.",
            );
        }
        if db::is_content(&error) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the database refused a value of a request"
            );
            let message = "The request has a text, a number or a time that the database cannot store.";
            return Problem::new(Code::InvalidRequest, message);
        }
        tracing::error!(error = &error as &dyn std::error::Error, "a statement failed");
        Problem::new(
            Code::Internal,
            "The service failed. The reason stands in its log, under the request's id.",
        )
    }
}

/// Whether the database cannot be reached, is shutting down, or is still starting.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Io(_)
        | sqlx::Error::WorkerCrashed => true,
        // Connection exceptions; too many connections; shutting down, crashed, starting.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08") || ["53300", "57P01", "57P02", "57P03"].contains(&code.as_ref())
        }),
        _ => false,
    }
}

/// Writes every failure as a problem document: the failures of handlers, and the bare statuses of the frame.
///
/// # Panics
///
/// Never: a problem can always be written as JSON.
pub async fn render(request: Request, next: Next) -> Response {
    let id = request
        .extensions()
        .get::<RequestId>()
        .and_then(|id| id.header_value().to_str().ok().map(str::to_owned));
    let mut response = next.run(request).await;
    let problem = response.extensions_mut().remove::<Problem>();
    let status = response.status();
    let Some(problem) = problem.or_else(|| bare_failure(status, &response)) else {
        return response;
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = problem.retry_after {
        parts.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.code == Code::Unauthorized {
        parts.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let body = serde_json::to_vec(&problem.document(status, id.as_deref())).expect("a problem is plain data");
    Response::from_parts(parts, body.into())
}

fn bare_failure(status: StatusCode, response: &Response) -> Option<Problem> {
    let typed = response.headers().contains_key(header::CONTENT_TYPE)
        && !response.headers()[header::CONTENT_TYPE].as_bytes().starts_with(b"text/plain");
    if typed || !(status.is_client_error() || status.is_server_error()) {
        return None;
    }
    let code = Code::of_status(status);
    let message = match code {
        Code::TooLarge => "The body is too large. Send less at once.",
        Code::UnsupportedMediaType => "Send the body unpacked, or with Content-Encoding gzip or zstd.",
        Code::Internal => "The service failed. The reason stands in its log, under the request's id.",
        Code::MethodNotAllowed => "This path does not support this method. See /docs.",
        Code::NotFound => "There is nothing at this path. See /docs.",
        _ => "The request cannot be read. See /docs.",
    };
    Some(Problem::new(code, message))
}
