//! What Resend says.

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::{NOTHING, Table, assert_reads, meaning};
use crate::intake::mail::{news::Read, providers::resend};

const RESEND: Table = &[
    (r#""type": "email.sent""#, NOTHING),
    (r#""type": "email.scheduled""#, NOTHING),
    (r#""type": "email.delivered""#, "delivered"),
    (r#""type": "email.delivery_delayed""#, NOTHING),
    (r#""type": "email.failed""#, NOTHING),
    (r#""type": "email.suppressed""#, NOTHING),
    (r#""type": "email.received""#, NOTHING),
    (r#""type": "email.opened""#, "opened"),
    (r#""type": "email.clicked""#, "clicked"),
    (r#""type": "email.complained""#, "complained"),
    (r#""type": "domain.created""#, NOTHING),
    (r#""type": "domain.updated""#, NOTHING),
    (r#""type": "domain.deleted""#, NOTHING),
    (r#""type": "of tomorrow""#, NOTHING),
];

/// Resend's events about contacts. Each line has type, `unsubscribed` and meaning.
const RESEND_CONTACTS: &[(&str, bool, &str)] = &[
    ("contact.updated", true, "unsubscribed"),
    ("contact.updated", false, NOTHING),
    ("contact.created", true, NOTHING),
    ("contact.created", false, NOTHING),
    ("contact.deleted", true, NOTHING),
];

pub(super) fn resend_reads(event: &Value) -> Option<Read> {
    resend::read(event.to_string().as_bytes(), &HeaderMap::new())
}

#[test]
fn what_resend_says_is_read_as_it_is_meant() {
    let frame = r#"{"data": {"to": ["ann@acme.example"]}, …}"#;
    assert_reads(RESEND, frame, |body| resend::read(body.as_bytes(), &HeaderMap::new()));
    for (kind, unsubscribed, expected) in RESEND_CONTACTS {
        let data = json!({"email": "ann@acme.example", "unsubscribed": unsubscribed});
        assert_eq!(meaning(resend_reads(&json!({"type": kind, "data": data}))), *expected, "{kind}");
    }
}
