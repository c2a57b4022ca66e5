//! Why an item was not taken.

use serde::Serialize;
use utoipa::ToSchema;

use crate::leads::identity::Kind;

/// How long a refusal's sentence may be, in bytes: it may quote what the item says.
const LONGEST_DETAIL: usize = 500;
/// How much of a refused item is kept, in bytes.
const KEPT_OF_ITEM: usize = 2 * 1024;
/// How many of a request's refused items are kept.
pub(super) const KEPT_OF_REQUEST: usize = 100;

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
    /// A refusal; a sentence that is too long is cut.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Rejection {
        let mut detail = detail.into();
        if detail.len() > LONGEST_DETAIL {
            detail.truncate(detail.floor_char_boundary(LONGEST_DETAIL));
            detail.push('…');
            detail.shrink_to_fit();
        }
        Rejection { code, detail }
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

/// An item that was refused.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Its place in the request, from 0.
    pub index: usize,
    /// Why.
    pub rejection: Rejection,
    /// How what came begins.
    pub body: Vec<u8>,
}

impl Refused {
    /// An item that was refused, with as much of it as is kept.
    pub fn new(index: usize, rejection: Rejection, item: &[u8]) -> Refused {
        Refused { index, rejection, body: item[..item.len().min(KEPT_OF_ITEM)].to_vec() }
    }
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
