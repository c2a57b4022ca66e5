//! What people agree to, by channel: a gate of its own, which no score opens.
//!
//! Each identity's *consent* for a channel is the newest of its words, whatever order they came in. A no holds whoever is
//! thought to have said it: a scanner that follows the link for unsubscribing has unsubscribed the address. A yes is a
//! person's alone. A lead's is the most restrictive of its identities', so joining two people never permits what one of
//! them refused; of a device that several people used, each has the words of its own time.

pub(super) mod store;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use scoring::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::ids::{EventKey, IdentityId, LeadId};

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

/// Enters what events said; what is known already stays once.
pub async fn enter(conn: &mut PgConnection, facts: &[Fact]) -> sqlx::Result<()> {
    if facts.is_empty() { Ok(()) } else { store::enter(conn, facts).await }
}

/// Takes back what an event said: it was not a person who said so.
pub async fn forget(conn: &mut PgConnection, fact: &Fact) -> sqlx::Result<()> {
    store::forget(conn, fact.identity, fact.event).await
}

/// How each channel of some leads stands, of those of which anything was said.
pub async fn of_leads(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<BTreeMap<LeadId, Channels>> {
    let mut said: BTreeMap<LeadId, Vec<(IdentityId, Channel, Word)>> = BTreeMap::new();
    if leads.is_empty() {
        return Ok(BTreeMap::new());
    }
    for row in store::of_leads(conn, leads).await? {
        let word = Word { state: row.state, since: row.since };
        said.entry(row.lead_id).or_default().push((row.identity_id, row.channel, word));
    }
    Ok(said.into_iter().map(|(lead, words)| (lead, of_one(words))).collect())
}

/// Whether a word holds of whom this is thought: anybody may refuse, a person alone may agree.
pub fn holds(state: State, verdict: Verdict) -> bool {
    state != State::Granted || verdict != Verdict::Machine
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

/// What holds for one who goes by several identities: of each the newest word, and of those the most restrictive, by
/// channel.
pub fn of_one(words: impl IntoIterator<Item = (IdentityId, Channel, Word)>) -> Channels {
    let mut newest: BTreeMap<(IdentityId, Channel), Word> = BTreeMap::new();
    for (identity, channel, word) in words {
        let place = newest.entry((identity, channel)).or_insert(word);
        if word.outlasts(place) {
            *place = word;
        }
    }
    let mut channels = Channels::new();
    for ((_, channel), word) in newest {
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

    fn identity(number: u128) -> IdentityId {
        IdentityId(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn the_newest_word_of_an_identity_stands_and_of_one_instant_the_more_restrictive() {
        let stands = |words: &[Word]| {
            let of_mails = words.iter().map(|word| (identity(1), Channel::Email, *word));
            of_one(of_mails)[&Channel::Email]
        };

        assert_eq!(stands(&[word(State::Granted, 2), word(State::Complained, 1)]), word(State::Granted, 2));
        assert_eq!(stands(&[word(State::Complained, 1), word(State::Granted, 2)]), word(State::Granted, 2));
        assert_eq!(stands(&[word(State::Granted, 1), word(State::Withdrawn, 1)]), word(State::Withdrawn, 1));
    }

    #[test]
    fn anybody_may_refuse_and_a_person_alone_may_agree() {
        assert!(!holds(State::Granted, Verdict::Machine));
        assert!(holds(State::Granted, Verdict::Suspect) && holds(State::Granted, Verdict::Human));
        assert!(
            [State::Bounced, State::Withdrawn, State::Complained]
                .iter()
                .all(|state| holds(*state, Verdict::Machine))
        );
    }

    #[test]
    fn of_several_identities_the_most_restrictive_word_holds() {
        let words = [
            (identity(1), Channel::Email, word(State::Granted, 9)),
            (identity(2), Channel::Email, word(State::Withdrawn, 1)),
            (identity(2), Channel::Phone, word(State::Granted, 3)),
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
