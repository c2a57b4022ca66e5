//! What Mailgun says.

use super::{NOTHING, Table, assert_reads};
use crate::intake::mail::providers::mailgun;

const MAILGUN: Table = &[
    (r#""event": "accepted""#, NOTHING),
    (
        r#""event": "rejected", "reject": {"reason": "Sandbox subdomains are for test purposes only."}"#,
        NOTHING,
    ),
    (r#""event": "stored""#, NOTHING),
    (r#""event": "list_member_uploaded""#, NOTHING),
    (r#""event": "list_member_upload_error""#, NOTHING),
    (r#""event": "list_uploaded""#, NOTHING),
    (r#""event": "delivered""#, "delivered"),
    (r#""event": "opened""#, "opened"),
    (r#""event": "opened", "client-info": {"bot": "apple"}"#, "opened by a machine"),
    (r#""event": "opened", "client-info": {"bot": "gmail"}"#, "opened by a machine"),
    (r#""event": "opened", "client-info": {"bot": "generic"}"#, "opened by a machine"),
    (r#""event": "opened", "client-info": {"bot": ""}"#, "opened"),
    (r#""event": "clicked""#, "clicked"),
    (r#""event": "clicked", "client-info": {"bot": "generic"}"#, "clicked by a machine"),
    (r#""event": "complained""#, "complained"),
    (r#""event": "unsubscribed""#, "unsubscribed"),
    (r#""event": "failed", "severity": "temporary", "reason": "generic""#, NOTHING),
    (r#""event": "failed", "severity": "temporary", "reason": "greylisted""#, NOTHING),
    (r#""event": "failed", "severity": "temporary", "reason": "espblock""#, NOTHING),
    (
        r#""event": "failed", "severity": "temporary", "reason": "bounce", "delivery-status": {"code": 550}"#,
        NOTHING,
    ),
    (r#""event": "failed", "severity": "permanent", "reason": "bounce""#, "hard bounce"),
    (
        r#""event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": {"code": 550}"#,
        "hard bounce",
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": {"code": 550, "bounce-type": "hard"}"#,
        "hard bounce",
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": {"code": 552, "bounce-type": "soft"}"#,
        "soft bounce",
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": {"code": 498}"#,
        "soft bounce",
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": {"code": 499}"#,
        "soft bounce",
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": {"code": 602}"#,
        "soft bounce",
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": {"code": 605}"#,
        NOTHING,
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": {"code": 606}"#,
        NOTHING,
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": {"code": 607}"#,
        NOTHING,
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": {"code": 650}"#,
        "soft bounce",
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "old", "delivery-status": {"code": 602}"#,
        "soft bounce",
    ),
    (r#""event": "failed", "severity": "permanent", "reason": "old""#, "soft bounce"),
    (
        r#""event": "failed", "severity": "permanent", "reason": "espblock", "delivery-status": {"code": 550}"#,
        "soft bounce",
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "generic", "delivery-status": {"code": 498}"#,
        "soft bounce",
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "generic", "delivery-status": {"code": 550}"#,
        "soft bounce",
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "greylisted", "delivery-status": {"code": 450}"#,
        "soft bounce",
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "suppress-bounce", "delivery-status": {"code": 605}"#,
        NOTHING,
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "suppress-unsubscribe", "delivery-status": {"code": 606}"#,
        NOTHING,
    ),
    (
        r#""event": "failed", "severity": "permanent", "reason": "suppress-complaint", "delivery-status": {"code": 607}"#,
        NOTHING,
    ),
    (r#""event": "failed", "severity": "permanent", "reason": "suppress-bounce""#, NOTHING),
    (
        r#""event": "failed", "severity": "permanent", "reason": "of tomorrow", "delivery-status": {"code": 550}"#,
        NOTHING,
    ),
    (r#""event": "failed", "severity": "permanent""#, NOTHING),
    (r#""event": "failed", "severity": "of tomorrow", "reason": "bounce""#, NOTHING),
    (r#""event": "of tomorrow""#, NOTHING),
];

/// The older form of Mailgun's body.
const MAILGUN_FORM: Table = &[
    ("event=delivered", "delivered"),
    ("event=opened", "opened"),
    ("event=clicked", "clicked"),
    ("event=complained", "complained"),
    ("event=unsubscribed", "unsubscribed"),
    ("event=bounced&code=550", "hard bounce"),
    ("event=bounced&code=5.1.1", "hard bounce"),
    ("event=bounced", "hard bounce"),
    ("event=bounced&code=452", "soft bounce"),
    ("event=dropped&reason=hardfail&code=605", NOTHING),
    ("event=dropped&reason=hardfail&code=607", NOTHING),
    ("event=dropped&reason=old&code=499", NOTHING),
];

#[test]
fn what_mailgun_says_is_read_as_it_is_meant() {
    let frame = r#"{"event-data": {"recipient": "ann@acme.example", "timestamp": 1, …}}"#;
    assert_reads(MAILGUN, frame, |body| mailgun::read(body.as_bytes()));
    let frame = "recipient=ann%40acme.example&timestamp=1&…";
    assert_reads(MAILGUN_FORM, frame, |body| mailgun::read(body.as_bytes()));
}
