//! What Brevo says.

use super::{NOTHING, Table, assert_reads};
use crate::intake::mail::providers::brevo;

const BREVO: Table = &[
    (r#""event": "request""#, NOTHING),
    (r#""event": "sent""#, NOTHING),
    (r#""event": "delivered""#, "delivered"),
    (r#""event": "deferred""#, NOTHING),
    (r#""event": "opened""#, "opened"),
    (r#""event": "unique_opened""#, "opened"),
    (r#""event": "proxy_open""#, "opened by a machine"),
    (r#""event": "unique_proxy_open""#, "opened by a machine"),
    (r#""event": "click""#, "clicked"),
    (r#""event": "hard_bounce""#, "hard bounce"),
    (r#""event": "hardBounce""#, "hard bounce"),
    (r#""event": "invalid_email""#, "hard bounce"),
    (r#""event": "soft_bounce""#, "soft bounce"),
    (r#""event": "softBounce""#, "soft bounce"),
    (r#""event": "blocked""#, NOTHING),
    (r#""event": "error""#, NOTHING),
    (r#""event": "spam""#, "complained"),
    (r#""event": "complaint""#, "complained"),
    (r#""event": "unsubscribe""#, "unsubscribed"),
    (r#""event": "unsubscribed""#, "unsubscribed"),
    (r#""event": "list_addition""#, NOTHING),
    (r#""event": "contact_updated""#, NOTHING),
    (r#""event": "contact_deleted""#, NOTHING),
    (r#""event": "reply""#, NOTHING),
    (r#""event": "inboundEmailProcessed""#, NOTHING),
    (r#""event": "of tomorrow""#, NOTHING),
];

#[test]
fn what_brevo_says_is_read_as_it_is_meant() {
    let frame = r#"{"email": "ann@acme.example", "ts_epoch": 1, "message-id": "<m>", …}"#;
    assert_reads(BREVO, frame, |body| brevo::read(body.as_bytes()));
}
