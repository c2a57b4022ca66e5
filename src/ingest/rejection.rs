//! Why an item was not taken.

use serde::Serialize;
use utoipa::ToSchema;

/// One item's refusal: a stable code and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Rejection {
    /// A stable word.
    pub code: &'static str,
    /// What to do about it.
    pub detail: String,
}

impl Rejection {
    /// A refusal.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Rejection {
        Rejection { code, detail: detail.into() }
    }
}

/// An item that was refused, as it came.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Its place in the request, from 0.
    pub index: usize,
    /// Why.
    pub rejection: Rejection,
    /// What came.
    pub body: Vec<u8>,
}

/// A refused item in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RejectedItem {
    /// The item's place in the request, from 0.
    pub index: usize,
    /// Why, as a stable word.
    pub code: String,
    /// What to do about it.
    pub detail: String,
}
