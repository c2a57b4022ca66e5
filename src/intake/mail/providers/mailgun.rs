//! Mailgun sends one event. The body contains a signature over a timestamp and a token.
//!
//! The signature proves that Mailgun made the request, but does not cover the event. So the secret URL is the
//! other half of the proof.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::intake::mail::news::{News, Read, What, epoch, text};

/// The account's *HTTP webhook signing key*.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::intake::mail) struct SigningKey(String);

impl SigningKey {
    /// Makes a key. `None` if the text is blank.
    pub(in crate::intake::mail) fn new(given: &str) -> Option<SigningKey> {
        let given = given.trim();
        (!given.is_empty()).then(|| SigningKey(given.to_owned()))
    }

    /// Whether the signature in the body is right.
    pub(in crate::intake::mail) fn verifies(&self, body: &[u8]) -> bool {
        let signed = || {
            let body = parse(body)?;
            let told = |name: &str| text(&body, &format!("/signature/{name}"));
            let signature = hex::decode(told("signature")?).ok()?;
            let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).ok()?;
            mac.update(told("timestamp")?.as_bytes());
            mac.update(told("token")?.as_bytes());
            mac.verify_slice(&signature).ok()
        };
        signed().is_some()
    }
}

/// Parses a report. `None` if it does not have the shape of Mailgun's.
pub(in crate::intake::mail) fn read(body: &[u8]) -> Option<Read> {
    let body = parse(body)?;
    Some(Read::of([news(body.get("event-data")?)]))
}

/// Parses the body as JSON. A body in the older form encoding is turned into the newer JSON shape. Of fields
/// with the same name, the last counts.
fn parse(body: &[u8]) -> Option<Value> {
    if let Ok(body) = serde_json::from_slice(body) {
        return Some(body);
    }
    let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(body).ok()?;
    let fields: Map<String, Value> = fields.into_iter().map(|(name, said)| (name, json!(said))).collect();
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let event = match field("event").as_str() {
        Some("bounced") => json!("failed"),
        _ => field("event"),
    };
    let id = if field("Message-Id").is_null() { field("message-id") } else { field("Message-Id") };
    Some(json!({
        "signature": {"timestamp": field("timestamp"), "token": field("token"), "signature": field("signature")},
        "event-data": {
            "event": event,
            "severity": "permanent",
            "reason": "bounce",
            "delivery-status": {"code": field("code")},
            "recipient": field("recipient"),
            "timestamp": field("timestamp"),
            "url": field("url"),
            "ip": field("ip"),
            "client-info": {"user-agent": field("user-agent")},
            "message": {"headers": {"message-id": id.as_str().map(|id| id.trim_matches(['<', '>']))}},
        },
    }))
}

/// Turns an event into news. `None` if it is of no interest.
fn news(event: &Value) -> Option<News> {
    let kind = text(event, "/event")?;
    let what = match kind.as_str() {
        "delivered" => What::Delivered,
        "opened" => What::Opened,
        "clicked" => What::Clicked,
        // Mailgun tries a temporary failure again, so it is no news.
        "failed" if text(event, "/severity").as_deref() == Some("permanent") => failure(event)?,
        "complained" => What::Complained,
        "unsubscribed" => What::Unsubscribed,
        _ => return None,
    };
    let (email, url) = (text(event, "/recipient")?, text(event, "/url"));
    let message_id = text(event, "/message/headers/message-id");
    // Mailgun's id is unique only within a day, so more fields are needed.
    let told = [text(event, "/id"), text(event, "/timestamp"), message_id.clone(), url.clone()]
        .map(Option::unwrap_or_default);
    Some(News {
        at: epoch(event, "/timestamp"),
        message_id,
        url,
        user_agent: text(event, "/client-info/user-agent"),
        ip: text(event, "/ip"),
        machine: text(event, "/client-info/bot").is_some(),
        ..News::new(what, &email, &[&kind, &email, &told[0], &told[1], &told[2], &told[3]])
    })
}

/// Returns what a permanent failure means. `None` if it is no news.
fn failure(event: &Value) -> Option<What> {
    let status = |field: &str| text(event, &format!("/delivery-status/{field}"));
    let code = status("code").unwrap_or_default();
    // The address is on the account's suppression list (`suppress-…`). Mailgun has reported the reason
    // before.
    if ["605", "606", "607"].contains(&code.as_str()) {
        return None;
    }
    match (text(event, "/reason")?.as_str(), code.as_str()) {
        // The receiving server has refused the address: an SMTP or an enhanced status code of class 5.
        ("bounce", code) if code.is_empty() || code.starts_with('5') => {
            let soft = status("bounce-type").as_deref() == Some("soft");
            Some(if soft { What::BouncedSoft } else { What::BouncedHard })
        }
        // No server took the mail in time (`old`, 602), the mail was refused for its sender or content
        // (`espblock`), or the address has no server.
        ("bounce" | "old" | "espblock" | "generic" | "greylisted", _) => Some(What::BouncedSoft),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::mail::providers::fixtures::Fixture;

    #[test]
    fn what_is_recorded_verifies_and_reads_as_it_was_meant_in_both_forms() {
        let fixture = Fixture::of("mailgun");
        let key = SigningKey::new(fixture.text("webhook_signing_key")).unwrap();
        for case in fixture.cases() {
            assert_eq!(key.verifies(case.body()), !case.is_bad(), "{}", case.name());
            assert!(!SigningKey("key-other".to_owned()).verifies(case.body()), "{}", case.name());
            case.assert_reads(&read(case.body()).unwrap());
        }
    }

    #[test]
    fn a_token_or_timestamp_of_another_request_does_not_verify() {
        let fixture = Fixture::of("mailgun");
        let key = SigningKey::new(fixture.text("webhook_signing_key")).unwrap();
        let body = String::from_utf8(fixture.cases()[0].body().to_vec()).unwrap();

        assert!(key.verifies(body.as_bytes()));
        for (from, to) in [
            ("775bad80", "775bad81"),
            ("1461261330", "1461261331"),
            ("aae54e5f", "aae54e5e"),
            ("aae54e5f", "zae54e5f"),
        ] {
            assert!(body.contains(from) && !key.verifies(body.replacen(from, to, 1).as_bytes()), "{from}");
        }
        assert!(!key.verifies(b"{}") && !key.verifies(b"") && !key.verifies(&[0xff, 0xfe]));
    }
}
