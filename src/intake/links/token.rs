//! Tokens: the signed content of a link in a mail. The service trusts a token without asking the database.
//!
//! A token is URL-safe base64 of: the version, the number of the secret, the kind, the identity, the mail's id with its
//! length before it, for a click the destination; then the first 16 bytes of an HMAC-SHA256 over all that.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::platform::ids::{IdentityId, Ids};

/// How long a mail's id may be, in bytes.
pub(super) const LONGEST_MESSAGE: usize = 200;

/// The version of the format, the first byte of a token.
const VERSION: u8 = 1;
/// The length of the signature, in bytes.
const SIGNATURE: usize = 16;
/// The length of a secret, in bytes.
const SECRET: usize = 32;

/// A secret that signs tokens. It is never shown or logged.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(Vec<u8>);

impl Secret {
    pub(super) fn generate(ids: &Ids) -> Secret {
        let mut bytes = vec![0; SECRET];
        ids.fill(&mut bytes);
        Secret(bytes)
    }

    pub(super) fn stored(bytes: Vec<u8>) -> Secret {
        Secret(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn mac(&self, said: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of every length");
        mac.update(said);
        mac
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What following a link means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// The mail was opened.
    Open,
    /// A link was clicked.
    Click {
        /// The destination of the link.
        url: String,
        /// Whether the link is hidden from people, so that only a machine follows it.
        honeypot: bool,
    },
    /// The recipient wants no more mails.
    Unsubscribe,
}

/// The content of a link in a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// The address that the mail goes to.
    pub(super) identity: IdentityId,
    /// The id of the mail.
    pub(super) message: String,
    /// What following the link means.
    pub(super) act: Act,
}

impl Token {
    /// Signs the token with the secret of this number, and returns it as text. The mail's id must have at
    /// most [`LONGEST_MESSAGE`] bytes.
    pub(super) fn seal(&self, number: u16, secret: &Secret) -> String {
        let (kind, url) = match &self.act {
            Act::Open => (b'o', ""),
            Act::Click { url, honeypot: false } => (b'c', url.as_str()),
            Act::Click { url, honeypot: true } => (b'h', url.as_str()),
            Act::Unsubscribe => (b'u', ""),
        };
        let mut bytes = vec![VERSION];
        bytes.extend(number.to_be_bytes());
        bytes.push(kind);
        bytes.extend(self.identity.0.as_bytes());
        bytes.push(u8::try_from(self.message.len()).expect("a mail's id has at most 200 bytes"));
        bytes.extend(self.message.as_bytes());
        bytes.extend(url.as_bytes());
        let signature = secret.mac(&bytes).finalize().into_bytes();
        bytes.extend(&signature[..SIGNATURE]);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// A text with the form of a token. Its signature is not verified yet.
#[derive(Debug)]
pub(super) struct Presented {
    /// The number of the secret that should have signed the token.
    pub(super) number: u16,
    bytes: Vec<u8>,
}

impl Presented {
    /// Decodes a text. `None` if it does not have the form of a token of this version.
    pub(super) fn read(text: &str) -> Option<Presented> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        match bytes.as_slice() {
            [VERSION, high, low, ..] => Some(Presented { number: u16::from_be_bytes([*high, *low]), bytes }),
            _ => None,
        }
    }

    /// Verifies the signature with a secret, and returns the token. `None` if the secret has not signed it.
    pub(super) fn open(&self, secret: &Secret) -> Option<Token> {
        let (said, signature) = self.bytes.split_at_checked(self.bytes.len().checked_sub(SIGNATURE)?)?;
        secret.mac(said).verify_truncated_left(signature).ok()?;
        let (kind, said) = said.get(3..)?.split_first()?;
        let (identity, said) = said.split_first_chunk::<16>()?;
        let (length, said) = said.split_first()?;
        let (message, url) = said.split_at_checked(usize::from(*length))?;
        let url = || String::from_utf8(url.to_vec()).ok();
        let act = match kind {
            b'o' => Act::Open,
            b'c' => Act::Click { url: url()?, honeypot: false },
            b'h' => Act::Click { url: url()?, honeypot: true },
            b'u' => Act::Unsubscribe,
            _ => return None,
        };
        let identity = IdentityId(uuid::Uuid::from_bytes(*identity));
        Some(Token { identity, message: String::from_utf8(message.to_vec()).ok()?, act })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret(byte: u8) -> Secret {
        Secret(vec![byte; SECRET])
    }

    fn opened(text: &str, secret: &Secret) -> Option<Token> {
        Presented::read(text)?.open(secret)
    }

    fn tokens() -> impl Strategy<Value = Token> {
        let act = prop_oneof![
            Just(Act::Open),
            Just(Act::Unsubscribe),
            ("https?://[a-z/?&=äö]{1,80}", any::<bool>())
                .prop_map(|(url, honeypot)| Act::Click { url, honeypot }),
        ];
        (any::<u128>(), "[a-zA-Z0-9<@.>-]{1,200}", act).prop_map(|(id, message, act)| Token {
            identity: IdentityId(uuid::Uuid::from_u128(id)),
            message,
            act,
        })
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_what_is_opened(token in tokens(), number in 1_u16..) {
            let text = token.seal(number, &secret(1));

            prop_assert_eq!(Presented::read(&text).unwrap().number, number);
            prop_assert_eq!(opened(&text, &secret(1)), Some(token));
            prop_assert_eq!(opened(&text, &secret(2)), None);
        }

        #[test]
        fn no_bit_of_a_token_can_be_changed(token in tokens(), at in any::<prop::sample::Index>(), bit in 0..8) {
            let text = token.seal(1, &secret(1));
            let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
            *at.get_mut(&mut bytes) ^= 1_u8 << bit;

            prop_assert_eq!(opened(&URL_SAFE_NO_PAD.encode(bytes), &secret(1)), None);
        }

        #[test]
        fn nothing_else_is_a_token(text in "[A-Za-z0-9_=-]{0,120}") {
            prop_assert_eq!(opened(&text, &secret(1)), None);
        }
    }

    #[test]
    fn a_secret_is_never_shown_by_accident() {
        assert_eq!(format!("{:?}", secret(1)), "Secret(…)");
    }
}
