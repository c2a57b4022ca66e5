//! Shared secrets, for providers that do not sign: a password, or the value of a header.

use axum::http::HeaderMap;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::header;

/// The secret that the provider sends with each report.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::intake::mail) enum Shared {
    /// No extra secret: the URL is the secret.
    Address,
    /// A user name and a password.
    Basic { username: String, password: String },
    /// A header with a value.
    Header { name: String, value: String },
}

impl Shared {
    /// Whether a request has the secret.
    pub(in crate::intake::mail) fn verifies(&self, headers: &HeaderMap) -> bool {
        match self {
            Shared::Address => true,
            Shared::Header { name, value } => header(headers, name).is_some_and(|sent| same(sent, value)),
            Shared::Basic { username, password } => {
                let sent = header(headers, "authorization").and_then(|sent| sent.split_once(' '));
                sent.is_some_and(|(scheme, sent)| {
                    let expected = STANDARD.encode(format!("{username}:{password}"));
                    scheme.eq_ignore_ascii_case("basic") && same(sent.trim(), &expected)
                })
            }
        }
    }
}

/// Compares two texts in constant time.
fn same(sent: &str, expected: &str) -> bool {
    sent.as_bytes().ct_eq(expected.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn a_password_is_compared_whole() {
        let shared = Shared::Basic { username: "postmark".to_owned(), password: "s3cret".to_owned() };

        assert!(shared.verifies(&sent("authorization", "Basic cG9zdG1hcms6czNjcmV0")));
        assert!(shared.verifies(&sent("authorization", "basic cG9zdG1hcms6czNjcmV0")));
        for wrong in ["Basic cG9zdG1hcms6czNjcmV", "Bearer cG9zdG1hcms6czNjcmV0", "Basic", "", "Basic eDp5"] {
            assert!(!shared.verifies(&sent("authorization", wrong)), "{wrong}");
        }
        assert!(!shared.verifies(&HeaderMap::new()));
    }

    #[test]
    fn a_header_has_the_name_and_the_value_that_were_agreed() {
        let shared = Shared::Header { name: "X-Token".to_owned(), value: "abc".to_owned() };

        assert!(shared.verifies(&sent("x-token", "abc")));
        assert!(!shared.verifies(&sent("x-token", "ABC")));
        assert!(!shared.verifies(&sent("x-other", "abc")));
    }
}
