//! Why an item was not taken.

use serde::Serialize;
use utoipa::ToSchema;

use crate::leads::identity::Kind;

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

    /// Of an item that names nobody, as the identity of this kind is a placeholder.
    pub fn placeholder(kind: Kind) -> Rejection {
        let (code, name) = placeholder(kind);
        let detail = format!(
            "the {name} is a placeholder that stands for nobody, and the event names nobody else; name a person or a device"
        );
        Rejection { code, detail }
    }
}

/// The code of a placeholder, and what the identity is called.
fn placeholder(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::UserId => ("placeholder_user_id", "user id"),
        Kind::Email => ("placeholder_email", "e-mail address"),
        Kind::AnonymousId => ("placeholder_anonymous_id", "anonymous id"),
    }
}

/// What is to be known of an item that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Warning {
    /// The item's place in the request, from 0.
    pub index: usize,
    /// What, as a stable word.
    pub code: String,
    /// What to do about it.
    pub detail: String,
}

impl Warning {
    /// An identity of this kind is a placeholder, and joins nobody.
    pub fn placeholder(index: usize, kind: Kind) -> Warning {
        let (code, name) = placeholder(kind);
        let detail = format!(
            "the {name} is a placeholder that stands for nobody: the event counts for whom else it names; \
            leave the {name} out where nobody is known"
        );
        Warning { index, code: code.to_owned(), detail }
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
