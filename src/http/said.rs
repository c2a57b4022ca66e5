//! What people say beside a call: who they are, why, and under which key they would repeat it.

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
/// How long the description of a webhook may be, in characters.
pub const LONGEST_DESCRIPTION: usize = 500;
/// How long an `Idempotency-Key` may be, in bytes.
pub const LONGEST_KEY: usize = 512;

/// How a body is checked: its texts are read, and all mistakes in it are said at once.
pub trait Texts: Sized {
    /// A text that people read, trimmed; one that cannot be stored, or is too long, is a mistake.
    fn text(&mut self, pointer: &str, text: &str, longest: usize) -> String;

    /// The same for a text that may be left out.
    fn note(&mut self, pointer: &str, text: Option<&str>, longest: usize) -> Option<String> {
        text.map(|text| self.text(pointer, text, longest))
    }

    /// Who says it: the name that was given, or else the name of the key.
    fn name(&mut self, pointer: &str, name: Option<&str>, of_key: &str) -> String {
        name.map_or_else(|| of_key.to_owned(), |name| self.text(pointer, name, LONGEST_NAME))
    }

    /// All mistakes as one problem, if there is any.
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

/// The problem of a body with one thing wrong.
pub fn mistake(pointer: &str, code: &'static str, message: impl Into<String>) -> Problem {
    let message = message.into();
    let summary = format!("{pointer}: {message}.");
    Problem::invalid(summary, vec![Mistake::new(pointer, code, message)])
}

/// What a call has made before under its `Idempotency-Key`, and how to go on without its answer.
#[derive(Debug)]
pub struct MadeBefore {
    /// What was made, with its id.
    pub what: String,
    /// What the answer showed that is not shown again.
    pub showed: &'static str,
    /// How to get another of these.
    pub advice: String,
}

/// What a call has made; or, if its key has made something before, the problem that says what. `find` reads what was made.
///
/// # Errors
/// 409 `conflict` if the key is used. If what the key made is removed at this very moment, 503 `overloaded`: the call may be
/// made again.
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
                    "A call with this Idempotency-Key has made {what}, and its answer showed {showed}. If you have not \
                     got that, {advice}."
                ),
            ),
            None => {
                Problem::new(Code::Overloaded, "What this Idempotency-Key made is being removed. Try again.")
            }
        }),
        (made, _) => Ok(made?),
    }
}

/// A header of a request as text; none if the request has no such header, or if its value is no visible ASCII.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Under which key the caller would repeat the call.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let fits = |text: &&str| (1..=LONGEST_KEY).contains(&text.len()) && !text.chars().any(char::is_control);
    let text = value.to_str().ok().map(str::trim).filter(fits).ok_or_else(|| {
        Problem::parameter("Idempotency-Key is 1 to 512 printable ASCII characters, such as a UUID")
    })?;
    Ok(Some(text.to_owned()))
}
