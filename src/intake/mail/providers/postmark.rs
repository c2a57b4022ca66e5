//! Postmark sends one event. It does not sign it.
//!
//! Postmark may report a hard bounce or a complaint twice: as a bounce or complaint, and as the suppression
//! that follows from it. Both reports name the mail, and become the same event.

use serde_json::Value;

use crate::intake::mail::news::{News, Read, What, date_time, text};

/// The message stream of a report that names none. Each stream has its own suppression list.
const DEFAULT_STREAM: &str = "outbound";
/// The mail id of a suppression that does not follow from a mail.
const NO_MAIL: &str = "00000000-0000-0000-0000-000000000000";

/// Parses a report. `None` if it does not have the shape of Postmark's.
pub(in crate::intake::mail) fn read(body: &[u8]) -> Option<Read> {
    let event: Value = serde_json::from_slice(body).ok()?;
    text(&event, "/RecordType")?;
    Some(Read::of([news(&event)]))
}

/// Turns an event into news. `None` if it is of no interest.
fn news(event: &Value) -> Option<News> {
    let kind = text(event, "/RecordType")?;
    let what = match kind.as_str() {
        "Delivery" => What::Delivered,
        "Open" => What::Opened,
        "Click" => What::Clicked,
        "SpamComplaint" => What::Complained,
        "Bounce" => bounce(&text(event, "/Type")?)?,
        "SubscriptionChange" => subscription(event)?,
        _ => return None,
    };
    let email = text(event, "/Recipient").or_else(|| text(event, "/Email"))?;
    let message_id = text(event, "/MessageID").filter(|id| id != NO_MAIL);
    let url = text(event, "/OriginalLink");
    let times = ["/DeliveredAt", "/BouncedAt", "/ChangedAt", "/ReceivedAt"];
    let at = times.iter().find_map(|place| text(event, place)).unwrap_or_default();
    let told = [text(event, "/ID"), message_id.clone(), url.clone()].map(Option::unwrap_or_default);
    let once = message_id.clone().filter(|_| matches!(what, What::BouncedHard | What::Complained));
    let news = match &once {
        Some(mail) => News::new(what, &email, &[what.kind(), "once", &email.to_lowercase(), mail]),
        None => News::new(what, &email, &[&kind, what.kind(), &email, &at, &told[0], &told[1], &told[2]]),
    };
    Some(News {
        at: times.iter().find_map(|place| date_time(event, place)),
        message_id,
        list: matches!(what, What::Complained | What::Unsubscribed | What::Subscribed)
            .then(|| text(event, "/MessageStream").unwrap_or_else(|| DEFAULT_STREAM.to_owned())),
        url,
        user_agent: text(event, "/UserAgent"),
        ip: text(event, "/Geo/IP"),
        told_in_several_ways: once.is_some(),
        ..news
    })
}

/// Returns what a type of bounce means. `None` if it is no news.
fn bounce(kind: &str) -> Option<What> {
    match kind {
        "HardBounce" | "BadEmailAddress" => Some(What::BouncedHard),
        "SoftBounce" | "DnsError" | "SpamNotification" | "Blocked" | "DMARCPolicy" | "VirusNotification" => {
            Some(What::BouncedSoft)
        }
        "SpamComplaint" => Some(What::Complained),
        "Unsubscribe" => Some(What::Unsubscribed),
        // Other types are tried again, were answered by a program, or are about the account and not the
        // address. `Subscribe` is Postmark's guess about a bounced mail, and no consent.
        _ => None,
    }
}

/// Returns what a change of a suppression list means. `None` if it is no news.
///
/// Only the recipient's own changes are words of consent. Changes by the customer or Postmark's staff
/// (`Customer`, `Admin`) are not. A hard bounce is about the address, so it counts whoever entered it.
fn subscription(event: &Value) -> Option<What> {
    let suppresses = event.get("SuppressSending")?.as_bool()?;
    let reason = text(event, "/SuppressionReason").filter(|_| suppresses);
    let by_recipient = text(event, "/Origin").as_deref() == Some("Recipient");
    match (suppresses, reason.as_deref()) {
        (true, Some("HardBounce")) => Some(What::BouncedHard),
        _ if !by_recipient => None,
        (true, Some("SpamComplaint")) => Some(What::Complained),
        (true, Some("ManualSuppression")) => Some(What::Unsubscribed),
        (true, _) => None,
        (false, _) => Some(What::Subscribed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::mail::providers::fixtures::Fixture;

    #[test]
    fn what_is_recorded_reads_as_it_was_meant() {
        for case in Fixture::of("postmark").cases() {
            // This one does not say whose it is.
            if case.name() == "bounce_unsubscribe_variant" {
                assert_eq!(read(case.body()).unwrap().passed_over, 1);
            } else {
                case.assert_reads(&read(case.body()).unwrap());
            }
        }
    }

    #[test]
    fn what_is_no_event_of_postmark_is_not_read() {
        for body in ["", "[]", "{}", "{\"RecordType\": null}", "nonsense"] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
    }
}
