//! Messages that another service sends on, such as Segment's *Webhooks* destination: the same as SDKs send, signed by a secret
//! that the service and the key share. What is signed may also say that somebody is to be forgotten.

use std::collections::BTreeMap;

use super::segment;
use crate::{
    http::problem::{Code, Problem},
    intake::ingest::Intake,
    keys::Key,
    leads::identity::Identity,
    lifecycle::erasure,
};

/// How much of a request is covered by a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    /// Nothing: the key asks for none.
    Nothing,
    /// The first of its messages: of a batch, Segment signs no more.
    First,
    /// All of it.
    Whole,
}

impl Signed {
    /// Looks at the signature of a request with these messages, if the key asks for one.
    pub(super) fn of(
        key: &Key,
        signature: Option<&str>,
        body: &[u8],
        messages: &[&str],
    ) -> Result<Signed, Problem> {
        let Some(secret) = &key.signing_secret else { return Ok(Signed::Nothing) };
        let covers = |bytes: &[u8]| signature.is_some_and(|signature| secret.signed(signature, bytes));
        if covers(body) {
            Ok(Signed::Whole)
        } else if messages.first().is_some_and(|first| covers(first.as_bytes())) {
            Ok(Signed::First)
        } else {
            let message =
                "Sign the body by the secret of this key, HMAC-SHA1 in hexadecimal, in `X-Signature`.";
            Err(Problem::new(Code::Unauthorized, message))
        }
    }

    fn covers(self, index: usize) -> bool {
        match self {
            Signed::Nothing => false,
            Signed::First => index == 0,
            Signed::Whole => true,
        }
    }
}

/// Whom signed messages want forgotten, by the messages' places.
pub(super) fn deletions(signed: Signed, messages: &[&str]) -> BTreeMap<usize, Identity> {
    let covered = messages.iter().enumerate().filter(|(index, _)| signed.covers(*index));
    covered.filter_map(|(index, raw)| Some((index, segment::deletion(raw)?))).collect()
}

/// Erases them, and what the same request said of them. Whom nobody knows is forgotten already.
pub(super) async fn forget(intake: &Intake, people: impl Iterator<Item = &Identity>) -> sqlx::Result<()> {
    for person in people {
        erasure::erase_named(intake, person).await?;
    }
    Ok(())
}
