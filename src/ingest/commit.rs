//! One batch, one transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use scoring::{Verdict, event::VERDICT_CHANGED};
use sqlx::{PgConnection, PgPool};

use super::{
    Outcome,
    event::NewEvent,
    rejection::{Refused, Rejection},
    store,
    types::Types,
};
use crate::{
    clock::Clock,
    ids::{EventKey, IdentityId, Ids, KeyId, LeadId},
    leads::{
        self, Mention, ResolveError, Resolved,
        consent::{self, Fact},
    },
    models::{self, Live},
    policy::Policies,
    qualification::Frame,
    scores::{self, Additions, Overfull, Standing},
    verdicts::{self, Decided, Decision},
};

/// What a writer works with.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) pool: PgPool,
    pub(crate) live: Live,
    pub(crate) policies: Policies,
    pub(crate) clock: Clock,
    pub(crate) ids: std::sync::Arc<Ids>,
    pub(crate) types: Types,
}

/// An event, and whether its sender wants to know how the lead stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) event: &'a NewEvent,
    pub(super) want_lead: bool,
}

/// An item that was refused, and with which key and when it came.
pub(super) type Refusal<'a> = (Option<KeyId>, DateTime<Utc>, &'a Refused);

/// Where an event stands in the log.
pub(super) type Place = (IdentityId, EventKey);

impl Desk {
    /// Writes a batch: all of it or nothing. Each item's outcome comes back in its place.
    pub(super) async fn commit(
        &self,
        items: &[Item<'_>],
        refused: &[Refusal<'_>],
    ) -> Result<Vec<Outcome>, ResolveError> {
        let mut tx = models::begin(&self.pool).await?;
        let outcomes = self.write(&mut tx, items).await?;
        if !refused.is_empty() {
            store::insert_refused(&mut tx, &self.ids, refused).await?;
        }
        tx.commit().await?;
        let accepted =
            items.iter().zip(&outcomes).filter(|(_, outcome)| matches!(outcome, Outcome::Accepted(_)));
        self.types.note(&self.pool, accepted.map(|(item, _)| item.event.kind.as_str())).await;
        Ok(outcomes)
    }

    async fn write(&self, conn: &mut PgConnection, items: &[Item<'_>]) -> Result<Vec<Outcome>, ResolveError> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let Entered { resolved, log, standings } = self.enter(conn, items).await?;
        let standing = |item: &Item<'_>| -> Option<Standing> {
            let lead = lead_of(&resolved, item.event).filter(|_| item.want_lead)?;
            standings.get(&lead).cloned()
        };
        let outcome = |(index, item): (usize, &Item<'_>)| match log.said(index, item.event) {
            Said::New => Outcome::Accepted(standing(item)),
            Said::Before => Outcome::Duplicate(standing(item)),
            Said::Otherwise => Outcome::Rejected(id_conflict()),
        };
        Ok(items.iter().enumerate().map(outcome).collect())
    }

    /// Resolves what the items name, appends those that are new, and scores the leads.
    pub(super) async fn enter<'a>(
        &self,
        conn: &mut PgConnection,
        items: &[Item<'a>],
    ) -> Result<Entered, ResolveError> {
        let repeated = repeated_joins(conn, items).await?;
        let mention = |(index, item): (usize, &Item<'a>)| Mention {
            named: &item.event.named,
            at: item.event.occurred_at,
            new: !repeated.contains(&index),
        };
        let mentions: Vec<Mention<'_>> = items.iter().enumerate().map(mention).collect();
        let mut resolved = leads::resolve(conn, &self.ids, self.clock.now(), &mentions).await?;
        let log = Log::append(conn, items).await?;
        // Somebody else brought the same identify at the same moment: what it joined is theirs to say.
        if mentions
            .iter()
            .enumerate()
            .any(|(index, mention)| mention.joins() && !log.is_new(index, items[index].event))
        {
            return Err(ResolveError::Changed);
        }
        let facts: Vec<Fact> = facts(items, &log).collect();
        let owners: BTreeSet<LeadId> = facts.iter().filter_map(|fact| owner(&resolved, fact)).collect();
        let decisions = decisions(items, &log);
        let decided = decisions.iter().filter_map(|(_, event)| lead_of(&resolved, event));
        let asked: BTreeSet<LeadId> = owners.iter().copied().chain(decided).collect();
        // Of whoever has got other identities all is told anew; of the others what is new.
        let joined: BTreeSet<LeadId> = resolved.moved.iter().copied().collect();
        let before = consent::of_leads(conn, &asked.difference(&joined).copied().collect::<Vec<_>>()).await?;
        judge(conn, self.clock.now(), &mut resolved, items, &log).await?;
        carry_out(conn, &mut resolved, decisions).await?;
        consent::enter(conn, &facts).await?;
        resolved.heard.extend(owners);
        let additions = additions(&resolved, items, &log);
        keep_touched(&mut resolved, items, &additions);
        let scored = self.live.scored(conn).await?;
        let policy = self.policies.current(conn).await?;
        let frame = Frame { scored: &scored, policy: &policy, now: self.clock.now(), ids: &self.ids };
        let standings = scores::apply(conn, frame, &mut resolved, &additions).await;
        let standings = standings.map_err(|error| match scores::overfull(error) {
            Ok(overfull) => ResolveError::Overfull(too_full(items, &resolved, &overfull)),
            Err(error) => ResolveError::Database(error),
        })?;
        scores::tell_consents(conn, frame, &resolved, asked.into_iter().chain(joined), &before).await?;
        Ok(Entered { resolved, log, standings })
    }
}

/// What is so once a batch has been entered, before the commit.
pub(super) struct Entered {
    pub(super) resolved: Resolved,
    pub(super) log: Log,
    standings: BTreeMap<LeadId, Standing>,
}

/// The events that cannot be taken: those that say too much of a lead, and those that join too many. If no event of a lead
/// says that it joins, as where it only makes somebody known, all are meant.
fn too_full(items: &[Item<'_>], resolved: &Resolved, overfull: &Overfull) -> Vec<Place> {
    let of = |event: &NewEvent| lead_of(resolved, event);
    let joins = |event: &NewEvent| !event.named.links().is_empty();
    let told: BTreeSet<LeadId> =
        items.iter().filter(|item| joins(item.event)).filter_map(|item| of(item.event)).collect();
    let refused = |event: &&NewEvent| {
        of(event).is_some_and(|lead| {
            overfull.events.contains(&(lead, event.id.clone()))
                || (overfull.joined.contains(&lead) && (joins(event) || !told.contains(&lead)))
        })
    };
    items.iter().map(|item| item.event).filter(refused).map(place).collect()
}

/// Why an event is not taken that would give its lead too many attributes.
pub(super) fn too_many_attributes() -> Rejection {
    let detail = format!(
        "a lead has at most {} attributes, removed ones included, with at most {} KiB together",
        scores::MOST_ATTRIBUTES,
        scores::MOST_BYTES / 1024
    );
    Rejection::new("too_many_attributes", detail)
}

/// Why an event is not taken whose id is that of another.
pub(super) fn id_conflict() -> Rejection {
    Rejection::new("id_conflict", "this id belongs to another event of the lead; the first event stays")
}

pub(super) fn place(event: &NewEvent) -> Place {
    (event.named.principal().id(), event.key)
}

pub(super) fn lead_of(resolved: &Resolved, event: &NewEvent) -> Option<LeadId> {
    resolved.lead_at(event.named.principal().id(), event.occurred_at)
}

/// The items that join identities but are known already, or repeat an earlier one of the batch: they say nothing new,
/// and a repetition's corrected time may differ by how long it was under way.
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

/// What an item says, by the log.
pub(super) enum Said {
    New,
    Before,
    /// Another content is known under its id.
    Otherwise,
}

/// What the log held and holds now, for the items of a batch.
pub(super) struct Log {
    /// The index of the item that was the first to bring an event.
    first: HashMap<Place, usize>,
    fresh: HashSet<Place>,
    digests: HashMap<Place, i64>,
}

impl Log {
    /// Appends the events that are not there yet. Of several with one id, the first is kept.
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

/// Looks again at the mails of which something new is said. Leads for which an event counts otherwise by it are to be replayed.
async fn judge(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    resolved: &mut Resolved,
    items: &[Item<'_>],
    log: &Log,
) -> sqlx::Result<()> {
    let fresh = items.iter().enumerate().filter(|(index, item)| log.is_new(*index, item.event));
    let mails: Vec<(IdentityId, &str)> = fresh.filter_map(|(_, item)| item.event.mail()).collect();
    if mails.is_empty() {
        return Ok(());
    }
    for changed in verdicts::judge_mails(conn, now, &mails).await? {
        if let Some(lead) = resolved.lead_at(changed.identity_id, changed.occurred_at) {
            resolved.doubt(lead);
        }
    }
    Ok(())
}

/// What people have decided on events, the earliest first, each with the event that says so.
fn decisions<'a>(items: &[Item<'a>], log: &Log) -> Vec<(Decision, &'a NewEvent)> {
    let new = |(index, item): (usize, &Item<'a>)| log.is_new(index, item.event).then_some(item.event);
    let said = items.iter().enumerate().filter_map(new).filter(|event| event.kind == VERDICT_CHANGED);
    let mut decisions: Vec<(Decision, &NewEvent)> =
        said.filter_map(|event| Some((Decision::read(&event.properties)?, event))).collect();
    decisions.sort_by_key(|(_, event)| (event.occurred_at, &event.id));
    decisions
}

/// Carries decisions out. Leads for which an event counts otherwise by one are to be replayed.
async fn carry_out(
    conn: &mut PgConnection,
    resolved: &mut Resolved,
    decisions: Vec<(Decision, &NewEvent)>,
) -> sqlx::Result<()> {
    for (decision, event) in decisions {
        let Some(lead) = lead_of(resolved, event) else { continue };
        for decided in decision.carry_out(conn, lead, event.occurred_at).await? {
            resolved.doubt(lead);
            agree(conn, &decided, decision.verdict).await?;
        }
    }
    Ok(())
}

/// Has what was said by an event on which somebody has decided hold, or not, as was decided.
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

/// What is new, by the lead for which it counts; what is to wait is left out.
fn additions<'a>(resolved: &Resolved, items: &[Item<'a>], log: &Log) -> Additions<'a> {
    let mut additions = Additions::new();
    for (index, item) in items.iter().enumerate() {
        let counts = log.is_new(index, item.event) && item.event.held_until.is_none();
        if let Some(lead) = lead_of(resolved, item.event).filter(|_| counts) {
            additions.entry(lead).or_default().push(item.event.as_scored());
        }
    }
    additions
}

/// What new items say of what people agree to.
fn facts<'a>(items: &'a [Item<'a>], log: &'a Log) -> impl Iterator<Item = Fact> + 'a {
    items.iter().enumerate().filter_map(|(index, Item { event, .. })| {
        let (identity, event_key) = place(event);
        let fact = consent::fact(identity, event_key, event.occurred_at, &event.kind, &event.properties)?;
        let holds = consent::holds(fact.said.word.state, verdicts::verdict(event.finding));
        (holds && log.is_new(index, event)).then_some(fact)
    })
}

fn owner(resolved: &Resolved, fact: &Fact) -> Option<LeadId> {
    resolved.lead_at(fact.said.identity, fact.said.word.since)
}

/// Leads that are only repeated are left as they are, unless somebody wants to know how they stand.
fn keep_touched(resolved: &mut Resolved, items: &[Item<'_>], additions: &Additions<'_>) {
    let wanted: HashSet<LeadId> =
        items.iter().filter(|item| item.want_lead).filter_map(|item| lead_of(resolved, item.event)).collect();
    resolved.keep(|lead| additions.contains_key(&lead) || wanted.contains(&lead));
}
