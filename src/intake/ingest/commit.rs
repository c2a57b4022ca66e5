//! Writing a batch of events in one transaction.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use scoring::{Verdict, event::VERDICT_CHANGED};
use sqlx::PgConnection;

use super::{
    Outcome,
    event::NewEvent,
    rejection::{Refused, Rejection},
    store,
    types::Types,
};
use crate::{
    intake::verdicts::{self, Decided, Decision},
    leads::{
        LockedLeads, Mention, ResolveError,
        consent::{self, Fact},
    },
    lifecycle::{
        Lifecycle,
        change::{Applied, Begun, LeadChange, NotApplied},
    },
    platform::ids::{EventKey, IdentityId, KeyId, LeadId},
    scores::{self, Additions, Overfull, State, StateError},
};

/// What a writer task works with.
#[derive(Debug, Clone)]
pub(crate) struct WriterContext {
    /// The lifecycle, on connections that only writers use.
    pub(crate) lifecycle: Lifecycle,
    /// The types of events that the log has held.
    pub(crate) types: Types,
}

/// An event to be written, and whether the answer must contain its lead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) event: &'a NewEvent,
    pub(super) want_lead: bool,
}

/// A refused item, with the key of its request and when it came.
pub(super) type Refusal<'a> = (Option<KeyId>, DateTime<Utc>, &'a Refused);

/// The key of an event in the log.
pub(super) type Place = (IdentityId, EventKey);

impl WriterContext {
    /// Writes a batch, all of it or nothing. Returns the outcome of each item, in order.
    pub(super) async fn commit(
        &self,
        items: &[Item<'_>],
        refused: &[Refusal<'_>],
    ) -> Result<Vec<Outcome>, ResolveError> {
        let mut begun = LeadChange::begin(&self.lifecycle).await?;
        if !refused.is_empty() {
            store::insert_refused(begun.conn(), &self.lifecycle.ids, refused).await?;
        }
        let outcomes = write(begun, items).await?;
        let accepted =
            items.iter().zip(&outcomes).filter(|(_, outcome)| matches!(outcome, Outcome::Accepted(_)));
        self.types.note(&self.lifecycle.db, accepted.map(|(item, _)| item.event.kind.as_str())).await;
        Ok(outcomes)
    }
}

/// Writes the items, and commits. Returns the outcome of each item, in order.
async fn write(begun: Begun<'_>, items: &[Item<'_>]) -> Result<Vec<Outcome>, ResolveError> {
    if items.is_empty() {
        begun.commit().await?;
        return Ok(Vec::new());
    }
    let Entered { log, applied } = enter(begun, items).await?;
    let state = |item: &Item<'_>| -> Option<State> {
        let lead = lead_of(&applied.leads, item.event).filter(|_| item.want_lead)?;
        applied.states.get(&lead).cloned()
    };
    let outcome = |(index, item): (usize, &Item<'_>)| match log.said(index, item.event) {
        Said::New => Outcome::Accepted(state(item)),
        Said::Before => Outcome::Duplicate(state(item)),
        Said::Otherwise => Outcome::Rejected(id_conflict()),
    };
    let outcomes = items.iter().enumerate().map(outcome).collect();
    applied.commit().await?;
    Ok(outcomes)
}

/// Resolves the identities that the items name, appends the new events to the log, judges what may be a machine's doing, and
/// changes the leads.
pub(super) async fn enter(mut begun: Begun<'_>, items: &[Item<'_>]) -> Result<Entered, ResolveError> {
    let (leads, log) = resolve_and_append(&mut begun, items).await?;
    let mut change = begun.with(leads).await?;
    let facts: Vec<Fact> = facts(items, &log).collect();
    let decisions = decisions(items, &log);
    let owners: BTreeSet<LeadId> = facts.iter().filter_map(|fact| owner(change.leads(), fact)).collect();
    let decided: BTreeSet<LeadId> =
        decisions.iter().filter_map(|(_, event)| lead_of(change.leads(), event)).collect();
    change.watch_consents(owners.union(&decided).copied()).await?;
    judge(&mut change, items, &log).await?;
    carry_out(&mut change, decisions).await?;
    consent::enter(change.conn(), &facts).await?;
    change.heard(owners);
    let additions = additions(change.leads(), items, &log);
    keep_touched(&mut change, items, &additions);
    let applied = change.apply_adding(&additions).await.map_err(|NotApplied { why, leads }| match why {
        StateError::Overfull(overfull) => ResolveError::Overfull(too_full(items, &leads, &overfull)),
        StateError::Database(error) => ResolveError::Database(error),
    })?;
    Ok(Entered { log, applied })
}

/// Resolves the identities that the items name to locked leads, and appends the new events to the log.
async fn resolve_and_append<'a>(
    begun: &mut Begun<'_>,
    items: &[Item<'a>],
) -> Result<(LockedLeads, Log), ResolveError> {
    let repeated = repeated_joins(begun.conn(), items).await?;
    let mention = |(index, item): (usize, &Item<'a>)| Mention {
        named: &item.event.named,
        at: item.event.occurred_at,
        new: !repeated.contains(&index),
    };
    let mentions: Vec<Mention<'_>> = items.iter().enumerate().map(mention).collect();
    let leads = begun.resolve(&mentions).await?;
    let log = Log::append(begun.conn(), items).await?;
    // Another writer wrote the same identify at the same time. That writer joins the leads, so this batch
    // begins again.
    let is_late =
        |(index, mention): (usize, &Mention<'_>)| mention.joins() && !log.is_new(index, items[index].event);
    if mentions.iter().enumerate().any(is_late) {
        return Err(ResolveError::Changed);
    }
    Ok((leads, log))
}

/// The result of writing a batch, before the commit.
pub(super) struct Entered {
    pub(super) log: Log,
    pub(super) applied: Applied,
}

/// Returns the events to refuse because a lead would get too many attributes: those that add attributes, and
/// those that join leads.
///
/// If no event of a lead names a join, because it only makes a stranger known, all events of the lead are
/// refused.
fn too_full(items: &[Item<'_>], leads: &LockedLeads, overfull: &Overfull) -> Vec<Place> {
    let joins = |event: &NewEvent| !event.named.links().is_empty();
    let told: BTreeSet<LeadId> =
        items.iter().filter(|item| joins(item.event)).filter_map(|item| lead_of(leads, item.event)).collect();
    let refused = |event: &&NewEvent| {
        lead_of(leads, event).is_some_and(|lead| {
            overfull.events.contains(&(lead, event.id.clone()))
                || (overfull.joined.contains(&lead) && (joins(event) || !told.contains(&lead)))
        })
    };
    items.iter().map(|item| item.event).filter(refused).map(place).collect()
}

/// The rejection of an event that would give its lead too many attributes.
pub(super) fn too_many_attributes() -> Rejection {
    let detail = format!(
        "a lead has at most {} attributes, removed ones included, with at most {} KiB together",
        scores::MOST_ATTRIBUTES,
        scores::MOST_BYTES / 1024
    );
    Rejection::new("too_many_attributes", detail)
}

/// The rejection of an event whose id belongs to another event.
pub(super) fn id_conflict() -> Rejection {
    Rejection::new("id_conflict", "this id belongs to another event of the lead; the first event stays")
}

/// The key of an event in the log.
pub(super) fn place(event: &NewEvent) -> Place {
    (event.named.principal().id(), event.key)
}

/// The lead that an event counts for.
pub(super) fn lead_of(locked: &LockedLeads, event: &NewEvent) -> Option<LeadId> {
    locked.lead_at(event.named.principal().id(), event.occurred_at)
}

/// Returns the items that join identities but are in the log already, or repeat an earlier item of the batch.
/// They say nothing new, and must not join again. The corrected time of a repetition may differ, because it
/// took another time to arrive.
async fn repeated_joins(conn: &mut PgConnection, items: &[Item<'_>]) -> sqlx::Result<HashSet<usize>> {
    let mut first: HashMap<Place, usize> = HashMap::new();
    let mut joining: Vec<(usize, Place)> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let place = place(item.event);
        first.entry(place).or_insert(index);
        if !item.event.named.links().is_empty() {
            joining.push((index, place));
        }
    }
    if joining.is_empty() {
        return Ok(HashSet::new());
    }
    let (identities, keys): (Vec<IdentityId>, Vec<EventKey>) =
        joining.iter().map(|(_, place)| *place).unzip();
    let known = store::known(conn, &identities, &keys).await?;
    let known: HashSet<Place> = known.iter().map(|one| (one.identity_id, one.event_key)).collect();
    let repeated = |(index, place): &(usize, Place)| known.contains(place) || first[place] != *index;
    Ok(joining.iter().filter(|one| repeated(one)).map(|(index, _)| *index).collect())
}

/// Whether the log knows an item.
pub(super) enum Said {
    /// The event is new.
    New,
    /// The same event was in the log before, or earlier in the batch.
    Before,
    /// The log has another event under the same id.
    Otherwise,
}

/// What the log knew about the items of a batch, and what was added.
pub(super) struct Log {
    /// For each event, the index of the first item that brought it.
    first: HashMap<Place, usize>,
    /// The events that were added.
    fresh: HashSet<Place>,
    /// The digest that the log holds for each event.
    digests: HashMap<Place, i64>,
}

impl Log {
    /// Appends the events that are not in the log yet. If several have the same id, the first is appended.
    async fn append(conn: &mut PgConnection, items: &[Item<'_>]) -> sqlx::Result<Log> {
        let mut first = HashMap::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            first.entry(place(item.event)).or_insert(index);
        }
        let mut events: Vec<&NewEvent> = first.values().map(|index| items[*index].event).collect();
        events.sort_unstable_by_key(|event| place(event));
        let fresh: HashSet<Place> = store::insert(conn, &events).await?.into_iter().collect();
        let mut digests: HashMap<Place, i64> =
            events.iter().map(|event| (place(event), event.digest)).collect();
        let (identities, keys): (Vec<IdentityId>, Vec<EventKey>) =
            digests.keys().filter(|place| !fresh.contains(place)).copied().unzip();
        if !keys.is_empty() {
            for known in store::known(conn, &identities, &keys).await? {
                digests.insert((known.identity_id, known.event_key), known.digest);
            }
        }
        Ok(Log { first, fresh, digests })
    }

    fn is_new(&self, index: usize, event: &NewEvent) -> bool {
        matches!(self.said(index, event), Said::New)
    }

    pub(super) fn said(&self, index: usize, event: &NewEvent) -> Said {
        let place = place(event);
        if !self.digests.get(&place).is_some_and(|digest| event.repeats(*digest)) {
            Said::Otherwise
        } else if self.fresh.contains(&place) && self.first.get(&place) == Some(&index) {
            Said::New
        } else {
            Said::Before
        }
    }
}

/// Judges the mails of the new events again. Leads with events that count differently now are marked for
/// replay.
async fn judge(change: &mut LeadChange<'_>, items: &[Item<'_>], log: &Log) -> sqlx::Result<()> {
    let fresh = items.iter().enumerate().filter(|(index, item)| log.is_new(*index, item.event));
    let mails: Vec<(IdentityId, &str)> = fresh.filter_map(|(_, item)| item.event.mail()).collect();
    if mails.is_empty() {
        return Ok(());
    }
    let now = change.now();
    for changed in verdicts::judge_mails(change.conn(), now, &mails).await? {
        change.requalify_owner(changed.identity_id, changed.occurred_at);
    }
    Ok(())
}

/// Returns the new decisions of people about events, the earliest first, each with the event that holds it.
fn decisions<'a>(items: &[Item<'a>], log: &Log) -> Vec<(Decision, &'a NewEvent)> {
    let new = |(index, item): (usize, &Item<'a>)| log.is_new(index, item.event).then_some(item.event);
    let said = items.iter().enumerate().filter_map(new).filter(|event| event.kind == VERDICT_CHANGED);
    let mut decisions: Vec<(Decision, &NewEvent)> =
        said.filter_map(|event| Some((Decision::read(&event.properties)?, event))).collect();
    decisions.sort_by_key(|(_, event)| (event.occurred_at, &event.id));
    decisions
}

/// Carries out people's decisions about events. Leads with events that count differently now are marked for
/// replay.
async fn carry_out(change: &mut LeadChange<'_>, decisions: Vec<(Decision, &NewEvent)>) -> sqlx::Result<()> {
    for (decision, event) in decisions {
        let Some(lead) = lead_of(change.leads(), event) else { continue };
        for decided in decision.carry_out(change.conn(), lead, event.occurred_at).await? {
            change.requalify(lead);
            agree(change.conn(), &decided, decision.verdict).await?;
        }
    }
    Ok(())
}

/// Applies or removes an event's consent, following the verdict of a person.
async fn agree(conn: &mut PgConnection, decided: &Decided, verdict: Verdict) -> sqlx::Result<()> {
    let Decided { identity_id, event_key, occurred_at, kind, properties, .. } = decided;
    let fact = consent::fact(*identity_id, *event_key, *occurred_at, kind, properties);
    let Some(fact) = fact else { return Ok(()) };
    if consent::holds(fact.said.word.state, verdict) {
        consent::enter(conn, &[fact]).await
    } else {
        consent::forget(conn, &fact).await
    }
}

/// Returns the new events by the lead that they count for. Events in quarantine are left out.
fn additions<'a>(locked: &LockedLeads, items: &[Item<'a>], log: &Log) -> Additions<'a> {
    let mut additions = Additions::new();
    for (index, item) in items.iter().enumerate() {
        let counts = log.is_new(index, item.event) && item.event.held_until.is_none();
        if let Some(lead) = lead_of(locked, item.event).filter(|_| counts) {
            additions.entry(lead).or_default().push(item.event.as_scored());
        }
    }
    additions
}

/// Returns the words of consent that the new events say.
fn facts<'a>(items: &'a [Item<'a>], log: &'a Log) -> impl Iterator<Item = Fact> + 'a {
    items.iter().enumerate().filter_map(|(index, Item { event, .. })| {
        let (identity, event_key) = place(event);
        let fact = consent::fact(identity, event_key, event.occurred_at, &event.kind, &event.properties)?;
        let holds = consent::holds(fact.said.word.state, verdicts::verdict(event.finding));
        (holds && log.is_new(index, event)).then_some(fact)
    })
}

/// The lead whose identity said a word of consent.
fn owner(locked: &LockedLeads, fact: &Fact) -> Option<LeadId> {
    locked.lead_at(fact.said.identity, fact.said.word.since)
}

/// Removes leads that only have repeated events from the change, unless an answer must contain them.
fn keep_touched(change: &mut LeadChange<'_>, items: &[Item<'_>], additions: &Additions<'_>) {
    let wanted = items.iter().filter(|item| item.want_lead);
    let wanted: HashSet<LeadId> = wanted.filter_map(|item| lead_of(change.leads(), item.event)).collect();
    change.keep(|lead| additions.contains_key(&lead) || wanted.contains(&lead));
}
