//! What SendGrid says.

use super::{NOTHING, Table, assert_reads};
use crate::intake::mail::providers::sendgrid;

const SENDGRID: Table = &[
    (r#""event": "processed""#, NOTHING),
    (r#""event": "deferred""#, NOTHING),
    (r#""event": "delivered""#, "delivered"),
    (r#""event": "open""#, "opened"),
    (r#""event": "open", "sg_machine_open": false"#, "opened"),
    (r#""event": "open", "sg_machine_open": true"#, "opened by a machine"),
    (r#""event": "click""#, "clicked"),
    (r#""event": "bounce", "type": "bounce""#, "hard bounce"),
    (r#""event": "bounce", "type": "bounce", "bounce_classification": "Invalid Address""#, "hard bounce"),
    (r#""event": "bounce", "type": "bounce", "bounce_classification": "Unclassified""#, "hard bounce"),
    (r#""event": "bounce", "type": "bounce", "bounce_classification": "Mailbox Unavailable""#, "soft bounce"),
    (r#""event": "bounce", "type": "bounce", "bounce_classification": "Technical""#, "soft bounce"),
    (r#""event": "bounce", "type": "bounce", "bounce_classification": "Technical Failure""#, "soft bounce"),
    (r#""event": "bounce", "type": "bounce", "bounce_classification": "Content""#, "soft bounce"),
    (r#""event": "bounce", "type": "bounce", "bounce_classification": "Reputation""#, "soft bounce"),
    (r#""event": "bounce", "type": "bounce", "bounce_classification": "Frequency/Volume""#, "soft bounce"),
    (
        r#""event": "bounce", "type": "bounce", "bounce_classification": "Frequency or Volume Too High""#,
        "soft bounce",
    ),
    (r#""event": "bounce", "type": "bounce", "bounce_classification": "of tomorrow""#, "soft bounce"),
    (r#""event": "bounce", "type": "blocked""#, "soft bounce"),
    (r#""event": "bounce", "type": "blocked", "bounce_classification": "Invalid Address""#, "soft bounce"),
    (r#""event": "bounce", "type": "expired""#, "soft bounce"),
    (r#""event": "bounce""#, "soft bounce"),
    (r#""event": "dropped", "reason": "Bounced Address""#, NOTHING),
    (r#""event": "dropped", "reason": "Unsubscribed Address""#, NOTHING),
    (r#""event": "dropped", "reason": "Spam Reporting Address""#, NOTHING),
    (r#""event": "dropped", "reason": "Invalid""#, NOTHING),
    (r#""event": "dropped", "reason": "Spam Content (if Spam Checker app is enabled)""#, NOTHING),
    (r#""event": "dropped", "reason": "Invalid SMTPAPI header""#, NOTHING),
    (r#""event": "dropped", "reason": "Recipient List over Package Quota""#, NOTHING),
    (r#""event": "spamreport", "asm_group_id": 10"#, "complained"),
    (r#""event": "unsubscribe""#, "unsubscribed"),
    (r#""event": "unsubscribe", "asm_group_id": 10"#, "unsubscribed"),
    (r#""event": "group_unsubscribe""#, "unsubscribed"),
    (r#""event": "group_unsubscribe", "asm_group_id": 10"#, "unsubscribed from list 10"),
    (r#""event": "group_resubscribe", "asm_group_id": 10"#, "subscribed to list 10"),
    (r#""event": "group_resubscribe""#, NOTHING),
    (r#""event": "account_status_change", "type": "compliance_suspend""#, NOTHING),
    (r#""event": "of tomorrow""#, NOTHING),
];

#[test]
fn what_sendgrid_says_is_read_as_it_is_meant() {
    let frame = r#"[{"email": "ann@acme.example", "timestamp": 1, "sg_event_id": "e", …}]"#;
    assert_reads(SENDGRID, frame, |body| sendgrid::read(body.as_bytes()));
}
