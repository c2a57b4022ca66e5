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
    /// An event within its identity: a hash of the id that its sender gave it.
    EventKey
);
id!(
    /// A version of a scoring model.
    ModelId
);
id!(
    /// An API key's record; not the key.
    KeyId
);
id!(
    /// Something that happened to a lead.
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
    /// An account at an e-mail provider.
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
    /// What became of a lead, as somebody recorded it.
    OutcomeId
);
id!(
    /// A merge of two leads that somebody decided.
    MergeId
);

impl EventKey {
    /// The key under which an event with this id is known, for ever.
    pub fn of(id: &str) -> EventKey {
        EventKey(hashed(&[b"event", id.as_bytes()]))
    }
}

/// The UUIDv8 that a list of parts hashes to (SHA-256, cut to 122 bits).
pub fn hashed(parts: &[&[u8]]) -> Uuid {
    let digest = digest(parts);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::new_v8(bytes)
}

/// The least UUIDv7 that is made at an instant: ids of rows that were made before are smaller.
pub fn first_at(at: DateTime<Utc>) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(millis(at), &[0; 10]).into_uuid()
}

fn millis(at: DateTime<Utc>) -> u64 {
    u64::try_from(at.timestamp_millis()).unwrap_or(0)
}

/// SHA-256 over the parts, each preceded by its length so that no two lists of parts agree by accident.
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Makes new ids: UUIDv7 from the service's clock and a generator that tests can seed.
#[derive(Debug)]
pub struct Ids {
    clock: Clock,
    generator: Mutex<StdRng>,
}

impl Ids {
    /// Ids that nobody can guess.
    pub fn random(clock: Clock) -> Ids {
        Ids { clock, generator: Mutex::new(StdRng::from_rng(&mut rand::rng())) }
    }

    /// The same ids every time, for tests.
    pub fn seeded(clock: Clock, seed: u64) -> Ids {
        Ids { clock, generator: Mutex::new(StdRng::seed_from_u64(seed)) }
    }

    /// A new UUIDv7.
    pub fn next(&self) -> Uuid {
        let mut tail = [0; 10];
        self.fill(&mut tail);
        uuid::Builder::from_unix_timestamp_millis(millis(self.clock.now()), &tail).into_uuid()
    }

    /// Random bytes, for keys and tokens.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.generator.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill_bytes(bytes);
    }
}
