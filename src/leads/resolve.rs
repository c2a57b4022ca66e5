//! Finds the leads for which a batch of events counts. Creates and joins leads where the events require it.
//!
//! Identities are read without a lock, then their leads are locked in id order. A lead's `epoch` counts the
//! changes to its identities: if an identity moved between the read and the lock, the spans are read again.
//! Once the leads are locked, no other transaction can move their identities.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    Lead, Span, Stage,
    identity::{Fact, Identity, Kind, Named, beginning, fold},
    joining::link,
    locked::{IdentityOwner, LockedLeads},
    store,
};
use crate::platform::{
    db::Contended,
    ids::{EventKey, IdentityId, Ids, LeadId},
};

/// The identities of one event, and when it happened.
#[derive(Debug, Clone, Copy)]
pub struct Mention<'a> {
    /// The identities.
    pub named: &'a Named,
    /// When the event occurred.
    pub at: DateTime<Utc>,
    /// Whether the event is new. Only a new event makes links.
    pub new: bool,
}

impl<'a> Mention<'a> {
    /// Whether the event makes links.
    pub fn joins(&self) -> bool {
        !self.links().is_empty()
    }

    pub(super) fn links(&self) -> &'a [(Identity, Identity)] {
        if self.new { self.named.links() } else { &[] }
    }

    fn identities(&self) -> impl Iterator<Item = &'a Identity> + use<'a> {
        self.named.all().take(if self.new { usize::MAX } else { 1 })
    }
}

/// Why leads could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Another transaction changed the same identities meanwhile. Roll back and begin again.
    #[error("the identities changed while they were being read")]
    Changed,
    /// These events would give a lead too many attributes. Roll back and begin again without them.
    #[error("a lead would have too many or too large attributes")]
    Overfull(Vec<(IdentityId, EventKey)>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Contended for ResolveError {
    fn is_contended(&self) -> bool {
        match self {
            ResolveError::Changed => true,
            ResolveError::Overfull(_) => false,
            ResolveError::Database(error) => error.is_contended(),
        }
    }
}

/// Finds, creates and joins the leads of a batch. Every lead in the result is locked until the transaction
/// ends.
pub async fn resolve(
    conn: &mut PgConnection,
    ids: &Ids,
    now: DateTime<Utc>,
    mentions: &[Mention<'_>],
) -> Result<LockedLeads, ResolveError> {
    let named = distinct(mentions);
    let mut locked = LockedLeads::about(named.values().copied());
    let everybody: Vec<IdentityId> = named.keys().copied().collect();
    locked.read(conn, &everybody).await?;

    let missing: Vec<&Identity> =
        named.values().copied().filter(|identity| !locked.spans.contains_key(&identity.id())).collect();
    let claimed = claim(conn, now, &missing, &mut locked).await?;
    locked.settle(conn).await?;
    create(conn, ids, now, claimed, mentions, &mut locked).await?;
    let waiting = waiting_aliases(conn, &locked).await?;
    link(conn, mentions, waiting, &mut locked, now).await?;
    identify(&mut locked, now);
    Ok(locked)
}

/// Locks the leads of the given identities. Identities without a lead are passed over; nothing is created.
pub async fn look_up<'a>(
    conn: &mut PgConnection,
    identities: impl Iterator<Item = &'a Identity>,
) -> Result<LockedLeads, ResolveError> {
    let named: BTreeMap<IdentityId, &Identity> =
        identities.map(|identity| (identity.id(), identity)).collect();
    let mut locked = LockedLeads::about(named.values().copied());
    locked.read(conn, &named.into_keys().collect::<Vec<_>>()).await?;
    locked.settle(conn).await?;
    Ok(locked)
}

/// Locks leads in the order of their ids. Signposts are left out.
pub async fn lock(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<LockedLeads> {
    Ok(LockedLeads::of(store::lock(conn, leads).await?))
}

/// Locks a lead, or the lead at the end of its signposts. Returns `None` if there is no such lead.
pub async fn lock_heir(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Option<(LeadId, LockedLeads)>> {
    // The signposts may change until the heir is locked.
    while let Some(heir) = store::trail(conn, lead).await?.pop() {
        let found = store::lock(conn, &[heir]).await?;
        if store::trail(conn, lead).await?.pop() == Some(heir) {
            return Ok(Some((heir, LockedLeads::of(found))));
        }
    }
    Ok(None)
}

/// Locks leads as [`lock`] does, but passes over leads that another transaction has locked.
pub async fn lock_free(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<LockedLeads> {
    Ok(LockedLeads::of(store::lock_free(conn, leads).await?))
}

fn distinct<'a>(mentions: &[Mention<'a>]) -> BTreeMap<IdentityId, &'a Identity> {
    mentions.iter().flat_map(Mention::identities).map(|identity| (identity.id(), identity)).collect()
}

/// Claims identities that have no lead. Returns those that no other transaction can give a lead until this
/// one ends. If another transaction was first, waits for it and reads the spans that it made.
async fn claim<'a>(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    missing: &[&'a Identity],
    locked: &mut LockedLeads,
) -> Result<Vec<&'a Identity>, ResolveError> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let new: HashSet<IdentityId> = store::insert_identities(conn, missing, now).await?.into_iter().collect();
    let known = missing.iter().map(|identity| identity.id()).filter(|identity| !new.contains(identity));
    let known: Vec<IdentityId> = known.collect();
    locked.read(conn, &known).await?;
    // These identities were named only in passing so far. A transaction that adds events to them or gives
    // them a lead locks their rows.
    let waiting: Vec<IdentityId> =
        known.into_iter().filter(|identity| !locked.spans.contains_key(identity)).collect();
    if !waiting.is_empty() {
        store::lock_identities(conn, &waiting).await?;
        locked.read(conn, &waiting).await?;
    }
    let ours = |identity: &&Identity| !locked.spans.contains_key(&identity.id());
    locked.waited = waiting.into_iter().filter(|identity| !locked.spans.contains_key(identity)).collect();
    Ok(missing.iter().copied().filter(ours).collect())
}

/// Gives claimed identities their first spans, unless they were named only in passing. An identity that
/// follows nobody gets the lead of an identity that is about to follow it, or else a new lead. An identity
/// that follows another gets its spans from [`link`].
async fn create(
    conn: &mut PgConnection,
    ids: &Ids,
    now: DateTime<Utc>,
    mut missing: Vec<&Identity>,
    mentions: &[Mention<'_>],
    locked: &mut LockedLeads,
) -> Result<(), ResolveError> {
    if missing.is_empty() {
        return Ok(());
    }
    let known: HashSet<IdentityId> =
        mentions.iter().flat_map(|mention| mention.named.known_by_it()).map(Identity::id).collect();
    missing.retain(|identity| known.contains(&identity.id()));
    locked.claimed = missing.iter().map(|identity| identity.id()).collect();
    let links = links_by_child(mentions);
    // Identities without a link come first, so that a former user id can take the lead of the user id that it
    // is an alias of.
    missing.retain(|identity| identity.kind() == Kind::UserId || !links.contains_key(&identity.id()));
    missing.sort_by_key(|identity| links.contains_key(&identity.id()));
    let mut adopted = adoptions(&links, locked);
    let mut spans = Vec::new();
    for identity in missing {
        let parent_id =
            links.get(&identity.id()).and_then(|(_, facts)| facts.first()).map(|fact| fact.parent);
        let existing =
            adopted.remove(&identity.id()).or(parent_id.and_then(|parent| locked.only_lead(parent)));
        let IdentityOwner { lead: lead_id, home } =
            existing.unwrap_or_else(|| IdentityOwner::at(LeadId(ids.next())));
        if locked.waited.contains(&identity.id()) {
            locked.moved.insert(lead_id);
        }
        if existing.is_some() {
            locked.named.insert(lead_id);
        } else {
            locked.created.insert(lead_id);
            locked.admit(Lead::new(lead_id, identity.kind() != Kind::AnonymousId));
        }
        let span =
            Span { identity_id: identity.id(), since: beginning(), until: None, lead_id, home, parent_id };
        locked.spans.insert(identity.id(), vec![span]);
        spans.push(span);
    }
    let (created, identified): (Vec<LeadId>, Vec<bool>) = locked
        .created
        .iter()
        .map(|lead| (*lead, locked.leads.get(lead).is_some_and(|lead| lead.stage() != Stage::Anonymous)))
        .unzip();
    store::insert_leads(conn, &created, &identified, now).await?;
    store::insert_spans(conn, &spans).await?;
    Ok(())
}

/// The links of earlier aliases whose former user id becomes known only in this batch.
async fn waiting_aliases(
    conn: &mut PgConnection,
    locked: &LockedLeads,
) -> sqlx::Result<Vec<(Kind, IdentityId, Fact)>> {
    let woken = |identity: &&IdentityId| {
        locked.kinds.get(*identity) == Some(&Kind::UserId) && locked.spans.contains_key(*identity)
    };
    let woken: Vec<IdentityId> = locked.waited.iter().filter(woken).copied().collect();
    if woken.is_empty() {
        return Ok(Vec::new());
    }
    let links = store::links_of(conn, &woken).await?.into_iter();
    Ok(links.map(|row| (Kind::UserId, row.identity_id, Fact { at: row.at, parent: row.parent_id })).collect())
}

type Links = BTreeMap<IdentityId, (Kind, Vec<Fact>)>;

fn links_by_child(mentions: &[Mention<'_>]) -> Links {
    let mut links = Links::new();
    for mention in mentions {
        for (child, parent) in mention.links() {
            let entry = links.entry(child.id()).or_insert_with(|| (child.kind(), Vec::new()));
            entry.1.push(Fact { at: mention.at, parent: parent.id() });
        }
    }
    links
}

/// The new identities that take over the lead of an existing identity that is about to follow them. So a
/// visitor who identifies stays the same lead.
fn adoptions(links: &Links, locked: &LockedLeads) -> HashMap<IdentityId, IdentityOwner> {
    let mut adopted = HashMap::new();
    for (child, (kind, facts)) in links {
        let first = fold(*kind, &mut facts.clone()).first().map(|stretch| stretch.parent);
        if let (Some(owner), Some(parent)) = (locked.own_lead(*child), first) {
            adopted.entry(parent).or_insert(owner);
        }
    }
    adopted
}

/// Moves leads that have a user id or an e-mail address out of the stage `anonymous`.
fn identify(locked: &mut LockedLeads, now: DateTime<Utc>) {
    for (identity, spans) in &locked.spans {
        if locked.kinds.get(identity).is_none_or(|kind| *kind == Kind::AnonymousId) {
            continue;
        }
        for span in spans {
            if let Some(lead) = locked.leads.get_mut(&span.lead_id) {
                lead.identify(now);
            }
        }
    }
}
