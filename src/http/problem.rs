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
    /// The body is not what the call takes: not JSON, or cut off.
    InvalidBody,
    /// The body is JSON, but a field is missing, unknown or of the wrong kind.
    InvalidRequest,
    /// A query parameter or a part of the path is wrong.
    InvalidParameter,
    /// The cursor is not one that this list gave out; start without one.
    InvalidCursor,
    /// No key, or one that is not known.
    Unauthorized,
    /// The key may not do this.
    MissingScope,
    /// A page of this origin may not use the key.
    OriginNotAllowed,
    /// There is nothing here.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// Another request changed the same thing first.
    Conflict,
    /// The claim is over.
    ClaimEnded,
    /// The claim goes on, and the token sent is not its own.
    WrongToken,
    /// The lead is no longer one of the queue's: the claim runs out.
    ClaimNotRenewable,
    /// The rep has, or has had today, as many leads as the queue gives one.
    CapReached,
    /// Something must be found out about the lead first.
    CriteriaMissing,
    /// The thing is no longer what `If-Match` names.
    PreconditionFailed,
    /// What follows this cursor is no longer kept.
    CursorExpired,
    /// The body is larger than the call takes.
    TooLarge,
    /// The body's media type or encoding is not one that the call takes.
    UnsupportedMediaType,
    /// The service has more to do than it can; nothing was lost, try again later.
    Overloaded,
    /// The service's own fault.
    Internal,
}

impl Code {
    /// The word itself.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The status that goes with the code.
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
    /// JSON pointer to the place.
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

/// What keeps a request from being answered as it was meant.
#[derive(Debug, Clone)]
pub struct Problem {
    /// A stable word for programs.
    pub code: Code,
    /// What to do, for a person.
    pub message: String,
    /// What is wrong where, for an invalid body.
    pub errors: Vec<Violation>,
    /// After how many seconds to try again, in the `Retry-After` header.
    pub retry_after: Option<u32>,
}

/// A problem document; the answer to every request that fails.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document<'a> {
    /// The code as a URI.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// A stable word for programs.
    code: Code,
    /// What to do, for a person.
    message: &'a str,
    /// The same as `message`, where RFC 9457 has it.
    detail: &'a str,
    /// The request's id, also in the `x-request-id` header.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// What is wrong where, for an invalid body.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Violation],
}

/// How many mistakes of a body an answer lists.
pub const MOST_LISTED: usize = 100;
/// How long a sentence may be, in bytes: it may quote what the request says.
const LONGEST_MESSAGE: usize = 4 * 1024;

/// A sentence that is not too long.
fn short(mut sentence: String) -> String {
    if sentence.len() > LONGEST_MESSAGE {
        sentence.truncate(sentence.floor_char_boundary(LONGEST_MESSAGE));
        sentence.push('…');
        sentence.shrink_to_fit();
    }
    sentence
}

impl Problem {
    /// A problem with a sentence that says what to do.
    pub fn new(code: Code, message: impl Into<String>) -> Problem {
        Problem {
            code,
            message: short(message.into()),
            errors: Vec::new(),
            retry_after: (code == Code::Overloaded).then_some(1),
        }
    }

    /// There is no such thing.
    pub fn not_found(what: &str) -> Problem {
        Problem::new(Code::NotFound, format!("There is no such {what}."))
    }

    /// A query parameter or part of the path that cannot be read.
    pub fn parameter(message: impl Into<String>) -> Problem {
        Problem::new(Code::InvalidParameter, message)
    }

    /// A body with mistakes in it.
    pub fn invalid(message: impl Into<String>, mistakes: Vec<Mistake>) -> Problem {
        Problem::new(Code::InvalidRequest, message).listing(mistakes)
    }

    /// The problem with the first [`MOST_LISTED`] of these mistakes.
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
    /// A database that is away is worth another try. What it does not take, the caller can mend. Anything else is our
    /// fault, and said only in the log.
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
        Problem::new(Code::Internal, "The service failed. Its log has the reason under the request's id.")
    }
}

/// Whether the database cannot be reached, or says that it is going or not there yet.
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

/// Writes every failure as a problem document: those of handlers, and the bare ones of the frame.
///
/// # Panics
///
/// Never: a problem is plain data.
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
        Code::TooLarge => "The body is too large; send less at once.",
        Code::UnsupportedMediaType => "Send the body plain, or with Content-Encoding gzip or zstd.",
        Code::Internal => "The service failed. Its log has the reason under the request's id.",
        Code::MethodNotAllowed => "This path does not take this method; see /docs.",
        Code::NotFound => "There is nothing at this path; see /docs.",
        _ => "The request could not be read; see /docs.",
    };
    Some(Problem::new(code, message))
}
