//! Keys: who may do what.
//!
//! A write key (`wk_…`) may stand in a web page and only sends events. A secret key (`sk_…`) has scopes. The service
//! stores only the SHA-256 of a key: keys are long and random, so a slow hash would add nothing. A key that the
//! service makes ends in a checksum, by which scanners recognise a leaked key. The keys in use are in memory for
//! [`BELIEVED`] ([`ring`]). So a revoked key stops working within that time on every instance, and at once on the
//! instance that revoked it.
//!
//! A write key with a *signing secret* belongs to another service that signs what it sends, such as Segment. With
//! such a key, nothing unsigned is accepted. A signed message may do more than a request with a public key.

pub mod api;
pub mod auth;
mod ring;
mod signing;
mod store;

use std::{fmt, ops::Deref, sync::Arc};

use sha2::{Digest, Sha256};

pub use ring::{BELIEVED, KeyRing};
pub use signing::SigningSecret;
pub use store::{Key, NewKey};

use crate::platform::{core::Core, ids::Ids};

/// How short a key that the operator chose may be, in bytes, with its prefix.
pub const SHORTEST_GIVEN_KEY: usize = 24;

const RANDOM_CHARACTERS: usize = 32;
const CHECKSUM_CHARACTERS: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The core and the keys in use. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Keys {
    /// What every feature stands on.
    pub core: Core,
    /// The keys in use, in memory.
    pub ring: Arc<KeyRing>,
}

impl Deref for Keys {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

/// What a key may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Scope {
    /// Sends events.
    Ingest,
    /// Reads leads, scores, queues and models.
    Read,
    /// Reads, and changes leads.
    ReadWrite,
    /// Allows everything, keys and models included.
    Admin,
}

impl Scope {
    /// Returns the scope as the API writes it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether a key with this scope may do what needs the scope `needed`.
    pub fn covers(self, needed: Scope) -> bool {
        self == needed || self == Scope::Admin || (self == Scope::ReadWrite && needed == Scope::Read)
    }
}

/// The two kinds of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// A write key: may stand in a web page, and sends events.
    Write,
    /// A secret key: stays on a server, and has scopes.
    Secret,
}

impl Prefix {
    /// Returns the text with which keys of this kind begin.
    pub fn as_str(self) -> &'static str {
        match self {
            Prefix::Write => "wk_",
            Prefix::Secret => "sk_",
        }
    }
}

/// A key in the clear. It is shown once, never stored and never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Makes a new key.
    pub fn generate(prefix: Prefix, ids: &Ids) -> Secret {
        let mut bytes = [0; RANDOM_CHARACTERS];
        ids.fill(&mut bytes);
        // A byte modulo 62 prefers the first eight letters. 32 such letters still hold more than 180 bits.
        let body: String =
            bytes.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect();
        Secret(format!("{}{body}{}", prefix.as_str(), checksum(&body)))
    }

    /// Reads a key that the operator chose.
    ///
    /// # Errors
    /// If the key does not begin with the prefix, has fewer than 24 characters, or has a space, a colon, or a character
    /// beyond ASCII.
    pub fn given(key: &str, prefix: Prefix) -> Result<Secret, String> {
        let plain = key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        if key.starts_with(prefix.as_str()) && key.len() >= SHORTEST_GIVEN_KEY && plain {
            return Ok(Secret(key.to_owned()));
        }
        Err(format!(
            "a key of this service begins with {} and has at least {SHORTEST_GIVEN_KEY} characters of ASCII without spaces and colons",
            prefix.as_str()
        ))
    }

    /// Returns the key itself, to show it once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> Vec<u8> {
        hash_of(&self.0)
    }

    fn last_four(&self) -> &str {
        &self.0[self.0.len() - 4..]
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The keys that this start of the service made, to show them once.
#[derive(Debug, Default)]
pub struct Made {
    /// A secret key with the scopes `admin` and `ingest`.
    pub admin: Option<Secret>,
    /// A write key, for trackers.
    pub write: Option<Secret>,
}

/// Makes sure that there is an admin key and a write key.
///
/// A key from the operator's settings replaces the one from earlier settings. Without a key in the settings, and
/// without any key of that kind, a new key is made. Returns the new keys.
pub async fn ensure(keys: &Keys, admin: Option<Secret>, write: Option<Secret>) -> Result<Made, sqlx::Error> {
    Ok(Made {
        admin: ensure_one(keys, Prefix::Secret, &[Scope::Admin, Scope::Ingest], admin).await?,
        write: ensure_one(keys, Prefix::Write, &[Scope::Ingest], write).await?,
    })
}

async fn ensure_one(
    keys: &Keys,
    prefix: Prefix,
    scopes: &[Scope],
    given: Option<Secret>,
) -> Result<Option<Secret>, sqlx::Error> {
    let now = keys.clock.now();
    let mut tx = keys.db.begin().await?;
    store::lock(&mut tx).await?;
    let (secret, environment) = match given {
        Some(secret) => {
            store::revoke_given(&mut tx, prefix, &secret.hash(), now).await?;
            (secret, true)
        }
        None if store::any(&mut tx, prefix).await? => return Ok(None),
        None => (Secret::generate(prefix, &keys.ids), false),
    };
    let name = match (prefix, environment) {
        (Prefix::Write, true) => "write key of the settings",
        (Prefix::Secret, true) => "admin key of the settings",
        (Prefix::Write, false) => "first write key",
        (Prefix::Secret, false) => "first admin key",
    };
    let new = NewKey { name, scopes, origins: &[], signing_secret: None, environment, request_key: None };
    store::insert(&mut tx, &keys.ids, &secret, prefix, &new, now).await?;
    tx.commit().await?;
    keys.ring.forget();
    Ok((!environment).then_some(secret))
}

fn hash_of(key: &str) -> Vec<u8> {
    Sha256::digest(key.as_bytes()).to_vec()
}

/// Whether a key ends in the checksum of keys that the service made.
fn has_checksum(key: &str) -> bool {
    let body = [Prefix::Write, Prefix::Secret].iter().find_map(|prefix| key.strip_prefix(prefix.as_str()));
    let parts = body.and_then(|body| body.split_at_checked(body.len().checked_sub(CHECKSUM_CHARACTERS)?));
    parts.is_some_and(|(body, end)| checksum(body) == end)
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = Vec::with_capacity(CHECKSUM_CHARACTERS);
    for _ in 0..CHECKSUM_CHARACTERS {
        digits.push(char::from(ALPHABET[(rest % 62) as usize]));
        rest /= 62;
    }
    digits.iter().rev().collect()
}
