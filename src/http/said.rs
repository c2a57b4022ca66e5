//! Texts that come with many calls: who made the call, why, and its `Idempotency-Key`.: who they are, why, and under
//! which key they would repeat it.

use axum::http::HeaderMap;
use sqlx::error::DatabaseError;

use scoring::Mistake;
pub use scoring::Mistakes;

use super::problem::{Code, MOST_LISTED, Problem};

/// How long a reason, a note or an answer may be, in characters.
pub const LONGEST_TEXT: usize = 2_000;
/// How long a person's name may be, in characters.
pub const LONGEST_NAME: usize = 200;
/// How long the name of a key may be, in characters.
pub const LONGEST_KEY_NAME: usize = 100;
/// How long the description of a webhook endpoint may be, in characters.
pub const LONGEST_DESCRIPTION: usize = 500;
/// How long an `Idempotency-Key` may be, in bytes.
pub const LONGEST_KEY: usize = 512;

/// Reads the texts of a body and collects every mistake, so that one answer names all of them.
pub trait Texts: Sized {
    /// Trims a text that people read. A text is a mistake if it is empty, has more than `longest` characters, or has
    /// control characters other than line breaks.
    fn text(&mut self, pointer: &str, text: &str, longest: usize) -> String;

    /// Does the same for a text that may be left out.
    fn note(&mut self, pointer: &str, text: Option<&str>, longest: usize) -> Option<String> {
        text.map(|text| self.text(pointer, text, longest))
    }

    /// Returns the name of the person who made the call: the name in the body, or else the name of the key.
    fn name(&mut self, pointer: &str, name: Option<&str>, of_key: &str) -> String {
        name.map_or_else(|| of_key.to_owned(), |name| self.text(pointer, name, LONGEST_NAME))
    }

    /// Returns all mistakes as one problem, if there are any.
    ///
    /// # Errors
    /// 422 `invalid_request`.
    fn refuse(self) -> Result<(), Problem>;
}

impl Texts for Mistakes {
    fn text(&mut self, pointer: &str, text: &str, longest: usize) -> String {
        let text = text.trim();
        let plain = |c: char| !c.is_control() || c == '\n';
        if !(1..=longest).contains(&text.chars().count()) || !text.chars().all(plain) {
            self.add(pointer, "invalid_text", format!("write 1 to {longest} characters of text"));
        }
        text.to_owned()
    }

    fn refuse(self) -> Result<(), Problem> {
        let found = self.into_found();
        if found.is_empty() {
            return Ok(());
        }
        let listed = found.iter().take(MOST_LISTED);
        let said: Vec<String> = listed.map(|one| format!("{}: {}", one.pointer, one.message)).collect();
        Err(Problem::invalid(format!("{}.", said.join("; ")), found))
    }
}

/// Makes the problem of a body with one mistake: 422 `invalid_request`.
pub fn mistake(pointer: &str, code: &'static str, message: impl Into<String>) -> Problem {
    let message = message.into();
    let summary = format!("{pointer}: {message}.");
    Problem::invalid(summary, vec![Mistake::new(pointer, code, message)])
}

/// What an earlier call with the same `Idempotency-Key` has made.
#[derive(Debug)]
pub struct MadeBefore {
    /// What the earlier call made, with its id.
    pub what: String,
    /// The part of the earlier answer that is shown only once.
    pub showed: &'static str,
    /// How to get a new one.
    pub advice: String,
}

/// Returns what a call has made. If the call's `Idempotency-Key` was used before, `find` reads what it made then.
///
/// # Errors
/// 409 `conflict` if the key was used before; the message says what it made. 503 `overloaded` if that is being removed
/// at this moment: the same call may be made again.
pub async fn once<T>(
    made: sqlx::Result<T>,
    request_key: Option<&str>,
    find: impl AsyncFnOnce(&str) -> sqlx::Result<Option<MadeBefore>>,
) -> Result<T, Problem> {
    let violated =
        |error: &sqlx::Error| error.as_database_error().is_some_and(DatabaseError::is_unique_violation);
    match (made, request_key) {
        (Err(error), Some(key)) if violated(&error) => Err(match find(key).await? {
            Some(MadeBefore { what, showed, advice }) => Problem::new(
                Code::Conflict,
                format!(
                    "A call with this Idempotency-Key has made {what}, and its answer showed {showed}. If you did not \
                     receive that, {advice}."
                ),
            ),
            None => Problem::new(
                Code::Overloaded,
                "The resource that this Idempotency-Key made is being removed. Try again.",
            ),
        }),
        (made, _) => Ok(made?),
    }
}

/// Returns a header of a request as text. `None` if the request has no such header, or if the value is not visible
/// ASCII.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Returns the call's `Idempotency-Key`, if it has one.
///
/// # Errors
/// 400 `invalid_parameter` if it is not 1 to 512 printable ASCII characters.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let fits = |text: &&str| (1..=LONGEST_KEY).contains(&text.len()) && !text.chars().any(char::is_control);
    let text = value.to_str().ok().map(str::trim).filter(fits).ok_or_else(|| {
        Problem::parameter("Idempotency-Key is 1 to 512 printable ASCII characters, such as a UUID")
    })?;
    Ok(Some(text.to_owned()))
}
