//! Brevo sends one event, or an array of events if the webhook is set up so. It does not sign them.

use serde_json::Value;

use crate::intake::mail::news::{News, Read, What, epoch, text};

/// Parses a report. `None` if it is not JSON of this shape.
pub(in crate::intake::mail) fn read(body: &[u8]) -> Option<Read> {
    let events = match serde_json::from_slice(body).ok()? {
        Value::Array(events) => events,
        event @ Value::Object(_) => vec![event],
        _ => return None,
    };
    Some(Read::of(events.iter().map(news)))
}

/// Turns an event into news. `None` if it is of no interest.
fn news(event: &Value) -> Option<News> {
    let kind = text(event, "/event")?;
    let (what, machine) = match kind.as_str() {
        "delivered" => (What::Delivered, false),
        // Brevo reports the first open twice if the webhook wants both events. Both become the same news.
        "opened" | "unique_opened" => (What::Opened, false),
        "proxy_open" | "unique_proxy_open" => (What::Opened, true),
        "click" => (What::Clicked, false),
        "hard_bounce" | "hardBounce" | "invalid_email" => (What::BouncedHard, false),
        "soft_bounce" | "softBounce" => (What::BouncedSoft, false),
        "spam" | "complaint" => (What::Complained, false),
        "unsubscribe" | "unsubscribed" => (What::Unsubscribed, false),
        _ => return None,
    };
    let email = text(event, "/email")?;
    let url = text(event, "/link").or_else(|| text(event, "/URL"));
    let message_id = text(event, "/message-id").map(|id| id.trim_matches(['<', '>']).to_owned());
    let message_id = message_id.or_else(|| text(event, "/camp_id").map(|id| format!("campaign-{id}")));
    let times = ["/ts_epoch", "/s_epoch", "/ts_event", "/ts"];
    let at = times.iter().find_map(|place| text(event, place)).unwrap_or_default();
    let told = [message_id.clone(), url.clone()].map(Option::unwrap_or_default);
    // Tells apart news that have the same type of event but are not the same.
    let how = match what {
        What::BouncedSoft => "soft",
        _ if machine => "machine",
        _ => "",
    };
    Some(News {
        at: times.iter().find_map(|place| epoch(event, place)),
        message_id,
        url,
        user_agent: text(event, "/user_agent"),
        ip: text(event, "/ip"),
        machine,
        ..News::new(what, &email, &[what.kind(), how, &email, &at, &told[0], &told[1]])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::mail::providers::fixtures::Fixture;

    #[test]
    fn what_is_recorded_reads_as_it_was_meant() {
        for case in Fixture::of("brevo").cases() {
            case.assert_reads(&read(case.body()).unwrap());
        }
    }

    #[test]
    fn events_come_together_too_and_a_first_open_counts_once() {
        let one =
            br#"{"event": "opened", "email": "a@b.example", "ts_epoch": 1520363423000, "message-id": "<m>"}"#;
        let first = String::from_utf8(one.to_vec()).unwrap().replace("opened", "unique_opened");
        let both = format!("[{}, {first}]", String::from_utf8(one.to_vec()).unwrap());

        let read = read(both.as_bytes()).unwrap();

        assert_eq!(read.news.len(), 2);
        assert_eq!(read.news[0], read.news[1]);
    }

    #[test]
    fn a_soft_bounce_is_not_taken_for_a_hard_one_of_the_same_moment() {
        let id = |event: &str| {
            let body = format!(
                r#"{{"event": "{event}", "email": "a@b.example", "ts_epoch": 1, "message-id": "<m>"}}"#
            );
            read(body.as_bytes()).unwrap().news[0].id.clone()
        };

        assert_ne!(id("hard_bounce"), id("soft_bounce"));
        assert_eq!(id("hard_bounce"), id("invalid_email"));
    }

    #[test]
    fn times_are_seconds_or_milliseconds() {
        let at = |ts: &str| {
            let body = format!(r#"{{"event": "click", "email": "a@b.example", "ts_epoch": {ts}}}"#);
            read(body.as_bytes()).unwrap().news[0].at.unwrap().timestamp()
        };

        assert_eq!(at("1604933623"), at("1604933623000"));
    }
}
