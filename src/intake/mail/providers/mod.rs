//! What each provider sends, and how it is verified and parsed. Each module is pure: bytes in, news out.

pub(super) mod brevo;
pub(super) mod mailgun;
pub(super) mod postmark;
#[cfg(test)]
mod readings;
pub(super) mod resend;
pub(super) mod sendgrid;
pub(super) mod ses;
mod shared;

use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub(super) use shared::Shared;

use super::news::Read;
use crate::http::{
    body::LARGEST_BODY,
    problem::{Code, Problem},
    said::header,
};

/// The largest request of a provider that sends one event at a time, in bytes.
const LARGEST_OF_ONE: usize = 1024 * 1024;

/// The supported e-mail providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[schema(as = MailProvider)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[derive(strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Provider {
    /// Twilio SendGrid.
    Sendgrid,
    /// Mailgun.
    Mailgun,
    /// Postmark.
    Postmark,
    /// Amazon SES, over SNS.
    Ses,
    /// Resend.
    Resend,
    /// Brevo.
    Brevo,
}

impl Provider {
    /// The name of the provider, as stored and as in the API.
    pub(super) fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the provider of this name.
    pub(super) fn named(word: &str) -> Option<Provider> {
        word.parse().ok()
    }

    /// The largest request of the provider, in bytes. SendGrid and Brevo send many events in one request.
    pub(super) fn largest(self) -> usize {
        match self {
            Provider::Sendgrid | Provider::Brevo => LARGEST_BODY,
            Provider::Mailgun | Provider::Postmark | Provider::Ses | Provider::Resend => LARGEST_OF_ONE,
        }
    }

    /// Returns the status of a refusal. Some providers do not follow HTTP, so they get another status: they
    /// must not send again what will always be refused, and must send again what the service could not take
    /// for now.
    pub(super) fn status(self, code: Code) -> StatusCode {
        let status = code.status();
        match self {
            // Mailgun sends again for eight hours after any status but 200 and 406.
            Provider::Mailgun if status.is_client_error() => StatusCode::NOT_ACCEPTABLE,
            // Postmark sends again after any status but 200 and 403. A wrong password gets 401, so that
            // Postmark sends again after the password is corrected here.
            Provider::Postmark if status.is_client_error() && code != Code::Unauthorized => {
                StatusCode::FORBIDDEN
            }
            // Brevo drops what is refused by 4xx or 5xx, except for 429.
            Provider::Brevo if status.is_server_error() => StatusCode::TOO_MANY_REQUESTS,
            _ => status,
        }
    }
}

/// How to verify that the provider sent a report.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verification {
    Sendgrid(sendgrid::PublicKey),
    Mailgun(mailgun::SigningKey),
    Postmark(Shared),
    Ses(ses::Topics),
    Resend(resend::Secret),
    Brevo(Shared),
}

impl Verification {
    /// The provider that is verified in this way.
    pub(super) fn provider(&self) -> Provider {
        match self {
            Verification::Sendgrid(_) => Provider::Sendgrid,
            Verification::Mailgun(_) => Provider::Mailgun,
            Verification::Postmark(_) => Provider::Postmark,
            Verification::Ses(_) => Provider::Ses,
            Verification::Resend(_) => Provider::Resend,
            Verification::Brevo(_) => Provider::Brevo,
        }
    }
}

impl std::fmt::Debug for Verification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}(…)", self.provider().as_str())
    }
}

/// Why a report is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The report cannot be verified as the provider's.
    NotVerified,
    /// The report is verified, but cannot be parsed.
    Unreadable,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::NotVerified => Problem::new(
                Code::Unauthorized,
                "The signature or password is wrong or too old. docs/email.md says what to enter where.",
            ),
            Refusal::Unreadable => Problem::new(
                Code::InvalidBody,
                "The body does not have the shape of this provider's reports.",
            ),
        }
    }
}

/// A request of a provider.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a> {
    pub(super) headers: &'a HeaderMap,
    /// The raw bytes, which signatures cover.
    pub(super) body: &'a [u8],
}

/// Verifies and parses a report. Reports of Amazon go through [`super::amazon`], because their certificate
/// must be fetched first.
pub(super) fn read(
    verification: &Verification,
    Sent { headers, body }: Sent<'_>,
    now: DateTime<Utc>,
) -> Result<Read, Refusal> {
    let verified = match verification {
        Verification::Sendgrid(key) => key.verifies(headers, body),
        Verification::Mailgun(key) => key.verifies(body),
        Verification::Postmark(shared) | Verification::Brevo(shared) => shared.verifies(headers),
        Verification::Resend(secret) => secret.verifies(headers, body, now),
        Verification::Ses(_) => false,
    };
    if !verified {
        return Err(Refusal::NotVerified);
    }
    let read = match verification.provider() {
        Provider::Sendgrid => sendgrid::read(body),
        Provider::Mailgun => mailgun::read(body),
        Provider::Postmark => postmark::read(body),
        Provider::Resend => resend::read(body, headers),
        Provider::Brevo => brevo::read(body),
        Provider::Ses => None,
    };
    read.ok_or(Refusal::Unreadable)
}

#[cfg(test)]
pub(super) mod fixtures {
    //! The recorded requests that the tests of every provider read.

    use axum::http::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::Value;

    use crate::intake::mail::news::Read;

    pub(in crate::intake::mail) struct Fixture(Value);

    pub(in crate::intake::mail) struct Case(Value);

    impl Fixture {
        pub(in crate::intake::mail) fn of(provider: &str) -> Fixture {
            let path = format!("{}/tests/api/captures/email/{provider}.json", env!("CARGO_MANIFEST_DIR"));
            Fixture(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
        }

        pub(in crate::intake::mail) fn text(&self, field: &str) -> &str {
            self.0[field].as_str().unwrap()
        }

        pub(in crate::intake::mail) fn cases(&self) -> Vec<Case> {
            self.0["cases"].as_array().unwrap().iter().cloned().map(Case).collect()
        }
    }

    impl Case {
        pub(in crate::intake::mail) fn name(&self) -> &str {
            self.0["name"].as_str().unwrap()
        }

        /// Whether it is recorded as something that must be refused.
        pub(in crate::intake::mail) fn is_bad(&self) -> bool {
            self.0["expect"].get("http_status").is_some()
        }

        pub(in crate::intake::mail) fn body(&self) -> &[u8] {
            self.0["body"].as_str().unwrap().as_bytes()
        }

        pub(in crate::intake::mail) fn headers(&self) -> HeaderMap {
            let headers = self.0["headers"].as_object().unwrap().iter();
            let header = |(name, value): (&String, &Value)| {
                let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
                (HeaderName::from_bytes(name.as_bytes()).unwrap(), value)
            };
            headers.map(header).collect()
        }

        /// Whether what was read is what the recording says it is.
        pub(in crate::intake::mail) fn assert_reads(&self, read: &Read) {
            let expected = &self.0["expect"];
            let (name, news) = (self.name(), &read.news);
            let known =
                ["delivered", "bounced", "complained", "opened", "clicked", "unsubscribed", "subscribed"];
            if let Some(count) = expected["count"].as_u64() {
                assert_eq!(news.len() + read.passed_over, usize::try_from(count).unwrap(), "{name}");
            }
            let Some(kind) = expected["normalised_type"].as_str() else { return };
            if !known.contains(&kind) {
                assert!(news.is_empty() && read.passed_over > 0, "{name}: {news:?}");
                return;
            }
            assert!(!news.is_empty(), "{name}: {} passed over", read.passed_over);
            for one in news {
                assert_eq!(one.what.kind(), format!("email_{kind}"), "{name}");
                assert_eq!(
                    one.url.as_deref(),
                    expected["click_url"].as_str().or(one.url.as_deref()),
                    "{name}"
                );
                assert_eq!(one.machine, expected["machine"] == true || name.contains("proxy_open"), "{name}");
                assert!(one.at.is_some() || name.contains("proxy_open"), "{name} has a time");
            }
            let named: Vec<&str> = news.iter().map(|one| one.email.as_str()).collect();
            let recipients = expected["recipients"].as_array().unwrap();
            assert!(
                recipients.is_empty() || name.starts_with("duplicate") || *recipients == named,
                "{name}: {named:?}"
            );
        }
    }
}
