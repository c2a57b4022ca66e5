//! The body that makes a mail source, and its checks.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    http::{
        problem::Problem,
        said::{LONGEST_NAME, Mistakes, Texts},
    },
    intake::mail::providers::{Provider, Shared, Verification, mailgun, resend, sendgrid, ses},
};

/// How many topics a source may name, and how many certificates.
const MOST: usize = 20;

/// A new mail source. Besides `provider` and `name`, give the fields that this provider takes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateMailSource {
    /// The e-mail provider.
    provider: Provider,
    /// Your name for the source, 1 to 200 characters.
    name: String,
    /// For `sendgrid`: the *verification key*.
    public_key: Option<String>,
    /// For `mailgun`: the *HTTP webhook signing key*.
    signing_key: Option<String>,
    /// For `resend`: the *signing secret*, `whsec_…`.
    secret: Option<String>,
    /// For `ses`: the ARNs of the SNS topics that may send, 1 to 20.
    topic_arns: Option<Vec<String>>,
    /// For `ses`: certificates in PEM that verify messages, at most 20. If absent, they are fetched from
    /// Amazon.
    certificates: Option<Vec<String>>,
    /// For `postmark` and `brevo`: the user name and password that the webhook sends.
    basic: Option<Basic>,
    /// For `postmark` and `brevo`: a header that the webhook sends, instead of `basic`.
    header: Option<SharedHeader>,
}

/// A user name and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Basic {
    /// The user name, without a colon.
    username: String,
    /// The password.
    password: String,
}

/// A header with a secret value. For a bearer token: `{"name": "Authorization", "value": "Bearer …"}`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SharedHeader {
    /// The name of the header.
    name: String,
    /// The value of the header, in printable ASCII.
    value: String,
}

impl CreateMailSource {
    /// Checks the body. Returns the name of the source, and how to verify its reports.
    pub(super) fn checked(self) -> Result<(String, Verification), Problem> {
        let mut mistakes = Mistakes::default();
        let name = mistakes.text("/name", &self.name, LONGEST_NAME);
        self.refuse_strangers(&mut mistakes);
        let verification = match self.provider {
            Provider::Sendgrid => {
                let key = self.public_key.as_deref().and_then(sendgrid::PublicKey::parse);
                let wrong = "write the verification key that SendGrid shows: base64, beginning with MFkwEwYH";
                needed(key, "/public_key", wrong, &mut mistakes).map(Verification::Sendgrid)
            }
            Provider::Mailgun => {
                let key = self.signing_key.as_deref().and_then(mailgun::SigningKey::new);
                needed(key, "/signing_key", "write Mailgun's HTTP webhook signing key", &mut mistakes)
                    .map(Verification::Mailgun)
            }
            Provider::Resend => {
                let secret = self.secret.as_deref().and_then(resend::Secret::parse);
                needed(
                    secret,
                    "/secret",
                    "write the signing secret that Resend shows: whsec_…",
                    &mut mistakes,
                )
                .map(Verification::Resend)
            }
            Provider::Ses => Some(Verification::Ses(self.topics(&mut mistakes))),
            Provider::Postmark => Some(Verification::Postmark(self.shared(&mut mistakes))),
            Provider::Brevo => Some(Verification::Brevo(self.shared(&mut mistakes))),
        };
        mistakes.refuse()?;
        let verification = verification
            .ok_or_else(|| Problem::invalid("The fields for verifying reports are missing.", Vec::new()))?;
        Ok((name, verification))
    }

    /// Notes a mistake for each field that the provider does not take. Such a field was probably meant for
    /// another provider.
    fn refuse_strangers(&self, mistakes: &mut Mistakes) {
        use Provider::{Brevo, Mailgun, Postmark, Resend, Sendgrid, Ses};
        let fields: [(&str, bool, &[Provider]); 7] = [
            ("/public_key", self.public_key.is_some(), &[Sendgrid]),
            ("/signing_key", self.signing_key.is_some(), &[Mailgun]),
            ("/secret", self.secret.is_some(), &[Resend]),
            ("/topic_arns", self.topic_arns.is_some(), &[Ses]),
            ("/certificates", self.certificates.is_some(), &[Ses]),
            ("/basic", self.basic.is_some(), &[Postmark, Brevo]),
            ("/header", self.header.is_some(), &[Postmark, Brevo]),
        ];
        for (pointer, given, takes) in fields {
            if given && !takes.contains(&self.provider) {
                mistakes.add(
                    pointer,
                    "not_taken",
                    format!("leave this field out; {} does not use it", self.provider.as_str()),
                );
            }
        }
    }

    /// Checks the shared secret of a provider that does not sign.
    fn shared(self, mistakes: &mut Mistakes) -> Shared {
        match (self.basic, self.header) {
            (None, None) => Shared::Address,
            (Some(Basic { username, password }), None) => {
                if username.contains(':') || username.is_empty() || password.is_empty() {
                    mistakes.add("/basic", "invalid", "write a user name without a colon, and a password");
                }
                Shared::Basic { username, password }
            }
            (None, Some(SharedHeader { name, value })) => {
                let printable = value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
                if name.parse::<axum::http::HeaderName>().is_err()
                    || value.trim() != value
                    || value.is_empty()
                    || !printable
                {
                    mistakes.add("/header", "invalid", "write a header's name and value in ASCII");
                }
                Shared::Header { name, value }
            }
            (Some(_), Some(_)) => {
                mistakes.add("/header", "invalid", "give `basic` or `header`, not both");
                Shared::Address
            }
        }
    }

    /// Checks the topics and certificates of Amazon SES.
    fn topics(self, mistakes: &mut Mistakes) -> ses::Topics {
        let topics = ses::Topics {
            arns: self.topic_arns.unwrap_or_default(),
            certificates: self.certificates.unwrap_or_default(),
        };
        let is_topic = |arn: &String| arn.starts_with("arn:aws") && arn.contains(":sns:");
        if !(1..=MOST).contains(&topics.arns.len()) || !topics.arns.iter().all(is_topic) {
            let wrong =
                format!("name 1 to {MOST} topics, such as arn:aws:sns:eu-west-1:123456789012:ses-events");
            mistakes.add("/topic_arns", "invalid", wrong);
        }
        if topics.certificates.len() > MOST || topics.certificates().is_none() {
            mistakes.add("/certificates", "invalid", format!("give at most {MOST} certificates in PEM"));
        }
        topics
    }
}

/// Notes a mistake if a value is missing or cannot be parsed.
fn needed<T>(given: Option<T>, pointer: &str, wrong: &str, mistakes: &mut Mistakes) -> Option<T> {
    if given.is_none() {
        mistakes.add(pointer, "invalid", wrong);
    }
    given
}
