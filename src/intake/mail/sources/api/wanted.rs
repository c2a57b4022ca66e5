//! A source as it is asked for, and what is wrong with it.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    http::{
        problem::Problem,
        said::{LONGEST_NAME, Mistakes, Texts},
    },
    intake::mail::providers::{Provider, Shared, Verification, mailgun, resend, sendgrid, ses},
};

/// How many topics, or certificates, a source may name.
const MOST: usize = 20;

/// An account at a provider; of the other fields, those that this provider takes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateMailSource {
    provider: Provider,
    /// What you call it.
    name: String,
    /// `sendgrid`: the *verification key*.
    public_key: Option<String>,
    /// `mailgun`: the *HTTP webhook signing key*.
    signing_key: Option<String>,
    /// `resend`: the *signing secret*, `whsec_…`.
    secret: Option<String>,
    /// `ses`: the ARNs of the SNS topics that may send.
    topic_arns: Option<Vec<String>>,
    /// `ses`: certificates in PEM by which messages are checked. Absent: they are fetched from Amazon.
    certificates: Option<Vec<String>>,
    /// `postmark`, `brevo`: what the webhook sends as user name and password.
    basic: Option<Basic>,
    /// `postmark`, `brevo`: a header that the webhook sends, in place of `basic`.
    header: Option<SharedHeader>,
}

/// User name and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Basic {
    username: String,
    password: String,
}

/// A header; `{"name": "Authorization", "value": "Bearer …"}` for a bearer token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SharedHeader {
    name: String,
    value: String,
}

impl CreateMailSource {
    /// The name and the way of verifying, if nothing is wrong.
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
        let verification =
            verification.ok_or_else(|| Problem::invalid("The source cannot be verified.", Vec::new()))?;
        Ok((name, verification))
    }

    /// A secret that is given where it means nothing was meant for something else.
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
                    format!("leave it out: {} has none", self.provider.as_str()),
                );
            }
        }
    }

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

fn needed<T>(given: Option<T>, pointer: &str, wrong: &str, mistakes: &mut Mistakes) -> Option<T> {
    if given.is_none() {
        mistakes.add(pointer, "invalid", wrong);
    }
    given
}
