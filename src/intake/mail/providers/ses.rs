//! Amazon SES reports over SNS. A message is signed by RSA, and contains the event as JSON in a string.
//!
//! A valid signature only proves that *some* topic at Amazon sent the message. So a source names its topics.
//! The certificate is fetched from the URL in the message, if that is a URL of SNS. If the source has
//! certificates, nothing is fetched.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Url;
use ring::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
    pem::PemObject,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use webpki::EndEntityCert;

use crate::intake::mail::news::{News, Read, What, date_time, text};

/// The identifier of `sha1WithRSAEncryption`, in DER.
const SHA1_WITH_RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5, 5, 0];

/// The topics that may send, and the certificates that verify their messages.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::intake::mail) struct Topics {
    /// The ARNs of the topics.
    pub(in crate::intake::mail) arns: Vec<String>,
    /// The certificates in PEM. If empty, they are fetched from Amazon.
    pub(in crate::intake::mail) certificates: Vec<String>,
}

impl Topics {
    /// Whether the message says that it is from one of these topics.
    pub(in crate::intake::mail) fn name(&self, message: &Message) -> bool {
        self.arns.contains(&message.topic_arn)
    }

    /// Parses the given certificates. `None` if one cannot be parsed.
    pub(in crate::intake::mail) fn certificates(&self) -> Option<Vec<CertificateDer<'static>>> {
        self.certificates.iter().map(|pem| certificate(pem.as_bytes())).collect()
    }
}

/// Parses a certificate in PEM.
pub(in crate::intake::mail) fn certificate(pem: &[u8]) -> Option<CertificateDer<'static>> {
    let certificate = CertificateDer::from_pem_slice(pem).ok()?;
    EndEntityCert::try_from(&certificate).ok()?;
    Some(certificate)
}

/// A message of SNS.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::intake::mail) struct Message {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "MessageId")]
    id: String,
    topic_arn: String,
    subject: Option<String>,
    #[serde(rename = "Message")]
    text: String,
    timestamp: String,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    certificate_url: String,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    token: Option<String>,
}

impl Message {
    /// Parses a message. `None` if it is not JSON of this shape.
    pub(in crate::intake::mail) fn parse(body: &[u8]) -> Option<Message> {
        serde_json::from_slice(body).ok()
    }

    /// The URL of the certificate, if it is a URL of SNS.
    pub(in crate::intake::mail) fn certificate_url(&self) -> Option<Url> {
        amazons(&self.certificate_url).filter(|url| {
            url.path().rsplit_once('.').is_some_and(|(_, ending)| ending == "pem") && url.query().is_none()
        })
    }

    /// The URL that confirms a subscription, if the message asks for that and it is a URL of SNS.
    pub(in crate::intake::mail) fn confirmation_url(&self) -> Option<Url> {
        (self.kind == "SubscriptionConfirmation").then_some(())?;
        amazons(self.subscribe_url.as_deref()?)
    }

    /// Whether the message is signed with this certificate's key.
    pub(in crate::intake::mail) fn is_signed_by(&self, certificate: &CertificateDer<'_>) -> bool {
        let checked = || {
            let algorithm: &dyn SignatureVerificationAlgorithm = match self.signature_version.as_str() {
                "1" => &RsaSha1,
                "2" => webpki::ring::RSA_PKCS1_2048_8192_SHA256,
                _ => return None,
            };
            let signature = STANDARD.decode(&self.signature).ok()?;
            let certificate = EndEntityCert::try_from(certificate).ok()?;
            certificate.verify_signature(algorithm, self.signed().as_bytes(), &signature).ok()
        };
        checked().is_some()
    }

    /// The signed text: names and values, each on a line, in the order of the names.
    fn signed(&self) -> String {
        let fields = [
            ("Message", Some(&self.text)),
            ("MessageId", Some(&self.id)),
            ("Subject", self.subject.as_ref().filter(|_| self.token.is_none())),
            ("SubscribeURL", self.subscribe_url.as_ref()),
            ("Timestamp", Some(&self.timestamp)),
            ("Token", self.token.as_ref()),
            ("TopicArn", Some(&self.topic_arn)),
            ("Type", Some(&self.kind)),
        ];
        fields.iter().filter_map(|(name, value)| Some(format!("{name}\n{}\n", (*value)?))).collect()
    }

    /// Parses the event in the message.
    pub(in crate::intake::mail) fn read(&self) -> Read {
        // SNS and SES also send plain sentences, for example to validate a topic.
        let Ok(event) = serde_json::from_str::<Value>(&self.text) else { return Read::of([None]) };
        let news = self.news(&event).unwrap_or_default();
        if news.is_empty() { Read::of([None]) } else { Read::of(news.into_iter().map(Some)) }
    }

    /// Turns an event into news, one for each recipient. `None` if it is of no interest.
    fn news(&self, event: &Value) -> Option<Vec<News>> {
        let kind = text(event, "/eventType").or_else(|| text(event, "/notificationType"))?;
        let (what, part, recipients) = match kind.as_str() {
            "Delivery" => (What::Delivered, "delivery", listed(event, "/delivery/recipients")),
            "Open" => (What::Opened, "open", only_recipient(event)),
            "Click" => (What::Clicked, "click", only_recipient(event)),
            "Bounce" => {
                let what = bounce(event.get("bounce")?, "bounceType", "bounceSubType")?;
                (what, "bounce", listed(event, "/bounce/bouncedRecipients"))
            }
            "Complaint" => {
                let what = complaint(event.get("complaint")?)?;
                (what, "complaint", listed(event, "/complaint/complainedRecipients"))
            }
            "Subscription" => (subscription(event)?, "subscription", only_recipient(event)),
            _ => return None,
        };
        let place = |field: &str| format!("/{part}/{field}");
        let told = |email: String| News {
            at: date_time(event, &place("timestamp")).or_else(|| self.sent_at()),
            message_id: text(event, "/mail/messageId"),
            list: text(event, "/subscription/contactList"),
            url: text(event, &place("link")),
            user_agent: text(event, &place("userAgent")).filter(|_| what != What::Complained),
            ip: text(event, &place("ipAddress")),
            ..News::new(what, &email, &[&self.id, &email])
        };
        Some(recipients.into_iter().map(told).collect())
    }

    /// When SNS sent the message.
    fn sent_at(&self) -> Option<chrono::DateTime<chrono::Utc>> {
        date_time(&Value::String(self.timestamp.clone()), "")
    }
}

/// Returns the addresses of a list. They are texts, or objects with `emailAddress`.
fn listed(event: &Value, pointer: &str) -> Vec<String> {
    let list = event.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|one| text(one, "").or_else(|| text(one, "/emailAddress"))).collect()
}

/// Returns the recipient of a mail with only one. If a mail has several, the event does not say which one it
/// is about.
fn only_recipient(event: &Value) -> Vec<String> {
    let all = listed(event, "/mail/destination");
    if all.len() == 1 { all } else { Vec::new() }
}

/// Returns what a bounce means. `kind` and `subtype` are the names of the fields with its type and subtype.
/// `None` if it is no news.
pub(super) fn bounce(bounce: &Value, kind: &str, subtype: &str) -> Option<What> {
    let told = |field: &str| bounce.get(field).and_then(Value::as_str).unwrap_or_default();
    match (told(kind), told(subtype)) {
        ("Permanent", "" | "General" | "NoEmail" | "Suppressed") => Some(What::BouncedHard),
        // Notices of absence are `Transient` too.
        ("Transient" | "Undetermined" | "", _) => Some(What::BouncedSoft),
        // Amazon sent nothing, because of something it has reported before: `OnAccountSuppressionList`,
        // `UnsubscribedRecipient`.
        _ => None,
    }
}

/// Returns what a complaint means. Only abuse, fraud or a complaint without a type mean that a person called
/// the mail spam. `None` if it is no news.
fn complaint(complaint: &Value) -> Option<What> {
    if text(complaint, "/complaintSubType").is_some() {
        // `OnAccountSuppressionList`: Amazon sent nothing, because of a complaint that it has reported
        // before.
        return None;
    }
    match text(complaint, "/complaintFeedbackType").as_deref() {
        None | Some("abuse" | "fraud") => Some(What::Complained),
        // `not-spam` withdraws a complaint. Programs find `auth-failure` and `virus`. `other` says nothing.
        Some(_) => None,
    }
}

/// Returns what a change of preferences means. Setting `unsubscribeAll` unsubscribes from the list, and
/// clearing it subscribes again. `None` for other changes.
fn subscription(event: &Value) -> Option<What> {
    let none = |which: &str| event.pointer(&format!("/subscription/{which}TopicPreferences/unsubscribeAll"));
    match (none("old").and_then(Value::as_bool), none("new").and_then(Value::as_bool)) {
        (_, Some(true)) => Some(What::Unsubscribed),
        (Some(true), Some(false)) => Some(What::Subscribed),
        _ => None,
    }
}

/// Parses a URL of SNS: `https://sns.<region>.amazonaws.com` or `.com.cn`. `None` for any other URL.
fn amazons(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str()?;
    let region = host.strip_prefix("sns.")?;
    let region =
        region.strip_suffix(".amazonaws.com").or_else(|| region.strip_suffix(".amazonaws.com.cn"))?;
    let is_region =
        region.len() >= 3 && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let plain = url.scheme() == "https"
        && url.port().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    (is_region && plain).then_some(url)
}

/// RSA with SHA-1. SNS signs in this way unless the topic is set to signature version 2.
#[derive(Debug)]
struct RsaSha1;

impl SignatureVerificationAlgorithm for RsaSha1 {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, key);
        key.verify(message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        AlgorithmIdentifier::from_slice(SHA1_WITH_RSA)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::mail::providers::fixtures::Fixture;

    #[test]
    fn what_is_recorded_verifies_in_both_versions_and_reads_as_it_was_meant() {
        let fixture = Fixture::of("amazon_ses_sns");
        let certificate = certificate(fixture.text("cert_pem").as_bytes()).unwrap();
        for case in fixture.cases() {
            let message = Message::parse(case.body()).unwrap();
            let right = message.certificate_url().is_some() && message.is_signed_by(&certificate);
            assert_eq!(right, !case.is_bad(), "{}", case.name());
            let other = Message {
                timestamp: "2026-01-02T03:04:06.000Z".to_owned(),
                ..Message::parse(case.body()).unwrap()
            };
            assert!(!other.is_signed_by(&certificate), "{}", case.name());
            let other = Message { topic_arn: "arn:aws:sns:us-east-1:1:x".to_owned(), ..message };
            assert!(!other.is_signed_by(&certificate), "{}", case.name());
            if !case.is_bad() {
                case.assert_reads(&other.read());
            }
        }
    }

    #[test]
    fn only_addresses_of_sns_at_amazon_are_asked() {
        for right in
            ["https://sns.us-east-1.amazonaws.com/x.pem", "https://sns.cn-north-1.amazonaws.com.cn/x.pem"]
        {
            assert!(amazons(right).is_some(), "{right}");
        }
        for wrong in [
            "http://sns.us-east-1.amazonaws.com/x.pem",
            "https://sns.us-east-1.amazonaws.com.evil.example/x.pem",
            "https://evil.example/sns.us-east-1.amazonaws.com/x.pem",
            "https://sns.us-east-1.amazonaws.com@evil.example/x.pem",
            "https://user@sns.us-east-1.amazonaws.com/x.pem",
            "https://sns.us-east-1.amazonaws.com:8443/x.pem",
            "https://sns.a.b.amazonaws.com/x.pem",
            "https://s3.us-east-1.amazonaws.com/x.pem",
            "https://sns..amazonaws.com/x.pem",
            "x.pem",
        ] {
            assert!(amazons(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_certificate_is_one_in_pem() {
        assert!(
            certificate(b"").is_none()
                && certificate(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").is_none()
        );
    }

    #[test]
    fn who_of_several_recipients_opened_a_mail_is_not_guessed() {
        let event =
            serde_json::json!({"eventType": "Open", "mail": {"destination": ["a@b.example", "c@d.example"]}});

        assert_eq!(only_recipient(&event), Vec::<String>::new());
    }
}
