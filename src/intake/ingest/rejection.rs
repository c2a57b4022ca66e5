//! Rejections and warnings about single items.

use serde::Serialize;
use utoipa::ToSchema;

use crate::leads::identity::Kind;

/// How long the sentence of a rejection may be, in bytes. It may quote the item.
const LONGEST_DETAIL: usize = 500;
/// How many bytes of a refused item are stored.
const KEPT_OF_ITEM: usize = 2 * 1024;
/// How many refused items of a request are stored.
pub(super) const KEPT_OF_REQUEST: usize = 100;

/// Why an item was refused: a stable code and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Rejection {
    /// A stable code.
    pub code: &'static str,
    /// What to do about it.
    pub detail: String,
}

impl Rejection {
    /// Makes a rejection. A sentence that is too long is cut.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Rejection {
        let mut detail = detail.into();
        if detail.len() > LONGEST_DETAIL {
            detail.truncate(detail.floor_char_boundary(LONGEST_DETAIL));
            detail.push('…');
            detail.shrink_to_fit();
        }
        Rejection { code, detail }
    }

    /// The rejection of an item that names only a placeholder, of this kind.
    pub fn placeholder(kind: Kind) -> Rejection {
        let (code, name) = placeholder(kind);
        let detail = format!(
            "the {name} is a placeholder, and the event names nobody else; name a person or a device"
        );
        Rejection { code, detail }
    }
}

/// The code for a placeholder of this kind, and the name of the kind in messages.
fn placeholder(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::UserId => ("placeholder_user_id", "user id"),
        Kind::Email => ("placeholder_email", "e-mail address"),
        Kind::AnonymousId => ("placeholder_anonymous_id", "anonymous id"),
    }
}

/// A warning about an item that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Warning {
    /// The item's place in the request, from 0.
    pub index: usize,
    /// What the warning is about, as a stable code.
    pub code: String,
    /// What to do about it.
    pub detail: String,
}

impl Warning {
    /// The warning that an identity of this kind is a placeholder and was ignored.
    pub fn placeholder(index: usize, kind: Kind) -> Warning {
        let (code, name) = placeholder(kind);
        let detail = format!(
            "the {name} is a placeholder and was ignored; the event counts for the other identities that it names. \
            Leave the {name} out where nobody is known"
        );
        Warning { index, code: code.to_owned(), detail }
    }
}

/// An item that was refused.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The item's place in the request, from 0.
    pub index: usize,
    /// Why the item was refused.
    pub rejection: Rejection,
    /// The beginning of the item as it came.
    pub body: Vec<u8>,
}

impl Refused {
    /// Makes a refused item. At most 2 KiB of the item are kept.
    pub fn new(index: usize, rejection: Rejection, item: &[u8]) -> Refused {
        Refused { index, rejection, body: item[..item.len().min(KEPT_OF_ITEM)].to_vec() }
    }
}

/// A refused item in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RejectedItem {
    /// The item's place in the request, from 0.
    pub index: usize,
    /// Why the item was refused, as a stable code.
    pub code: String,
    /// What to do about it.
    pub detail: String,
}
