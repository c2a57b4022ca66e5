//! What is wrong with a document, said so that a person can mend it: one collector for all documents.

use std::fmt;

use serde::Serialize;

/// One mistake in a document.
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

impl Mistake {
    /// A mistake at a place of a document.
    pub fn new(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, message: message.into() }
    }

    /// The same mistake in a document that stands at `pointer` of another.
    #[must_use]
    pub fn below(self, pointer: &str) -> Self {
        Self { pointer: format!("{pointer}{}", self.pointer), ..self }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "/" } else { &self.pointer };
        write!(f, "{pointer}: {} ({})", self.message, self.code)
    }
}

impl std::error::Error for Mistake {}

/// Every mistake of a document, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Mistakes {
    found: Vec<Mistake>,
    stored: bool,
}

impl Mistakes {
    /// None yet, of a document that was accepted once: what is refused today keeps the meaning that it had.
    pub fn of_stored() -> Self {
        Self { found: Vec::new(), stored: true }
    }

    /// Whether the document was accepted once.
    pub fn are_of_stored(&self) -> bool {
        self.stored
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Adds a mistake.
    pub fn add(&mut self, pointer: impl Into<String>, code: &'static str, message: impl Into<String>) {
        self.found.push(Mistake::new(pointer, code, message));
    }

    /// Adds a mistake and gives nothing back, so that a reader can end with it.
    pub fn wrong<T>(
        &mut self,
        pointer: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) -> Option<T> {
        self.add(pointer, code, message);
        None
    }

    /// Adds the mistakes of a document that stands at `pointer` of this one.
    pub fn add_below(&mut self, pointer: &str, mistakes: Vec<Mistake>) {
        self.found.extend(mistakes.into_iter().map(|one| one.below(pointer)));
    }

    /// What was read of the document, if nothing was found wrong.
    ///
    /// # Errors
    /// The mistakes that were found.
    pub fn unless_any<T>(self, read: Option<T>) -> Result<T, Vec<Mistake>> {
        match read {
            Some(read) if self.found.is_empty() => Ok(read),
            _ => Err(self.found),
        }
    }

    /// All of them.
    pub fn into_found(self) -> Vec<Mistake> {
        self.found
    }
}
