//! Twilio SendGrid sends an array of events, signed by ECDSA over the timestamp and the raw body.

use axum::http::HeaderMap;
use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use webpki::{Error, RawPublicKeyEntity, ring::ECDSA_P256_SHA256};

use super::header;
use crate::intake::mail::news::{News, Read, What, epoch, own, text};

/// The *verification key* that SendGrid shows: DER in base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::intake::mail) struct PublicKey(String);

impl PublicKey {
    /// Parses a key, with or without the lines of PEM around it. `None` if it is not a key of ECDSA on P-256.
    pub(in crate::intake::mail) fn parse(given: &str) -> Option<PublicKey> {
        let body: String = given.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
        let key = PublicKey(body);
        // Verifying a wrong signature shows whether this is a key: other texts and algorithms fail with
        // another error.
        let signed_nothing = key.verify(&[], &[]);
        (signed_nothing == Err(Error::InvalidSignatureForPublicKey)).then_some(key)
    }

    /// Verifies this key's signature of a message: ECDSA on P-256 with SHA-256.
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let der: SubjectPublicKeyInfoDer<'_> = STANDARD.decode(&self.0).map_err(|_| Error::BadDer)?.into();
        RawPublicKeyEntity::try_from(&der)?.verify_signature(ECDSA_P256_SHA256, message, signature)
    }

    /// Whether the signature in the headers is right.
    pub(in crate::intake::mail) fn verifies(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let signed = || {
            let timestamp = header(headers, "x-twilio-email-event-webhook-timestamp")?;
            let signature = header(headers, "x-twilio-email-event-webhook-signature")?;
            let signature = STANDARD.decode(signature).ok()?;
            let message = [timestamp.as_bytes(), body].concat();
            self.verify(&message, &signature).ok()
        };
        signed().is_some()
    }
}

/// Parses a report. `None` if it is not an array of JSON.
pub(in crate::intake::mail) fn read(body: &[u8]) -> Option<Read> {
    let events: Vec<Value> = serde_json::from_slice(body).ok()?;
    Some(Read::of(events.iter().map(news)))
}

/// Turns an event into news. `None` if it is of no interest.
fn news(event: &Value) -> Option<News> {
    let kind = text(event, "/event")?;
    let group = text(event, "/asm_group_id").filter(|_| kind.starts_with("group_"));
    let what = match kind.as_str() {
        "delivered" => What::Delivered,
        "open" => What::Opened,
        "click" => What::Clicked,
        "bounce" => bounce(event),
        "spamreport" => What::Complained,
        "unsubscribe" | "group_unsubscribe" => What::Unsubscribed,
        // A new subscription counts only if it names its group.
        "group_resubscribe" if group.is_some() => What::Subscribed,
        // `dropped` is no news: SendGrid did not try to send, because of something it has reported before or
        // because of the mail itself.
        _ => return None,
    };
    let (email, message_id, url) =
        (text(event, "/email")?, text(event, "/sg_message_id"), text(event, "/url"));
    let told = [message_id.clone(), text(event, "/timestamp"), url.clone()].map(Option::unwrap_or_default);
    let mut news = News::new(what, &email, &[&kind, &email, &told[0], &told[1], &told[2]]);
    if let Some(id) = text(event, "/sg_event_id") {
        news.id = own(&id);
    }
    Some(News {
        at: epoch(event, "/timestamp"),
        message_id,
        list: group,
        url: url.filter(|_| matches!(what, What::Clicked | What::Unsubscribed)),
        user_agent: text(event, "/useragent"),
        // For a delivery, the IP address is that of SendGrid's server.
        ip: text(event, "/ip").filter(|_| matches!(what, What::Opened | What::Clicked)),
        machine: event.get("sg_machine_open") == Some(&Value::Bool(true)),
        ..news
    })
}

/// Returns what a bounce means. It is hard if SendGrid gives up because of the address, and not because of
/// the mail or the way it was sent.
fn bounce(event: &Value) -> What {
    let class = text(event, "/bounce_classification").unwrap_or_else(|| "Unclassified".to_owned());
    match (text(event, "/type").as_deref(), class.as_str()) {
        (Some("bounce"), "Invalid Address" | "Unclassified") => What::BouncedHard,
        // `blocked`: the receiving server refused this mail.
        _ => What::BouncedSoft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::mail::providers::fixtures::Fixture;

    #[test]
    fn what_is_recorded_verifies_to_the_last_byte_and_reads_as_it_was_meant() {
        let fixture = Fixture::of("sendgrid");
        let key = PublicKey::parse(fixture.text("verification_key_base64_der")).unwrap();
        for case in fixture.cases() {
            let (headers, body) = (case.headers(), case.body());
            assert_eq!(key.verifies(&headers, body), !case.is_bad(), "{}", case.name());
            assert!(!key.verifies(&headers, &body[..body.len() - 1]), "{}", case.name());
            assert!(!key.verifies(&HeaderMap::new(), body), "{}", case.name());
            case.assert_reads(&read(body).unwrap());
        }
    }

    #[test]
    fn a_key_may_be_given_as_pem_and_must_be_of_its_curve() {
        let fixture = Fixture::of("sendgrid");
        let key = fixture.text("verification_key_base64_der");
        let pem =
            format!("-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n", &key[..64], &key[64..]);

        assert!(PublicKey::parse(&pem) == PublicKey::parse(key));
        // That of RFC 8410, for Ed25519.
        let of_another = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        for wrong in ["", "abc", &key[4..], &STANDARD.encode([0; 91]), of_another] {
            assert!(PublicKey::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_link_by_which_somebody_unsubscribed_is_known() {
        let body =
            br#"[{"event": "group_unsubscribe", "email": "a@b.example", "url": "https://b.example/out"},
            {"event": "open", "email": "a@b.example", "url": "https://b.example/out"}]"#;

        let news = read(body).unwrap().news;

        assert_eq!((news[0].url.as_deref(), news[1].url.as_deref()), (Some("https://b.example/out"), None));
    }
}
