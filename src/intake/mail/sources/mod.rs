//! Mail sources: accounts at e-mail providers, each with its own URL for reports.

pub(super) mod api;
mod store;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::providers::{Provider, Verification};
use crate::{intake::mail::Mail, platform::ids::SourceId};

/// How many random bytes a token has.
const RANDOM: usize = 24;

/// A stored source.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) id: SourceId,
    pub(super) name: String,
    pub(super) provider: Provider,
    pub(super) created_at: chrono::DateTime<chrono::Utc>,
}

/// Makes a source. Returns it with the token of its URL. Only a hash of the token is stored, so the token
/// cannot be shown again.
///
/// # Errors
/// A violated constraint if the idempotency key has made a source before.
async fn create(
    mail: &Mail,
    name: &str,
    verification: &Verification,
    request_key: Option<&str>,
) -> sqlx::Result<(Source, String)> {
    let mut bytes = [0; RANDOM];
    mail.ids.fill(&mut bytes);
    let token = URL_SAFE_NO_PAD.encode(bytes);
    let source = Source {
        id: SourceId(mail.ids.next()),
        name: name.to_owned(),
        provider: verification.provider(),
        created_at: mail.clock.now(),
    };
    let conn = &mut *mail.db.acquire().await?;
    store::insert(conn, &source, &hash(&token), verification, request_key).await?;
    Ok((source, token))
}

/// Returns how to verify reports that come to the URL with this token. `None` if the provider has no such
/// source.
pub(super) async fn of_token(
    mail: &Mail,
    provider: Provider,
    token: &str,
) -> sqlx::Result<Option<Verification>> {
    let found = store::find_by_hash(&mut *mail.db.acquire().await?, &hash(token)).await?;
    Ok(found.filter(|verification| verification.provider() == provider))
}

/// The hash of a token, as stored.
fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
