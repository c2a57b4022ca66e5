//! What Postmark says.

use serde_json::json;

use super::{NOTHING, Table, assert_reads, meaning};
use crate::intake::mail::providers::postmark;

const POSTMARK: Table = &[
    (r#""RecordType": "Delivery""#, "delivered"),
    (r#""RecordType": "Open""#, "opened"),
    (r#""RecordType": "Click""#, "clicked"),
    (
        r#""RecordType": "SpamComplaint", "Type": "SpamComplaint", "TypeCode": 100001"#,
        "complained of list outbound",
    ),
    (r#""RecordType": "Inbound""#, NOTHING),
    (r#""RecordType": "of tomorrow""#, NOTHING),
    (r#""RecordType": "Bounce", "Type": "HardBounce", "TypeCode": 1"#, "hard bounce"),
    (r#""RecordType": "Bounce", "Type": "Transient", "TypeCode": 2"#, NOTHING),
    (r#""RecordType": "Bounce", "Type": "Unsubscribe", "TypeCode": 16"#, "unsubscribed from list outbound"),
    (r#""RecordType": "Bounce", "Type": "Subscribe", "TypeCode": 32"#, NOTHING),
    (r#""RecordType": "Bounce", "Type": "AutoResponder", "TypeCode": 64"#, NOTHING),
    (r#""RecordType": "Bounce", "Type": "AddressChange", "TypeCode": 128"#, NOTHING),
    (r#""RecordType": "Bounce", "Type": "DnsError", "TypeCode": 256"#, "soft bounce"),
    (r#""RecordType": "Bounce", "Type": "SpamNotification", "TypeCode": 512"#, "soft bounce"),
    (r#""RecordType": "Bounce", "Type": "OpenRelayTest", "TypeCode": 1024"#, NOTHING),
    (r#""RecordType": "Bounce", "Type": "Unknown", "TypeCode": 2048"#, NOTHING),
    (r#""RecordType": "Bounce", "Type": "SoftBounce", "TypeCode": 4096"#, "soft bounce"),
    (r#""RecordType": "Bounce", "Type": "VirusNotification", "TypeCode": 8192"#, "soft bounce"),
    (r#""RecordType": "Bounce", "Type": "ChallengeVerification", "TypeCode": 16384"#, NOTHING),
    (r#""RecordType": "Bounce", "Type": "BadEmailAddress", "TypeCode": 100000"#, "hard bounce"),
    (r#""RecordType": "Bounce", "Type": "SpamComplaint", "TypeCode": 100001"#, "complained of list outbound"),
    (r#""RecordType": "Bounce", "Type": "ManuallyDeactivated", "TypeCode": 100002"#, NOTHING),
    (r#""RecordType": "Bounce", "Type": "Unconfirmed", "TypeCode": 100003"#, NOTHING),
    (r#""RecordType": "Bounce", "Type": "Blocked", "TypeCode": 100006"#, "soft bounce"),
    (r#""RecordType": "Bounce", "Type": "SMTPApiError", "TypeCode": 100007"#, NOTHING),
    (r#""RecordType": "Bounce", "Type": "InboundError", "TypeCode": 100008"#, NOTHING),
    (r#""RecordType": "Bounce", "Type": "DMARCPolicy", "TypeCode": 100009"#, "soft bounce"),
    (r#""RecordType": "Bounce", "Type": "TemplateRenderingFailed", "TypeCode": 100010"#, NOTHING),
    (r#""RecordType": "Bounce", "Type": "of tomorrow", "TypeCode": 999999"#, NOTHING),
    (r#""RecordType": "Bounce""#, NOTHING),
];

/// Changes of Postmark's suppression lists. Each line has `SuppressSending`, `SuppressionReason`, the meaning
/// for the `Origin` `Recipient`, and the meaning for every other origin.
const POSTMARK_SUPPRESSIONS: &[(bool, Option<&str>, &str, &str)] = &[
    (true, Some("HardBounce"), "hard bounce", "hard bounce"),
    (true, Some("SpamComplaint"), "complained of list outbound", NOTHING),
    (true, Some("ManualSuppression"), "unsubscribed from list outbound", NOTHING),
    (true, Some("of tomorrow"), NOTHING, NOTHING),
    (true, None, NOTHING, NOTHING),
    (false, None, "subscribed to list outbound", NOTHING),
    (false, Some("SpamComplaint"), "subscribed to list outbound", NOTHING),
    (false, Some("HardBounce"), "subscribed to list outbound", NOTHING),
];

#[test]
fn what_postmark_says_is_read_as_it_is_meant() {
    let frame = r#"{"Email": "ann@acme.example", "ID": 1, "MessageStream": "outbound", …}"#;
    assert_reads(POSTMARK, frame, |body| postmark::read(body.as_bytes()));
    // The same without a stream: the default stream counts.
    let frame = r#"{"Email": "ann@acme.example", "ID": 1, …}"#;
    assert_reads(POSTMARK, frame, |body| postmark::read(body.as_bytes()));
}

#[test]
fn only_the_recipients_own_changes_of_postmarks_suppressions_speak_for_the_person() {
    for (suppresses, reason, by_recipient, by_others) in POSTMARK_SUPPRESSIONS {
        for origin in [Some("Recipient"), Some("Customer"), Some("Admin"), Some("of tomorrow"), None] {
            let body = json!({"RecordType": "SubscriptionChange", "Recipient": "ann@acme.example", "Origin": origin,
                "SuppressSending": suppresses, "SuppressionReason": reason, "MessageStream": "outbound"});
            let expected = if origin == Some("Recipient") { by_recipient } else { by_others };

            assert_eq!(meaning(postmark::read(body.to_string().as_bytes())), *expected, "{body}");
        }
    }
}
