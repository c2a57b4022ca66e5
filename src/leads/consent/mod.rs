//! What people agree to, by channel: a gate of its own, which no score opens.
//!
//! Each identity's *consent* for a channel is the newest word of its events, whatever order they came in and whoever is
//! thought to have caused them: a scanner that follows the link for unsubscribing has unsubscribed the address. A lead's
//! is the most restrictive of its identities', so joining two people never permits what one of them refused.

pub(super) mod store;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::ids::{EventKey, IdentityId};

/// The type of the event by which somebody records a consent.
pub const CONSENT_CHANGED: &str = "consent_changed";

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

/// What one event said of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// Whose consent.
    pub identity: IdentityId,
    /// For what.
    pub channel: Channel,
    /// What was said.
    pub word: Word,
    /// By which event.
    pub event: EventKey,
}

/// Enters what events said; those facts come back by which an identity's consent has changed.
pub async fn enter(
    conn: &mut PgConnection,
    facts: impl IntoIterator<Item = Fact>,
) -> sqlx::Result<Vec<Fact>> {
    let facts = newest(facts);
    if facts.is_empty() {
        return Ok(facts);
    }
    let identities: Vec<IdentityId> = facts.iter().map(|fact| fact.identity).collect();
    let before: HashMap<(IdentityId, Channel), State> = store::of(conn, &identities)
        .await?
        .into_iter()
        .map(|row| ((row.identity_id, row.channel), row.state))
        .collect();
    let stand = store::enter(conn, &facts).await?;
    let changes = |fact: &Fact| {
        let place = (fact.identity, fact.channel);
        stand.contains(&place) && before.get(&place) != Some(&fact.word.state)
    };
    Ok(facts.into_iter().filter(changes).collect())
}

/// What an event of this type says of a channel, if anything.
pub fn said(kind: &str, properties: &Map<String, Value>) -> Option<(Channel, State)> {
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

impl Word {
    /// Whether it stands against another of the same identity: the newer does, and of two of one instant the more
    /// restrictive.
    pub fn outlasts(&self, other: &Word) -> bool {
        (self.since, self.state) > (other.since, other.state)
    }
}

/// Of several facts those that stand, one an identity and channel.
fn newest(facts: impl IntoIterator<Item = Fact>) -> Vec<Fact> {
    let mut newest: BTreeMap<(IdentityId, Channel), Fact> = BTreeMap::new();
    for fact in facts {
        let place = newest.entry((fact.identity, fact.channel)).or_insert(fact);
        if fact.word.outlasts(&place.word) {
            *place = fact;
        }
    }
    newest.into_values().collect()
}

/// What holds for one who goes by several identities: the most restrictive, by channel.
pub fn of_one(words: impl IntoIterator<Item = (Channel, Word)>) -> Channels {
    let mut channels = Channels::new();
    for (channel, word) in words {
        let place = channels.entry(channel).or_insert(word);
        if (word.state, word.since) > (place.state, place.since) {
            *place = word;
        }
    }
    channels
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn word(state: State, hours: i64) -> Word {
        Word { state, since: DateTime::UNIX_EPOCH + TimeDelta::hours(hours) }
    }

    #[test]
    fn the_newest_word_of_an_identity_stands_and_of_one_instant_the_more_restrictive() {
        assert!(word(State::Granted, 2).outlasts(&word(State::Complained, 1)));
        assert!(word(State::Withdrawn, 1).outlasts(&word(State::Granted, 1)));
        assert!(!word(State::Granted, 1).outlasts(&word(State::Granted, 1)));
    }

    #[test]
    fn of_several_identities_the_most_restrictive_word_holds() {
        let words = [
            (Channel::Email, word(State::Granted, 9)),
            (Channel::Email, word(State::Withdrawn, 1)),
            (Channel::Phone, word(State::Granted, 3)),
        ];

        let channels = of_one(words);

        assert_eq!(channels[&Channel::Email], word(State::Withdrawn, 1));
        assert_eq!(channels[&Channel::Phone].state, State::Granted);
        assert_eq!(channels.get(&Channel::Sms), None);
    }

    #[test]
    fn a_full_mailbox_says_nothing_of_consent() {
        let bounce = |kind: &str| Map::from_iter([("bounce_type".to_owned(), Value::from(kind))]);
        assert_eq!(said("email_bounced", &bounce("soft")), None);
        assert_eq!(said("email_bounced", &bounce("hard")), Some((Channel::Email, State::Bounced)));
        assert_eq!(said("email_bounced", &Map::new()), Some((Channel::Email, State::Bounced)));
    }
}
