//! What Amazon SES says, and what Resend passes on of it.

use serde_json::json;

use super::{NOTHING, Table, assert_reads, meaning, resend::resend_reads};
use crate::intake::mail::{news::Read, providers::ses};

const SES: Table = &[
    (r#""eventType": "Send", "send": {}"#, NOTHING),
    (r#""eventType": "Reject", "reject": {"reason": "Bad content"}"#, NOTHING),
    (r#""eventType": "Rendering Failure", "failure": {}"#, NOTHING),
    (r#""eventType": "DeliveryDelay", "deliveryDelay": {"delayType": "InternalFailure"}"#, NOTHING),
    (r#""eventType": "DeliveryDelay", "deliveryDelay": {"delayType": "General"}"#, NOTHING),
    (r#""eventType": "DeliveryDelay", "deliveryDelay": {"delayType": "MailboxFull"}"#, NOTHING),
    (r#""eventType": "DeliveryDelay", "deliveryDelay": {"delayType": "SpamDetected"}"#, NOTHING),
    (r#""eventType": "DeliveryDelay", "deliveryDelay": {"delayType": "RecipientServerError"}"#, NOTHING),
    (r#""eventType": "DeliveryDelay", "deliveryDelay": {"delayType": "IPFailure"}"#, NOTHING),
    (
        r#""eventType": "DeliveryDelay", "deliveryDelay": {"delayType": "TransientCommunicationFailure"}"#,
        NOTHING,
    ),
    (
        r#""eventType": "DeliveryDelay", "deliveryDelay": {"delayType": "BYOIPHostNameLookupUnavailable"}"#,
        NOTHING,
    ),
    (r#""eventType": "DeliveryDelay", "deliveryDelay": {"delayType": "Undetermined"}"#, NOTHING),
    (r#""eventType": "DeliveryDelay", "deliveryDelay": {"delayType": "SendingDeferral"}"#, NOTHING),
    (r#""eventType": "of tomorrow""#, NOTHING),
    (r#""notificationType": "AmazonSnsSubscriptionSucceeded""#, NOTHING),
    (r#""notificationType": "Received""#, NOTHING),
    (r#""eventType": "Delivery", "delivery": {"recipients": ["ann@acme.example"]}"#, "delivered"),
    (r#""notificationType": "Delivery", "delivery": {"recipients": ["ann@acme.example"]}"#, "delivered"),
    (r#""eventType": "Open", "open": {}"#, "opened"),
    (r#""eventType": "Click", "click": {}"#, "clicked"),
    (
        r#""eventType": "Subscription", "subscription": {"contactList": "news",
            "oldTopicPreferences": {"unsubscribeAll": false}, "newTopicPreferences": {"unsubscribeAll": true}}"#,
        "unsubscribed from list news",
    ),
    (
        r#""eventType": "Subscription", "subscription": {"contactList": "news",
            "oldTopicPreferences": {"unsubscribeAll": true}, "newTopicPreferences": {"unsubscribeAll": false}}"#,
        "subscribed to list news",
    ),
    // A topic is a part of a contact list. Amazon keeps the list.
    (
        r#""eventType": "Subscription", "subscription": {"contactList": "news",
            "oldTopicPreferences": {"unsubscribeAll": false, "topicSubscriptionStatus": [{"topicName": "t", "subscriptionStatus": "OptIn"}]},
            "newTopicPreferences": {"unsubscribeAll": false, "topicSubscriptionStatus": [{"topicName": "t", "subscriptionStatus": "OptOut"}]}}"#,
        NOTHING,
    ),
];

/// Amazon's bounces, which Resend forwards. Each line has type, subtype and meaning.
const SES_BOUNCES: &[(&str, &str, &str)] = &[
    ("Permanent", "General", "hard bounce"),
    ("Permanent", "NoEmail", "hard bounce"),
    ("Permanent", "Suppressed", "hard bounce"),
    ("Permanent", "OnAccountSuppressionList", NOTHING),
    ("Permanent", "UnsubscribedRecipient", NOTHING),
    ("Permanent", "of tomorrow", NOTHING),
    ("Permanent", "", "hard bounce"),
    ("Transient", "General", "soft bounce"),
    ("Transient", "MailboxFull", "soft bounce"),
    ("Transient", "MessageTooLarge", "soft bounce"),
    ("Transient", "CustomTimeoutExceeded", "soft bounce"),
    ("Transient", "ContentRejected", "soft bounce"),
    ("Transient", "AttachmentRejected", "soft bounce"),
    ("Transient", "of tomorrow", "soft bounce"),
    ("Transient", "", "soft bounce"),
    ("Undetermined", "Undetermined", "soft bounce"),
    ("Undetermined", "", "soft bounce"),
    ("", "", "soft bounce"),
    ("of tomorrow", "General", NOTHING),
];

/// Amazon's complaints. Each line has feedback type, subtype and meaning.
const SES_COMPLAINTS: &[(Option<&str>, Option<&str>, &str)] = &[
    (None, None, "complained"),
    (Some("abuse"), None, "complained"),
    (Some("fraud"), None, "complained"),
    (Some("not-spam"), None, NOTHING),
    (Some("auth-failure"), None, NOTHING),
    (Some("virus"), None, NOTHING),
    (Some("other"), None, NOTHING),
    (Some("of tomorrow"), None, NOTHING),
    (None, Some("OnAccountSuppressionList"), NOTHING),
    (Some("abuse"), Some("OnAccountSuppressionList"), NOTHING),
];

/// Reads an event of Amazon's within a message of SNS.
fn ses_reads(event: &str) -> Option<Read> {
    let envelope = json!({"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": event,
        "Timestamp": "2026-01-02T03:04:05.000Z", "SignatureVersion": "1", "Signature": "", "SigningCertURL": ""});
    Some(ses::Message::parse(envelope.to_string().as_bytes())?.read())
}

#[test]
fn what_amazon_says_is_read_as_it_is_meant() {
    let frame = r#"{"mail": {"destination": ["ann@acme.example"], "messageId": "m"}, …}"#;
    assert_reads(SES, frame, ses_reads);
    for (feedback, subtype, expected) in SES_COMPLAINTS {
        let complaint = json!({"complainedRecipients": [{"emailAddress": "ann@acme.example"}],
            "complaintFeedbackType": feedback, "complaintSubType": subtype});
        let event = json!({"eventType": "Complaint", "complaint": complaint}).to_string();

        assert_eq!(meaning(ses_reads(&event)), *expected, "{event}");
    }
}

#[test]
fn a_bounce_of_amazons_means_the_same_when_resend_passes_it_on() {
    for (kind, subtype, expected) in SES_BOUNCES {
        let bounce = json!({"bouncedRecipients": [{"emailAddress": "ann@acme.example"}],
            "bounceType": kind, "bounceSubType": subtype});
        let event = json!({"notificationType": "Bounce", "bounce": bounce}).to_string();
        assert_eq!(meaning(ses_reads(&event)), *expected, "{event}");

        let bounce = json!({"type": kind, "subType": subtype, "message": "…"});
        let event = json!({"type": "email.bounced", "data": {"to": ["ann@acme.example"], "bounce": bounce}});
        assert_eq!(meaning(resend_reads(&event)), *expected, "{event}");
    }
}
