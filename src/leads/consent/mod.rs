//! What people agree to, by channel: a gate of its own, which no score opens.
//!
//! Each identity's *consent* for a channel follows from its words and their instants, whatever order they came in:
//!
//! - **A refusal stands until the person agrees later.** A grant for one list of mails answers a refusal of that list
//!   only. A grant without a list answers everything before it.
//! - **A bounce marks its address.** It never replaces a refusal. The next grant without a list removes the mark.
//! - **A refusal holds even if a machine may have caused it**: a scanner that follows the unsubscribe link has
//!   unsubscribed the address. Only a person can grant.
//!
//! A lead's consent is the most restrictive of its identities', so joining two people never permits what one of them
//! refused. On a device that several people used, each person has the words of their own time.

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

/// How much of a list's name is kept, in characters.
const LONGEST_LIST: usize = 100;

/// A way to reach somebody.
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

/// What was last said of a channel, the least restrictive first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = ConsentState)]
pub enum State {
    /// The person agreed.
    Granted,
    /// Mails do not arrive there.
    Bounced,
    /// The person said no, or took back a yes.
    Withdrawn,
    /// The person called it spam.
    Complained,
}

/// What was said of a channel, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Word {
    /// What.
    pub state: State,
    /// When the event happened that said so.
    pub since: DateTime<Utc>,
}

/// What is known of some channels; nothing was said of the others.
pub type Channels = BTreeMap<Channel, Word>;

/// A word of one identity on a channel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Said {
    /// Whose consent.
    pub identity: IdentityId,
    /// For what.
    pub channel: Channel,
    /// What was said.
    #[serde(flatten)]
    pub word: Word,
    /// The one list of mails of which it was said; none: of the whole channel.
    pub list: Option<String>,
}

/// What one event said of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What was said.
    pub said: Said,
    /// By which event.
    pub event: EventKey,
}

/// Enters what events said; what is known already stays once.
pub async fn enter(conn: &mut PgConnection, facts: &[Fact]) -> sqlx::Result<()> {
    if facts.is_empty() { Ok(()) } else { store::enter(conn, facts).await }
}

/// Takes back what an event said: it was not a person who said so.
pub async fn forget(conn: &mut PgConnection, fact: &Fact) -> sqlx::Result<()> {
    store::forget(conn, fact.said.identity, fact.event).await
}

/// How each channel of some leads stands, of those of which anything was said.
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

/// Whether a word holds of whom this is thought: anybody may refuse, a person alone may agree.
pub fn holds(state: State, verdict: Verdict) -> bool {
    state != State::Granted || verdict != Verdict::Machine
}

/// What an event says of a channel, if anything. Its property `list`, a text or a whole number, narrows a yes or a no to
/// one list of mails of its `provider`.
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

/// The name of the list that properties name: unique among providers.
fn list(properties: &Map<String, Value>) -> Option<String> {
    let name = match properties.get("list")? {
        Value::String(name) if !name.trim().is_empty() => name.clone(),
        Value::Number(number) if number.is_i64() => number.to_string(),
        _ => return None,
    };
    let provider = properties.get("provider").and_then(Value::as_str).unwrap_or_default();
    Some(format!("{provider}/{name}").chars().take(LONGEST_LIST).collect())
}

/// What holds for one who goes by several identities: of each the word that stands, and of those the most restrictive, by
/// channel.
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

/// The word that stands of all that one identity said of one channel: the newest no that no later yes answers; else the
/// newest bounce that none answers; else the newest yes. Of two of one instant the more restrictive stands.
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
    /// Of what kind a word is, the one that stands against the others last.
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
