//! Mistakes in a document, described so that a person can correct them: one collector for all documents.

use std::fmt;

use serde::Serialize;

/// One mistake in a document, or one warning about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mistake {
    /// A JSON pointer (RFC 6901) to the place of the mistake; empty for the whole document.
    pub pointer: String,
    /// The kind of mistake, as a code that stays the same for programs.
    pub code: &'static str,
    /// What to do about the mistake, in one sentence.
    pub message: String,
}

impl Mistake {
    /// A mistake at a place of a document.
    pub fn new(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, message: message.into() }
    }

    /// The same mistake, for a document that is a part of another document, at `pointer`.
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

/// How many mistakes are kept. A document may have one in every byte or two, and nobody reads that many.
const MOST: usize = 1_000;

/// The first 1 000 mistakes that were found in a document, in the order of finding.
#[derive(Debug, Default)]
pub struct Mistakes {
    found: Vec<Mistake>,
    stored: bool,
}

impl Mistakes {
    /// An empty list of mistakes, for a document that an earlier release accepted. Values that are now
    /// refused keep their old meaning.
    pub fn of_stored() -> Self {
        Self { found: Vec::new(), stored: true }
    }

    /// Whether an earlier release accepted the document.
    pub fn are_of_stored(&self) -> bool {
        self.stored
    }

    /// Whether no mistake was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Adds a mistake.
    pub fn add(&mut self, pointer: impl Into<String>, code: &'static str, message: impl Into<String>) {
        if self.found.len() < MOST {
            self.found.push(Mistake::new(pointer, code, message));
        }
    }

    /// Adds a mistake and returns `None`, so that a reader can return the result.
    pub fn wrong<T>(
        &mut self,
        pointer: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) -> Option<T> {
        self.add(pointer, code, message);
        None
    }

    /// Adds the mistakes of a document that is a part of this one, at `pointer`.
    pub fn add_below(&mut self, pointer: &str, mistakes: Vec<Mistake>) {
        let free = MOST - self.found.len();
        self.found.extend(mistakes.into_iter().take(free).map(|one| one.below(pointer)));
    }

    /// Returns what was read of the document, if no mistake was found.
    ///
    /// # Errors
    /// The mistakes that were found.
    pub fn unless_any<T>(self, read: Option<T>) -> Result<T, Vec<Mistake>> {
        match read {
            Some(read) if self.found.is_empty() => Ok(read),
            _ => Err(self.found),
        }
    }

    /// The mistakes that were found.
    pub fn into_found(self) -> Vec<Mistake> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_mistakes_than_anybody_reads_the_first_are_kept() {
        let mut part = Mistakes::default();
        (0..MOST).for_each(|n| part.add(format!("/{n}"), "invalid", "write a number"));
        let mut whole = Mistakes::default();
        whole.add("", "invalid", "write an object");

        whole.add_below("/part", part.into_found());
        whole.add("/last", "invalid", "write a number");

        let found = whole.unless_any(Some(())).unwrap_err();
        assert_eq!((found.len(), found[MOST - 1].pointer.as_str()), (MOST, "/part/998"));
    }
}
