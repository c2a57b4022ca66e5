//! Typed identifiers, and the one place where new ones are made.

use std::sync::Mutex;

use chrono::{DateTime, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::platform::clock::Clock;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A lead: a UUIDv7, so ids sort by when the lead was first seen.
    LeadId
);
id!(
    /// An identity (a user id, an e-mail or an anonymous id): a hash of its kind and value.
    IdentityId
);
id!(
    /// An event of one identity: a hash of the id that the sender gave the event.
    EventKey
);
id!(
    /// A version of a scoring model.
    ModelId
);
id!(
    /// The record of an API key. It is not the key itself.
    KeyId
);
id!(
    /// A change: something that happened to a lead.
    ChangeId
);
id!(
    /// A receiver of webhooks.
    EndpointId
);
id!(
    /// A webhook: one change for one endpoint.
    DeliveryId
);
id!(
    /// A mail source: an account at an e-mail provider that reports to the service.
    SourceId
);
id!(
    /// A rep's claim on a lead.
    ClaimId
);
id!(
    /// A handoff of a lead to sales.
    HandoffId
);
id!(
    /// An outcome of a lead, as somebody recorded it.
    OutcomeId
);
id!(
    /// A merge of two leads that somebody decided.
    MergeId
);

impl EventKey {
    /// Returns the key of an event with this id. The key never changes.
    pub fn of(id: &str) -> EventKey {
        EventKey(hashed(&[b"event", id.as_bytes()]))
    }
}

/// Hashes a list of parts to a UUIDv8 (SHA-256, cut to 122 bits).
pub fn hashed(parts: &[&[u8]]) -> Uuid {
    let digest = digest(parts);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::new_v8(bytes)
}

/// Returns the smallest UUIDv7 of an instant. Ids that were made before the instant are smaller.
pub fn first_at(at: DateTime<Utc>) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(millis(at), &[0; 10]).into_uuid()
}

fn millis(at: DateTime<Utc>) -> u64 {
    u64::try_from(at.timestamp_millis()).unwrap_or(0)
}

/// Returns the SHA-256 of a list of parts. Each part is preceded by its length, so that two different lists never give
/// the same input.
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Makes new ids (UUIDv7) from the service's clock and a random generator. Tests can seed the generator.
#[derive(Debug)]
pub struct Ids {
    clock: Clock,
    generator: Mutex<StdRng>,
}

impl Ids {
    /// Makes ids that nobody can guess.
    pub fn random(clock: Clock) -> Ids {
        Ids { clock, generator: Mutex::new(StdRng::from_rng(&mut rand::rng())) }
    }

    /// Makes the same ids every time, for tests.
    pub fn seeded(clock: Clock, seed: u64) -> Ids {
        Ids { clock, generator: Mutex::new(StdRng::seed_from_u64(seed)) }
    }

    /// Makes a new UUIDv7.
    pub fn next(&self) -> Uuid {
        let mut tail = [0; 10];
        self.fill(&mut tail);
        uuid::Builder::from_unix_timestamp_millis(millis(self.clock.now()), &tail).into_uuid()
    }

    /// Fills a slice with random bytes, for keys and tokens.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.generator.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill_bytes(bytes);
    }
}
