//! Leads' attributes and logs while their states are brought up to date. They do not depend on the model.

use std::collections::{BTreeMap, BTreeSet};

use scoring::{EventRef, profile::Fold};
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::{Additions, History, log};
use crate::{
    leads::{self, Attributes, LockedLeads, Stage},
    platform::{ids::LeadId, json},
};

/// The most attributes that a lead may have, removed ones included. The number is bounded because each event
/// with traits reads and writes all attributes of the lead.
pub const MOST_ATTRIBUTES: usize = 1_000;
/// The most bytes that all attributes of a lead may have together.
pub const MOST_BYTES: usize = 256 * 1024;

/// The factor by which a lead that was joined from several may exceed the limits. Two full leads may be one
/// person. But a lead must not grow without end as one device after another joins it.
const JOINED: usize = 2;

/// The leads of a transaction, by id.
#[derive(Default)]
pub struct People(BTreeMap<LeadId, Person>);

/// A lead's new attributes, and its log if the log was read.
#[derive(Default)]
pub(crate) struct Person {
    pub(crate) profile: Fold,
    /// Whether a value of the profile may have changed, so that attribute rules must be evaluated again.
    pub(crate) reworded: bool,
    /// Whether an event described the person, even with the same values. The newer date must be stored too,
    /// because it wins over an older event that comes late.
    described: bool,
    /// The names of the attributes whose values differ from the stored ones.
    pub(crate) changed: Vec<String>,
    /// Whether something else changed that a reader sees: a new identity, or a word about consent.
    pub(crate) named: bool,
    /// The whole log, new events included, if the lead is replayed.
    pub(crate) history: Option<History>,
}

impl People {
    /// Reads the logs of `stale` leads, and the attributes of leads that new events describe. `outdated` are
    /// stale leads whose identities did not change, so a replay may give them the same attributes as before.
    ///
    /// # Errors
    /// [`StateError::Overfull`] if new events would give a lead too many attributes.
    pub(crate) async fn load(
        conn: &mut PgConnection,
        locked: &LockedLeads,
        additions: &Additions<'_>,
        stale: &BTreeSet<LeadId>,
        outdated: &BTreeSet<LeadId>,
    ) -> Result<People, StateError> {
        let present = locked.leads.keys().filter(|id| !locked.gone.contains_key(id));
        let named = |id| locked.named.contains(id) || locked.heard.contains(id);
        let people = present.map(|id| (*id, Person { named: named(id), ..Person::default() })).collect();
        let mut people = People(people);
        let mut before: BTreeMap<LeadId, Fold> = BTreeMap::new();
        let mut unreadable = BTreeSet::new();
        for (lead, attributes) in stored(conn, additions, stale).await? {
            match attributes {
                Attributes::Read(profile) => {
                    people.0.entry(lead).or_default().profile = profile.clone();
                    before.insert(lead, profile);
                }
                Attributes::Unreadable(why) => {
                    leads::tell_unreadable(lead, &why);
                    unreadable.insert(lead);
                }
            }
        }
        let replayed: BTreeSet<LeadId> = stale.union(&unreadable).copied().collect();
        let mut overfull = Overfull::default();
        for (lead, news) in additions.iter().filter(|(lead, _)| !replayed.contains(lead)) {
            let full = people.0.entry(*lead).or_default().describe(news);
            overfull.events.extend(full.into_iter().map(|id| (*lead, id.to_owned())));
        }
        for (lead, history) in log::read(conn, &replayed.into_iter().collect::<Vec<_>>()).await? {
            let news = additions.get(&lead).map(Vec::as_slice);
            if unreadable.contains(&lead) {
                before.insert(lead, history.before(news.unwrap_or_default()).profile);
            }
            overfull.extend(lead, &history, news, before.get(&lead));
            people.replay(lead, history, before.get(&lead), outdated.contains(&lead));
        }
        if !(overfull.events.is_empty() && overfull.joined.is_empty()) {
            return Err(StateError::Overfull(overfull));
        }
        let nothing = Fold::default();
        for (lead, person) in people.0.iter_mut().filter(|(_, person)| person.reworded) {
            person.changed = differing(before.get(lead).unwrap_or(&nothing), &person.profile);
        }
        Ok(people)
    }

    /// Gives a lead its log, and the attributes that follow from the log.
    fn replay(&mut self, lead: LeadId, mut history: History, before: Option<&Fold>, outdated: bool) {
        let person = self.0.entry(lead).or_default();
        // If identities moved away, the profile may now be empty, and the empty profile must be written too.
        person.described = true;
        person.profile = std::mem::take(&mut history.profile);
        let stored = || before.map(Fold::to_profile).unwrap_or_default();
        person.reworded = !outdated || person.profile.to_profile() != stored();
        person.history = Some(history);
    }

    /// The locked leads as they are stored. The leads `asked` get their attributes, and their attribute rules
    /// are evaluated.
    pub(crate) async fn known(
        conn: &mut PgConnection,
        locked: &LockedLeads,
        asked: &BTreeSet<LeadId>,
    ) -> sqlx::Result<People> {
        let leads: Vec<LeadId> = asked.iter().copied().collect();
        let mut people: BTreeMap<LeadId, Person> =
            locked.leads.keys().map(|id| (*id, Person::default())).collect();
        for lead in asked {
            people.entry(*lead).or_default().reworded = true;
        }
        for (lead, profile) in leads::attributes_of(conn, &leads).await? {
            people.entry(lead).or_default().profile = profile;
        }
        Ok(People(people))
    }

    pub(crate) fn get(&self, lead: LeadId) -> Option<&Person> {
        self.0.get(&lead)
    }

    /// The attributes of a lead, if an event of this change described the lead.
    pub(crate) fn described(&self, lead: LeadId) -> Option<&Fold> {
        self.get(lead).filter(|person| person.described).map(|person| &person.profile)
    }

    /// Writes the attributes of the leads that events of this change described.
    pub(crate) async fn write(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        let (leads, attributes): (Vec<LeadId>, Vec<Value>) = self
            .0
            .iter()
            .filter(|(_, person)| person.described)
            .map(|(lead, person)| {
                (*lead, serde_json::to_value(&person.profile).expect("attributes are plain data"))
            })
            .unzip();
        if leads.is_empty() { Ok(()) } else { leads::upsert_profiles(conn, &leads, &attributes).await }
    }
}

impl People {
    /// Writes the search words of the leads whose words may have changed.
    pub(crate) async fn write_words(
        &self,
        conn: &mut PgConnection,
        locked: &LockedLeads,
    ) -> sqlx::Result<()> {
        let (mut leads, mut profiles) = (Vec::new(), BTreeMap::new());
        for (id, person) in &self.0 {
            let Some(lead) = locked.leads.get(id) else { continue };
            let was_stranger = locked.before(*id).is_some_and(|before| before.stage() == Stage::Anonymous);
            let other_names = was_stranger
                || [&locked.named, &locked.moved].iter().any(|leads| leads.contains(id))
                || locked.created.contains(id);
            let known = lead.stage() != Stage::Anonymous;
            if (known && other_names) || person.changed.iter().any(|name| leads::counts_as_words(name)) {
                leads.push(*id);
                if person.described {
                    profiles.insert(*id, person.profile.clone());
                }
            }
        }
        leads::write_words(conn, &leads, profiles).await
    }
}

impl Person {
    /// Folds in the traits of new events. Returns the ids of the events that would give the lead too many
    /// attributes. The traits of such events are left out.
    fn describe<'a>(&mut self, news: &[EventRef<'a>]) -> Vec<&'a str> {
        let mut full = Vec::new();
        for event in news {
            let Some(traits) = event.facts() else { continue };
            let (at, id) = (event.occurred_at, event.id);
            if !fits(&self.profile, traits) {
                let mut after = self.profile.clone();
                after.apply(traits, at, id);
                if exceeds(&self.profile, &after) {
                    full.push(id);
                    continue;
                }
            }
            self.described = true;
            self.reworded |= self.profile.apply(traits, at, id);
        }
        full
    }
}

impl History {
    /// The person before the new events. The log must contain the new events already.
    fn before(&self, news: &[EventRef<'_>]) -> Person {
        let new: BTreeSet<&str> = news.iter().map(|event| event.id).collect();
        let mut profile = Fold::default();
        for event in self.events.iter().filter(|event| !new.contains(event.id.as_str())) {
            if let Some(traits) = event.as_ref().facts() {
                profile.apply(traits, event.occurred_at, &event.id);
            }
        }
        Person { profile, ..Person::default() }
    }
}

/// Whether a lead has room for all traits of an event, even if every trait is a new attribute.
fn fits(profile: &Fold, traits: &Map<String, Value>) -> bool {
    let (attributes, bytes) = extent(profile);
    let more: usize = traits.iter().map(|(name, value)| name.len() + json::size(value) + 2).sum();
    // A name and a value take at least three bytes.
    attributes + more / 3 <= MOST_ATTRIBUTES && bytes + more <= MOST_BYTES
}

/// Whether a joined lead exceeds twice the limits ([`MOST_ATTRIBUTES`], [`MOST_BYTES`]) and has more than
/// before.
pub fn is_swollen(before: Option<&Fold>, after: &Fold) -> bool {
    let (attributes, bytes) = extent(after);
    let (had, had_bytes) = before.map(extent).unwrap_or_default();
    (attributes > JOINED * MOST_ATTRIBUTES && attributes > had)
        || (bytes > JOINED * MOST_BYTES && bytes > had_bytes)
}

/// Whether a lead would exceed the limits and have more than before. A lead that exceeds them already,
/// because it was joined from several, may still get traits that do not make it larger.
fn exceeds(before: &Fold, after: &Fold) -> bool {
    let (attributes, bytes) = extent(after);
    if attributes <= MOST_ATTRIBUTES && bytes <= MOST_BYTES {
        return false;
    }
    let (had, had_bytes) = extent(before);
    (attributes > MOST_ATTRIBUTES && attributes > had) || (bytes > MOST_BYTES && bytes > had_bytes)
}

/// The number of attributes, removed ones included, and about how many bytes they have together.
fn extent(fold: &Fold) -> (usize, usize) {
    fold.iter().fold((0, 0), |(attributes, bytes), (name, dated)| {
        (attributes + 1, bytes + name.len() + json::size(&dated.value))
    })
}

/// The events and joins that would give leads too many attributes.
#[derive(Debug, Default, thiserror::Error)]
#[error("a lead would have too many or too large attributes")]
pub struct Overfull {
    /// Events whose traits do not fit, by lead and event id.
    pub events: BTreeSet<(LeadId, String)>,
    /// Leads that would become too large because leads are joined.
    pub joined: BTreeSet<LeadId>,
}

impl Overfull {
    /// Notes which new events of a replayed lead do not fit, and whether the lead became too large.
    fn extend(
        &mut self,
        lead: LeadId,
        history: &History,
        news: Option<&[EventRef<'_>]>,
        before: Option<&Fold>,
    ) {
        let Some(news) = news else { return };
        let full = history.before(news).describe(news);
        self.events.extend(full.into_iter().map(|id| (lead, id.to_owned())));
        if is_swollen(before, &history.profile) {
            self.joined.insert(lead);
        }
    }
}

/// Why the states could not be computed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Events would give a lead too many attributes: roll back, and begin again without them.
    #[error(transparent)]
    Overfull(Overfull),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl StateError {
    /// The error as a database error, for a change without new events.
    pub(crate) fn without_events(self) -> sqlx::Error {
        match self {
            StateError::Database(error) => error,
            StateError::Overfull(_) => unreachable!("only a new event gives a lead more attributes"),
        }
    }
}

/// The stored attributes of the leads that new events describe or that are replayed.
async fn stored(
    conn: &mut PgConnection,
    additions: &Additions<'_>,
    stale: &BTreeSet<LeadId>,
) -> sqlx::Result<Vec<(LeadId, Attributes)>> {
    let described = additions
        .iter()
        .filter(|(_, news)| news.iter().any(|event| event.facts().is_some()))
        .map(|(lead, _)| *lead);
    let asked: BTreeSet<LeadId> = described.chain(stale.iter().copied()).collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let rows = leads::profiles_of(conn, &asked.into_iter().collect::<Vec<_>>()).await?;
    Ok(rows.into_iter().map(|row| (row.lead_id, row.attributes)).collect())
}

/// The names of the attributes whose values differ. If both values are objects, such as `company` or
/// `derived`, names the members that differ: `company.domain`.
fn differing(before: &Fold, after: &Fold) -> Vec<String> {
    let (before, after) = (before.to_profile(), after.to_profile());
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut differing = Vec::new();
    for name in names {
        match (before.get(name), after.get(name)) {
            (one, other) if one == other => {}
            (Some(Value::Object(one)), Some(Value::Object(other))) => {
                let members: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
                let members = members.into_iter().filter(|member| one.get(*member) != other.get(*member));
                differing.extend(members.map(|member| format!("{name}.{member}")));
            }
            _ => differing.push(name.clone()),
        }
    }
    differing
}
