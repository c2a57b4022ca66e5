//! What a service says that refuses a call.

use std::{
    error::Error,
    fmt::{self, Write},
};

use reqwest::StatusCode;
use serde::Deserialize;

use crate::words::visible;

/// A refusal, as a person reads it.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    text: String,
}

/// A problem document of the API.
#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
    message: String,
    #[serde(default)]
    errors: Vec<Violation>,
}

#[derive(Debug, Deserialize)]
struct Violation {
    pointer: String,
    message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Refused {}

/// The error for an answer with this status and body.
pub(crate) fn refused(server: &str, status: StatusCode, body: &str) -> anyhow::Error {
    let text = match serde_json::from_str::<Problem>(body) {
        Ok(problem) => told(server, &problem),
        Err(_) => format!("{server} answered {status}; is that a Leadscore?"),
    };
    anyhow::Error::new(Refused { status, text })
}

/// Whether the service answered that there is no such thing.
pub(crate) fn is_not_found(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == StatusCode::NOT_FOUND)
}

fn told(server: &str, problem: &Problem) -> String {
    let mut text = match problem.code.as_str() {
        "unauthorized" => format!(
            "{server} does not know this key. Give a key of that service by --key or LEADSCORE_KEY; `leadscore serve` \
             printed the admin key at its first start"
        ),
        "missing_scope" => format!(
            "this key may not do that: {} Give another key by --key or LEADSCORE_KEY",
            visible(&problem.message)
        ),
        _ => visible(&problem.message),
    };
    for Violation { pointer, message } in &problem.errors {
        let place = if pointer.is_empty() { "/" } else { pointer };
        let _ = write!(text, "\n  {}: {}", visible(place), visible(message));
    }
    text
}
