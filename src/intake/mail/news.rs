//! News: the one shape into which the reports of all providers are turned.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::providers::Provider;
use crate::{
    intake::{
        ingest::{Rejection, event::Found},
        verdicts::Finding,
    },
    leads::identity::{Identity, Kind, Named},
    platform::ids::digest,
};

/// How long a provider's id may be to become part of an event's id, in bytes.
const LONGEST_ID: usize = 200;
/// How many characters of a user agent are kept.
const LONGEST_USER_AGENT: usize = 1_024;

/// What happened to a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Delivered,
    Opened,
    Clicked,
    /// The address does not exist or never takes mails.
    BouncedHard,
    /// This mail was not delivered.
    BouncedSoft,
    Complained,
    Unsubscribed,
    Subscribed,
}

impl What {
    /// The type of the event.
    pub(super) fn kind(self) -> &'static str {
        match self {
            What::Delivered => "email_delivered",
            What::Opened => "email_opened",
            What::Clicked => "email_clicked",
            What::BouncedHard | What::BouncedSoft => "email_bounced",
            What::Complained => "email_complained",
            What::Unsubscribed => "email_unsubscribed",
            What::Subscribed => "email_subscribed",
        }
    }
}

/// One thing that happened to one mail to one address.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct News {
    /// An id that is the same each time the provider reports the same thing.
    pub(super) id: String,
    pub(super) what: What,
    pub(super) email: String,
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) message_id: Option<String>,
    /// The list to which an unsubscription or subscription is limited. `None`: it is about all mails.
    pub(super) list: Option<String>,
    /// The link that was clicked, or by which the person unsubscribed.
    pub(super) url: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) ip: Option<String>,
    /// Whether the provider says that a machine caused this.
    pub(super) machine: bool,
    /// Whether the provider may report this in several ways, with different times.
    pub(super) told_in_several_ways: bool,
}

/// The news of a request.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Read {
    pub(super) news: Vec<News>,
    /// How many items are of no interest: a mail was queued or deferred, or the address is unclear.
    pub(super) passed_over: usize,
}

impl Read {
    /// Collects the items of a request. An item without news counts as of no interest.
    pub(super) fn of(items: impl IntoIterator<Item = Option<News>>) -> Read {
        let mut read = Read::default();
        for item in items {
            match item {
                Some(news) => read.news.push(news),
                None => read.passed_over += 1,
            }
        }
        read
    }
}

impl News {
    /// Makes news without details. `parts` must differ from those of all other news of the provider.
    pub(super) fn new(what: What, email: &str, parts: &[&str]) -> News {
        News {
            id: fingerprint(parts),
            what,
            email: address(email).to_owned(),
            at: None,
            message_id: None,
            list: None,
            url: None,
            user_agent: None,
            ip: None,
            machine: false,
            told_in_several_ways: false,
        }
    }

    /// The news as an event for the log.
    pub(super) fn found(&self, provider: Provider) -> Result<Found, Rejection> {
        let email = Identity::parse(Kind::Email, &self.email).map_err(|why| {
            Rejection::new("invalid_email", format!("the address that the mail went to: {why}"))
        })?;
        let mut properties = Map::from_iter([("provider".to_owned(), json!(provider.as_str()))]);
        let bounce = match self.what {
            What::BouncedHard => Some("hard"),
            What::BouncedSoft => Some("soft"),
            _ => None,
        };
        let said = [
            ("message_id", self.message_id.as_deref()),
            ("list", self.list.as_deref()),
            ("url", self.url.as_deref()),
            ("bounce_type", bounce),
        ];
        properties.extend(said.iter().filter_map(|(name, said)| Some(((*name).to_owned(), json!((*said)?)))));
        let agent =
            self.user_agent.as_ref().map(|agent| agent.chars().take(LONGEST_USER_AGENT).collect::<String>());
        let circumstances = [("user_agent", agent), ("ip", self.ip.clone())];
        let context: Map<String, Value> = circumstances
            .into_iter()
            .filter_map(|(name, said)| Some((name.to_owned(), json!(said?))))
            .collect();
        Ok(Found {
            id: Some(format!("{}:{}", provider.as_str(), self.id)),
            kind: self.what.kind().to_owned(),
            name: None,
            named: Named::in_passing(email),
            original_at: self.at,
            sent_at: None,
            corrected: true,
            properties,
            traits: None,
            context: Some(context).filter(|context| !context.is_empty()),
            hint: self.machine.then_some(Finding::Provider),
        })
    }

    /// What is stored of the news if it is refused.
    pub(super) fn summary(&self) -> Vec<u8> {
        let summary = json!({"id": self.id, "type": self.what.kind(), "email": self.email, "message_id": self.message_id});
        summary.to_string().into_bytes()
    }
}

/// A provider's id as part of an event's id. An id that is too long or not printable ASCII is replaced by a
/// digest.
pub(super) fn own(id: &str) -> String {
    if (1..=LONGEST_ID).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic()) {
        id.to_owned()
    } else {
        fingerprint(&[id])
    }
}

/// A short text that differs for different lists of parts.
fn fingerprint(parts: &[&str]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    URL_SAFE_NO_PAD.encode(&digest(&parts)[..18])
}

/// Returns the address in `Name <address>`.
fn address(text: &str) -> &str {
    let inner = text.rsplit_once('<').map(|(_, rest)| rest.trim_end().trim_end_matches('>'));
    inner.unwrap_or(text).trim()
}

/// Returns the text at a JSON pointer, or a number as it is written. `None` if it is blank or something else.
pub(super) fn text(item: &Value, pointer: &str) -> Option<String> {
    match item.pointer(pointer)? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Returns the date-time of RFC 3339 at a JSON pointer, in whole microseconds.
pub(super) fn date_time(item: &Value, pointer: &str) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(item.pointer(pointer)?.as_str()?).ok()?;
    DateTime::from_timestamp_micros(at.timestamp_micros())
}

/// Returns the instant at a JSON pointer, given in seconds since 1970. A number above 10^11 is taken as
/// milliseconds.
pub(super) fn epoch(item: &Value, pointer: &str) -> Option<DateTime<Utc>> {
    let number: f64 = text(item, pointer)?.parse().ok()?;
    let seconds = if number.abs() > 1e11 { number / 1e3 } else { number };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a value out of range is cut, and then refused as a time"
    )]
    DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)
}
