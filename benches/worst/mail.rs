//! What providers of e-mail tell of what became of mails.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use leadscore::http::body::LARGEST_BODY;
use serde_json::json;
use sha2::Sha256;

use super::{
    Ground, HOOK, SIGNING, TOPIC, Worst,
    filling::{array, filled},
};

impl Ground {
    pub(super) fn mail(&self, now: DateTime<Utc>) -> Vec<Worst> {
        let click =
            r#"{"event":"click","email":"a@b.example","timestamp":1767225600,"url":"https://acme.example/"}"#;
        let sendgrid = filled("[", |_| click.to_owned(), "]", LARGEST_BODY);
        let brevo = array(9_000, |n| {
            let agent = format!("Mozilla/5.0 {}", "a".repeat(1_000));
            format!(
                r#"{{"event":"opened","email":"a{n}@b.example","ts_epoch":1767225600000,"user_agent":"{agent}"}}"#
            )
        });
        let other = filled("", |n| format!(r#""k{n}":0"#), "", HOOK - 512);
        let postmark = format!(
            r#"{{"RecordType":"Open","Recipient":"a@b.example","ReceivedAt":"2026-01-01T00:00:00Z",{other}}}"#
        );
        let mailgun = format!(
            r#"{{"signature":{{"timestamp":"1","token":"2","signature":"{}"}},"event-data":{{"event":"opened",
            "recipient":"a@b.example","timestamp":1767225600,{other}}}}}"#,
            hex::encode(signed(b"12"))
        );
        let fields = filled("", |n| format!("k{n}="), "", HOOK).replace(',', "&");
        let resend = format!(r#"{{"type":"email.opened","data":{{"to":["a@b.example"],{other}}}}}"#);
        let at = now.timestamp();
        let by = STANDARD.encode(signed(format!("m.{at}.{resend}").as_bytes()));
        let message = json!({"Type": "Notification", "MessageId": "1", "TopicArn": TOPIC, "Message": "a\"".repeat(HOOK / 4),
            "Timestamp": "2026-01-01T00:00:00Z", "SignatureVersion": "2", "Signature": "AAAA",
            "SigningCertURL": "https://sns.us-east-1.amazonaws.com/a.pem"});
        vec![
            Worst::post("SendGrid: not signed by it", self.hook("sendgrid"), sendgrid)
                .with("x-twilio-email-event-webhook-timestamp", "1767225600")
                .with("x-twilio-email-event-webhook-signature", STANDARD.encode([7; 70])),
            Worst::post("Brevo: 9 000 opens with user agents", self.hook("brevo"), brevo),
            Worst::post("Postmark: many fields", self.hook("postmark"), postmark),
            Worst::post("Mailgun: many fields", self.hook("mailgun"), mailgun),
            Worst::post("Mailgun: many fields of a form", self.hook("mailgun"), fields),
            Worst::post("Resend: many fields", self.hook("resend"), resend)
                .with("svix-id", "m")
                .with("svix-timestamp", at.to_string())
                .with("svix-signature", format!("v1,{by}")),
            Worst::post("Amazon SES: not signed by it", self.hook("ses"), message.to_string()),
        ]
    }
}

fn signed(message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING).expect("a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}
