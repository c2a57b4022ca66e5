//! Signatures by the Standard Webhooks specification, version 1.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::platform::ids::{ChangeId, Ids};

/// How long a secret is, in bytes.
const LENGTH: usize = 32;

/// A secret that signs an endpoint's deliveries. It is shown once and never logged.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(pub(super) Vec<u8>);

impl Secret {
    /// Makes a new secret.
    pub(super) fn generate(ids: &Ids) -> Secret {
        let mut bytes = vec![0; LENGTH];
        ids.fill(&mut bytes);
        Secret(bytes)
    }

    /// Returns the secret in the form of the Standard Webhooks libraries: `whsec_…`.
    pub(super) fn reveal(&self) -> String {
        format!("whsec_{}", STANDARD.encode(&self.0))
    }

    fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Returns the headers of a message: its id, the instant in seconds since 1970, and one signature for each secret.
pub(super) fn headers(
    id: ChangeId,
    at: DateTime<Utc>,
    body: &str,
    secrets: &[Secret],
) -> [(&'static str, String); 3] {
    let (id, timestamp) = (id.to_string(), at.timestamp());
    let signatures: Vec<String> = secrets.iter().map(|secret| secret.sign(&id, timestamp, body)).collect();
    [
        ("webhook-id", id),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specifications_libraries_has_their_signature() {
        let secret = Secret(STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());

        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);

        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_never_shown_by_accident() {
        assert_eq!(format!("{:?}", Secret(vec![1; 32])), "Secret(…)");
    }
}
