//! What is known of leads while they are brought up to date, whatever the model.

use std::collections::{BTreeMap, BTreeSet};

use scoring::{EventRef, profile::Fold};
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::{Additions, History, log};
use crate::{
    leads::{self, Attributes, LockedLeads, Stage},
    platform::{ids::LeadId, json},
};

/// How many attributes a lead may have, removed ones too: each event that describes the lead reads and writes all of them.
pub const MOST_ATTRIBUTES: usize = 1_000;
/// How large they may be together, in bytes.
pub const MOST_BYTES: usize = 256 * 1024;

/// How many times as much a lead may have that is joined from several, by an event or by hand: two full leads may be one person, and a
/// device after the other must not make a lead that grows without end.
const JOINED: usize = 2;

/// The leads that a transaction is about, by id.
#[derive(Default)]
pub struct People(BTreeMap<LeadId, Person>);

/// A lead's attributes in the making, and its log where that was read.
#[derive(Default)]
pub(crate) struct Person {
    pub(crate) profile: Fold,
    /// A value of the profile has changed: attribute rules must be asked again.
    pub(crate) reworded: bool,
    /// Something was said of the person, if only the same again later: the date counts when an older event comes late.
    described: bool,
    /// The names of the attributes that have another value than was stored.
    pub(crate) changed: Vec<String>,
    /// A reader sees something new of it besides: an identity has joined, or it was said what the person agrees to.
    pub(crate) named: bool,
    /// All that counts for it, what is new included; for those that are replayed.
    pub(crate) history: Option<History>,
}

impl People {
    /// Reads what is needed: the logs of `stale` leads, and the attributes of those of whom something new is said. Of the
    /// stale ones those that are `outdated` have the identities that they had: their attributes may be the same anew.
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

    /// Gives a lead the attributes of its log.
    fn replay(&mut self, lead: LeadId, mut history: History, before: Option<&Fold>, outdated: bool) {
        let person = self.0.entry(lead).or_default();
        // What moved away may have left nothing behind, and that is to be written too.
        person.described = true;
        person.profile = std::mem::take(&mut history.profile);
        let stored = || before.map(Fold::to_profile).unwrap_or_default();
        person.reworded = !outdated || person.profile.to_profile() != stored();
        person.history = Some(history);
    }

    /// Leads as they are known, `asked` with their attributes.
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

    /// The attributes of a lead of which something is said in this change.
    pub(crate) fn described(&self, lead: LeadId) -> Option<&Fold> {
        self.get(lead).filter(|person| person.described).map(|person| &person.profile)
    }

    /// Writes the attributes of those of whom something was said.
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
    /// Writes the words of those leads that may be found by others than before.
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
    /// Folds in what is said of a person; the ids of the events that would give the lead more attributes than it may have.
    /// What such an event says is left out.
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
    /// The person without what is new, by the log that has it already.
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

/// Whether a lead has room for all that an event says, even if nothing of it is known yet.
fn fits(profile: &Fold, traits: &Map<String, Value>) -> bool {
    let (attributes, bytes) = extent(profile);
    let more: usize = traits.iter().map(|(name, value)| name.len() + json::size(value) + 2).sum();
    // A name and a value take at least three bytes.
    attributes + more / 3 <= MOST_ATTRIBUTES && bytes + more <= MOST_BYTES
}

/// Whether a lead that was joined has more than two full leads, and more than it had.
pub fn is_swollen(before: Option<&Fold>, after: &Fold) -> bool {
    let (attributes, bytes) = extent(after);
    let (had, had_bytes) = before.map(extent).unwrap_or_default();
    (attributes > JOINED * MOST_ATTRIBUTES && attributes > had)
        || (bytes > JOINED * MOST_BYTES && bytes > had_bytes)
}

/// Whether a lead would have more attributes than it may, and more than it has. A lead that has too many, since it was
/// joined from several, can still be told what changes none of that.
fn exceeds(before: &Fold, after: &Fold) -> bool {
    let (attributes, bytes) = extent(after);
    if attributes <= MOST_ATTRIBUTES && bytes <= MOST_BYTES {
        return false;
    }
    let (had, had_bytes) = extent(before);
    (attributes > MOST_ATTRIBUTES && attributes > had) || (bytes > MOST_BYTES && bytes > had_bytes)
}

/// How many attributes there are, removed ones too, and about how many bytes they have.
fn extent(fold: &Fold) -> (usize, usize) {
    fold.iter().fold((0, 0), |(attributes, bytes), (name, dated)| {
        (attributes + 1, bytes + name.len() + json::size(&dated.value))
    })
}

/// What would give leads more attributes than they may have.
#[derive(Debug, Default, thiserror::Error)]
#[error("a lead would have more attributes than it may")]
pub struct Overfull {
    /// Events that say too much of a lead, by the lead and the event's id.
    pub events: BTreeSet<(LeadId, String)>,
    /// Leads that would be joined from too many.
    pub joined: BTreeSet<LeadId>,
}

impl Overfull {
    /// Notes what of a lead's news is too much, by its whole log.
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

/// Why states were not made.
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
    /// The error of a change without new events.
    pub(crate) fn without_events(self) -> sqlx::Error {
        match self {
            StateError::Database(error) => error,
            StateError::Overfull(_) => unreachable!("only a new event gives a lead more attributes"),
        }
    }
}

/// The attributes as they are stored, of those whose attributes may change: something new is said of them, or they are
/// replayed.
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

/// The names of the attributes whose values differ. Of an object that stays one, such as `company` or what was derived, the
/// members that do: `company.domain`.
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
