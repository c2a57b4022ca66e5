//! The secrets by which other services sign the requests that they send on to this service.

use std::fmt;

use ring::hmac;
use serde::Deserialize;

/// How long a signing secret may be, in bytes.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=200;

/// A secret that another service and this service share.
#[derive(Clone, PartialEq, Eq, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct SigningSecret(String);

impl SigningSecret {
    /// Whether the secret is hard to guess and has only visible ASCII characters: 16 to 200 of them.
    pub fn is_strong(&self) -> bool {
        LENGTH.contains(&self.0.len()) && self.0.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// Whether this secret gives this signature for these bytes. The signature is HMAC-SHA1 in hexadecimal, as Segment
    /// signs.
    pub fn signed(&self, signature: &str, bytes: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.0.as_bytes());
        hex::decode(signature).is_ok_and(|signature| hmac::verify(&key, bytes, &signature).is_ok())
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_secrets_of_every_byte() {
        // RFC 2202, test case 2.
        let secret = SigningSecret("Jefe".to_owned());
        let right = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";

        assert!(secret.signed(right, b"what do ya want for nothing?"));
        assert!(secret.signed(&right.to_uppercase(), b"what do ya want for nothing?"));
        assert!(!secret.signed(right, b"what do ya want for nothing"));
        assert!(!SigningSecret("jefe".to_owned()).signed(right, b"what do ya want for nothing?"));
        for wrong in ["", "e", &right[1..], &right[2..], "ü", "zz"] {
            assert!(!secret.signed(wrong, b"what do ya want for nothing?"), "{wrong}");
        }
    }
}
