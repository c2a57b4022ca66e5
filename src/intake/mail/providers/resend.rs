//! Resend sends one event, signed by the scheme of Standard Webhooks. The headers have Svix's names or those
//! of the standard.

use axum::http::HeaderMap;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use super::{header, ses};
use crate::intake::mail::news::{News, Read, What, date_time, own, text};

/// How far the time of a signature may differ from now.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// The webhook's *signing secret*: `whsec_…`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::intake::mail) struct Secret(String);

impl Secret {
    /// Parses a secret. `None` if it does not have this shape.
    pub(in crate::intake::mail) fn parse(given: &str) -> Option<Secret> {
        let secret = Secret(given.trim().to_owned());
        secret.bytes().is_some_and(|bytes| !bytes.is_empty()).then_some(secret)
    }

    /// The bytes of the secret.
    fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.0.strip_prefix("whsec_")?).ok()
    }

    pub(in crate::intake::mail) fn verifies(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> bool {
        let signed = || {
            let (id, timestamp, signatures) =
                (told(headers, "id")?, told(headers, "timestamp")?, told(headers, "signature")?);
            let at = DateTime::from_timestamp(timestamp.parse().ok()?, 0)?;
            if (now - at).abs() > TOLERANCE {
                return None;
            }
            let mut mac = Hmac::<Sha256>::new_from_slice(&self.bytes()?).ok()?;
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(body);
            let right = |signature: &str| {
                let signature = signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
                signature.is_some_and(|signature| mac.clone().verify_slice(&signature).is_ok())
            };
            signatures.split(' ').any(right).then_some(())
        };
        signed().is_some()
    }
}

/// The value of a webhook header, under either name.
fn told<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    header(headers, &format!("svix-{name}")).or_else(|| header(headers, &format!("webhook-{name}")))
}

/// Parses a report. `None` if it does not have the shape of Resend's.
pub(in crate::intake::mail) fn read(body: &[u8], headers: &HeaderMap) -> Option<Read> {
    let event: Value = serde_json::from_slice(body).ok()?;
    text(&event, "/type")?;
    Some(Read::of([news(&event, told(headers, "id").unwrap_or_default())]))
}

/// Turns an event into news. `id` is the id of the webhook message. `None` if the event is of no interest.
fn news(event: &Value, id: &str) -> Option<News> {
    let what = match text(event, "/type")?.as_str() {
        "email.delivered" => What::Delivered,
        "email.opened" => What::Opened,
        "email.clicked" => What::Clicked,
        // Resend sends through Amazon and forwards Amazon's types of bounces.
        "email.bounced" => ses::bounce(event.pointer("/data/bounce")?, "type", "subType")?,
        "email.complained" => What::Complained,
        // Every change of a contact says whether it is subscribed, so only `true` is news.
        "contact.updated" if event.pointer("/data/unsubscribed") == Some(&Value::Bool(true)) => {
            What::Unsubscribed
        }
        _ => return None,
    };
    // If a mail has several recipients, the event does not say which one it is about.
    let email = match event.pointer("/data/to").and_then(Value::as_array).map(Vec::as_slice) {
        Some([one]) => one.as_str()?.to_owned(),
        Some(_) => return None,
        None => text(event, "/data/email")?,
    };
    Some(News {
        id: own(id),
        at: date_time(event, "/data/click/timestamp").or_else(|| date_time(event, "/created_at")),
        message_id: text(event, "/data/email_id"),
        url: text(event, "/data/click/link"),
        user_agent: text(event, "/data/click/userAgent"),
        ip: text(event, "/data/click/ipAddress"),
        ..News::new(what, &email, &[])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::mail::providers::fixtures::Fixture;

    fn signed_at(headers: &HeaderMap) -> DateTime<Utc> {
        DateTime::from_timestamp(headers["svix-timestamp"].to_str().unwrap().parse().unwrap(), 0).unwrap()
    }

    #[test]
    fn what_is_recorded_verifies_in_its_time_and_reads_as_it_was_meant() {
        let fixture = Fixture::of("resend_svix");
        let secret = Secret::parse(fixture.text("secret")).unwrap();
        for case in fixture.cases() {
            let (headers, body) = (case.headers(), case.body());
            let at = signed_at(&headers);
            assert_eq!(secret.verifies(&headers, body, at), !case.is_bad(), "{}", case.name());
            assert!(!secret.verifies(&headers, body, at + TimeDelta::seconds(301)), "{}", case.name());
            assert!(!secret.verifies(&headers, body, at - TimeDelta::seconds(301)), "{}", case.name());
            assert!(!secret.verifies(&headers, &body[1..], at), "{}", case.name());
            if case.name() != "sent_event" {
                case.assert_reads(&read(body, &headers).unwrap());
            }
        }
    }

    #[test]
    fn the_headers_may_have_the_names_of_the_standard_and_hold_several_signatures() {
        let fixture = Fixture::of("resend_svix");
        let secret = Secret::parse(fixture.text("secret")).unwrap();
        let case = &fixture.cases()[0];
        let old = case.headers();
        let mut headers = HeaderMap::new();
        for name in ["id", "timestamp"] {
            headers.insert(
                format!("webhook-{name}").parse::<axum::http::HeaderName>().unwrap(),
                old[format!("svix-{name}").as_str()].clone(),
            );
        }
        let signatures = format!("v1,AAAA v1a,x {}", old["svix-signature"].to_str().unwrap());
        headers.insert("webhook-signature", signatures.parse().unwrap());

        assert!(secret.verifies(&headers, case.body(), signed_at(&old)));
        assert!(!Secret::parse("whsec_AAAA").unwrap().verifies(&headers, case.body(), signed_at(&old)));
        assert!(Secret::parse("whsec_").is_none() && Secret::parse("abc").is_none());
    }

    #[test]
    fn who_of_several_recipients_it_was_is_not_guessed() {
        let body = br#"{"type": "email.opened", "data": {"to": ["a@b.example", "c@d.example"]}}"#;

        assert_eq!(read(body, &HeaderMap::new()), Some(Read { news: Vec::new(), passed_over: 1 }));
    }
}
