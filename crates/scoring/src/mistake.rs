//! What is wrong with a document, said so that a person can mend it.

use std::fmt;

use serde::Serialize;

/// One mistake in a model document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mistake {
    /// Where it is: a JSON pointer (RFC 6901); empty for the whole document.
    pub pointer: String,
    /// What kind of mistake it is, stable for programs.
    pub code: &'static str,
    /// What to do about it, a sentence.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "/" } else { &self.pointer };
        write!(f, "{pointer}: {} ({})", self.message, self.code)
    }
}

impl std::error::Error for Mistake {}
