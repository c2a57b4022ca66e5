//! Consent: whether a person agrees to be contacted, by channel. No score overrides consent.
//!
//! Each identity's *consent* for a channel follows from its words and their instants. The order in which the
//! words arrive does not matter:
//!
//! - **A refusal stands until the person agrees later.** A grant for one list of mails answers a refusal of that list
//!   only. A grant without a list answers everything before it.
//! - **A bounce marks its address.** It never replaces a refusal. The next grant without a list removes the mark.
//! - **A refusal holds even if a machine may have caused it**: a scanner that follows the unsubscribe link has
//!   unsubscribed the address. Only a person can grant.
//!
//! A lead's consent is the most restrictive consent of its identities. So joining two people never permits
//! what one of them refused. On a device that several people used, a word counts for the person who used the
//! device then.

pub(super) mod store;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use scoring::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::platform::ids::{EventKey, IdentityId, LeadId};

/// The type of the event by which somebody records a consent.
pub const CONSENT_CHANGED: &str = "consent_changed";

/// The most characters of a list's name that are stored; the rest is cut off.
const LONGEST_LIST: usize = 100;

/// A channel on which a person can be contacted.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Channel {
    /// Mails.
    Email,
    /// Calls.
    Phone,
    /// Text messages.
    Sms,
    /// Letters.
    Post,
}

/// The state of a channel, from the least to the most restrictive.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = ConsentState)]
pub enum State {
    /// The person agreed.
    Granted,
    /// A mail to the address bounced hard.
    Bounced,
    /// The person refused, or took back a grant.
    Withdrawn,
    /// The person called a mail spam.
    Complained,
}

/// The state of a channel, with the date of the event that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Word {
    /// The state.
    pub state: State,
    /// When the event happened that gave this state.
    pub since: DateTime<Utc>,
}

/// The words that hold, by channel. A channel that was never mentioned is absent.
pub type Channels = BTreeMap<Channel, Word>;

/// A word of one identity on a channel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Said {
    /// The identity whose consent it is.
    pub identity: IdentityId,
    /// The channel.
    pub channel: Channel,
    /// The state and its date.
    #[serde(flatten)]
    pub word: Word,
    /// The list of mails that the word is about; `None` if the word is about the whole channel.
    pub list: Option<String>,
}

/// A word with the event that said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The word.
    pub said: Said,
    /// The event.
    pub event: EventKey,
}

/// Stores words. A word that is stored already is not stored again.
pub async fn enter(conn: &mut PgConnection, facts: &[Fact]) -> sqlx::Result<()> {
    if facts.is_empty() { Ok(()) } else { store::enter(conn, facts).await }
}

/// Deletes the word of an event, because the event was not caused by a person.
pub async fn forget(conn: &mut PgConnection, fact: &Fact) -> sqlx::Result<()> {
    store::forget(conn, fact.said.identity, fact.event).await
}

/// The words that hold for some leads, by channel. Leads and channels without words are left out.
pub async fn of_leads(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<BTreeMap<LeadId, Channels>> {
    let mut said: BTreeMap<LeadId, Vec<Said>> = BTreeMap::new();
    if leads.is_empty() {
        return Ok(BTreeMap::new());
    }
    for row in store::of_leads(conn, leads).await? {
        let word = Word { state: row.state, since: row.since };
        let word = Said { identity: row.identity_id, channel: row.channel, word, list: row.list };
        said.entry(row.lead_id).or_default().push(word);
    }
    Ok(said.into_iter().map(|(lead, words)| (lead, of_one(words))).collect())
}

/// Whether a word of an event with this verdict holds. A refusal or bounce holds with any verdict; a grant
/// does not hold if a machine caused it.
pub fn holds(state: State, verdict: Verdict) -> bool {
    state != State::Granted || verdict != Verdict::Machine
}

/// Reads the word of an event; `None` if the event is not about consent. The event's property `list`, a text
/// or a whole number, narrows a grant or a refusal to one list of mails of the property `provider`.
pub fn fact(
    identity: IdentityId,
    event: EventKey,
    since: DateTime<Utc>,
    kind: &str,
    properties: &Map<String, Value>,
) -> Option<Fact> {
    let (channel, state) = state(kind, properties)?;
    let list = list(properties).filter(|_| state != State::Bounced);
    Some(Fact { said: Said { identity, channel, word: Word { state, since }, list }, event })
}

fn state(kind: &str, properties: &Map<String, Value>) -> Option<(Channel, State)> {
    let text = |name: &str| properties.get(name).cloned();
    match kind {
        "email_subscribed" => Some((Channel::Email, State::Granted)),
        "email_unsubscribed" => Some((Channel::Email, State::Withdrawn)),
        "email_complained" => Some((Channel::Email, State::Complained)),
        // A full mailbox is no reason never to write again.
        "email_bounced" if text("bounce_type") == Some("soft".into()) => None,
        "email_bounced" => Some((Channel::Email, State::Bounced)),
        CONSENT_CHANGED => {
            let channel = serde_json::from_value(text("channel")?).ok()?;
            let state = serde_json::from_value(text("state")?).ok()?;
            Some((channel, state))
        }
        _ => None,
    }
}

/// The list's name in the properties, with the provider in front, so that it is unique among providers.
fn list(properties: &Map<String, Value>) -> Option<String> {
    let name = match properties.get("list")? {
        Value::String(name) if !name.trim().is_empty() => name.clone(),
        Value::Number(number) if number.is_i64() => number.to_string(),
        _ => return None,
    };
    let provider = properties.get("provider").and_then(Value::as_str).unwrap_or_default();
    Some(format!("{provider}/{name}").chars().take(LONGEST_LIST).collect())
}

/// The word that holds on each channel for a person with several identities. For each identity the current
/// word is found; of these the most restrictive holds.
pub fn of_one(words: impl IntoIterator<Item = Said>) -> Channels {
    let mut of_each: BTreeMap<(IdentityId, Channel), Vec<Said>> = BTreeMap::new();
    for said in words {
        of_each.entry((said.identity, said.channel)).or_default().push(said);
    }
    let mut channels = Channels::new();
    for ((_, channel), words) in of_each {
        let Some(word) = current(&words) else { continue };
        let place = channels.entry(channel).or_insert(word);
        if (word.state, word.since) > (place.state, place.since) {
            *place = word;
        }
    }
    channels
}

/// The current word of one identity on one channel. It is the newest refusal without a later grant that
/// answers it; else the newest bounce without a later grant; else the newest grant. Of two words at one
/// instant the more restrictive wins.
fn current(words: &[Said]) -> Option<Word> {
    let mut newest_yes: BTreeMap<Option<&str>, DateTime<Utc>> = BTreeMap::new();
    for said in words.iter().filter(|said| said.word.state == State::Granted) {
        let at = newest_yes.entry(said.list.as_deref()).or_insert(said.word.since);
        *at = said.word.since.max(*at);
    }
    let answered = |said: &Said| {
        let scopes = [None, said.list.as_deref()];
        scopes.iter().any(|scope| newest_yes.get(scope).is_some_and(|yes| *yes > said.word.since))
    };
    let weight = |word: &Word| (word.state.kind(), word.since, word.state);
    let stands = words.iter().filter(|said| said.word.state == State::Granted || !answered(said));
    stands.map(|said| said.word).max_by_key(weight)
}

impl State {
    /// The kind of a word. A greater kind wins over a smaller one.
    fn kind(self) -> Kind {
        match self {
            State::Granted => Kind::Yes,
            State::Bounced => Kind::Undeliverable,
            State::Withdrawn | State::Complained => Kind::No,
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Yes,
    Undeliverable,
    No,
}

#[cfg(test)]
mod tests;
