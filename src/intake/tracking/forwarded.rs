//! Messages that another service forwards, such as Segment's *Webhooks* destination. They are the same as the
//! SDKs' messages, and are signed by a secret that the service and the key share. A signed message may also
//! ask to erase a person.

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
    /// Nothing, because the key has no signing secret.
    Nothing,
    /// The first message. Of a batch, Segment signs only that.
    First,
    /// The whole body.
    Whole,
}

impl Signed {
    /// Verifies the signature of a request with these messages, if the key has a signing secret.
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
            let message = "Sign the body with the key's signing secret: send its HMAC-SHA1 in hexadecimal in the header `X-Signature`.";
            Err(Problem::new(Code::Unauthorized, message))
        }
    }

    /// Whether the signature covers the message at this place.
    fn covers(self, index: usize) -> bool {
        match self {
            Signed::Nothing => false,
            Signed::First => index == 0,
            Signed::Whole => true,
        }
    }
}

/// Returns the people whom signed messages ask to erase, by the places of the messages.
pub(super) fn deletions(signed: Signed, messages: &[&str]) -> BTreeMap<usize, Identity> {
    let covered = messages.iter().enumerate().filter(|(index, _)| signed.covers(*index));
    covered.filter_map(|(index, raw)| Some((index, segment::deletion(raw)?))).collect()
}

/// Erases these people, including what the same request said about them. A person who is not known is left
/// out.
pub(super) async fn forget(intake: &Intake, people: impl Iterator<Item = &Identity>) -> sqlx::Result<()> {
    for person in people {
        erasure::erase_named(intake, person).await?;
    }
    Ok(())
}
