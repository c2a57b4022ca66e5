//! Tables of what each documented value of the providers' fields means. A test reads each line of a table
//! through the provider's reader. A line has the fields of an event and its meaning here.

use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::{brevo, mailgun, postmark, resend, sendgrid, ses};
use crate::intake::mail::news::{News, Read, What};

/// Lines of fields and their meaning.
type Table = &'static [(&'static str, &'static str)];

const NOTHING: &str = "nothing";

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

/// The meaning of a report, in the words of the tables.
fn meaning(read: Option<Read>) -> String {
    let Read { news, passed_over } = read.unwrap();
    match news.as_slice() {
        [] if passed_over == 1 => NOTHING.to_owned(),
        [one] => meaning_of(one),
        _ => panic!("{news:?}"),
    }
}

fn meaning_of(news: &News) -> String {
    let what = match news.what {
        What::Delivered => "delivered",
        What::Opened => "opened",
        What::Clicked => "clicked",
        What::BouncedHard => "hard bounce",
        What::BouncedSoft => "soft bounce",
        What::Complained => "complained",
        What::Unsubscribed => "unsubscribed",
        What::Subscribed => "subscribed",
    };
    let machine = if news.machine { " by a machine" } else { "" };
    let preposition = match news.what {
        What::Unsubscribed => "from",
        What::Subscribed => "to",
        _ => "of",
    };
    let list = news.list.as_ref().map(|name| format!(" {preposition} list {name}")).unwrap_or_default();
    format!("{what}{machine}{list}")
}

/// Reads each line of a table. The fields replace the `…` of the frame.
fn assert_reads(table: Table, frame: &str, read: impl Fn(&str) -> Option<Read>) {
    for (said, expected) in table {
        assert_eq!(meaning(read(&frame.replace('…', said))), *expected, "{said}");
    }
}

/// Reads an event of Amazon's within a message of SNS.
fn ses_reads(event: &str) -> Option<Read> {
    let envelope = json!({"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": event,
        "Timestamp": "2026-01-02T03:04:05.000Z", "SignatureVersion": "1", "Signature": "", "SigningCertURL": ""});
    Some(ses::Message::parse(envelope.to_string().as_bytes())?.read())
}

fn resend_reads(event: &Value) -> Option<Read> {
    resend::read(event.to_string().as_bytes(), &HeaderMap::new())
}

#[test]
fn what_sendgrid_says_is_read_as_it_is_meant() {
    let frame = r#"[{"email": "ann@acme.example", "timestamp": 1, "sg_event_id": "e", …}]"#;
    assert_reads(SENDGRID, frame, |body| sendgrid::read(body.as_bytes()));
}

#[test]
fn what_mailgun_says_is_read_as_it_is_meant() {
    let frame = r#"{"event-data": {"recipient": "ann@acme.example", "timestamp": 1, …}}"#;
    assert_reads(MAILGUN, frame, |body| mailgun::read(body.as_bytes()));
    let frame = "recipient=ann%40acme.example&timestamp=1&…";
    assert_reads(MAILGUN_FORM, frame, |body| mailgun::read(body.as_bytes()));
}

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
fn what_resend_says_is_read_as_it_is_meant() {
    let frame = r#"{"data": {"to": ["ann@acme.example"]}, …}"#;
    assert_reads(RESEND, frame, |body| resend::read(body.as_bytes(), &HeaderMap::new()));
    for (kind, unsubscribed, expected) in RESEND_CONTACTS {
        let data = json!({"email": "ann@acme.example", "unsubscribed": unsubscribed});
        assert_eq!(meaning(resend_reads(&json!({"type": kind, "data": data}))), *expected, "{kind}");
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

#[test]
fn what_brevo_says_is_read_as_it_is_meant() {
    let frame = r#"{"email": "ann@acme.example", "ts_epoch": 1, "message-id": "<m>", …}"#;
    assert_reads(BREVO, frame, |body| brevo::read(body.as_bytes()));
}
