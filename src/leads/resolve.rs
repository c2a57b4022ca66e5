//! From what a batch of events names to the leads for which they count, creating and joining leads on the way.
//!
//! Identities are read without a lock, then their leads are locked in id order. A lead's `epoch` counts the changes
//! to its identities: if one moved between the read and the lock, what was read is read again. From then on nobody
//! else can move them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    Lead, Span, Stage,
    identity::{Fact, Identity, Kind, Named, beginning, fold},
    store,
};
use crate::ids::{IdentityId, Ids, LeadId};

/// How often identities may move while they are being locked before the batch begins again.
const ROUNDS: usize = 16;

/// What one event names, and when it happened.
#[derive(Debug, Clone, Copy)]
pub struct Mention<'a> {
    /// The identities.
    pub named: &'a Named,
    /// When the event occurred.
    pub at: DateTime<Utc>,
    /// Whether the event is new, so that what it says of who follows whom is a new fact.
    pub new: bool,
}

impl<'a> Mention<'a> {
    /// Whether it says anything new of who follows whom.
    pub fn joins(&self) -> bool {
        !self.links().is_empty()
    }

    fn links(&self) -> &'a [(Identity, IdentityId)] {
        if self.new { self.named.links() } else { &[] }
    }

    fn identities(&self) -> impl Iterator<Item = &'a Identity> + use<'a> {
        std::iter::once(self.named.principal()).chain(self.links().iter().map(|(weaker, _)| weaker))
    }
}

/// Why leads could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Somebody else changed the same identities meanwhile: roll back and begin again.
    #[error("the identities changed while they were being read")]
    Changed,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The leads that a batch touches, locked.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The leads by id.
    pub leads: BTreeMap<LeadId, Lead>,
    /// Leads whose set of events changed by more than the batch's own: their state must be replayed.
    pub moved: BTreeSet<LeadId>,
    /// Leads that go by another name than before: an identity has joined them.
    pub named: BTreeSet<LeadId>,
    /// Leads made just now.
    pub created: HashSet<LeadId>,
    /// Leads that have no identity left; their rows are signposts.
    pub gone: BTreeSet<LeadId>,
    before: BTreeMap<LeadId, Lead>,
    epochs: HashMap<LeadId, i32>,
    spans: HashMap<IdentityId, Vec<Span>>,
    kinds: HashMap<IdentityId, Kind>,
}

impl Resolved {
    /// The lead for which an identity's events of an instant count.
    pub fn lead_at(&self, identity: IdentityId, at: DateTime<Utc>) -> Option<LeadId> {
        let spans = self.spans.get(&identity)?;
        spans.iter().rev().find(|span| span.since <= at).or(spans.first()).map(|span| span.lead_id)
    }

    /// A lead's row as it was when this batch took it up.
    pub fn before(&self, lead: LeadId) -> Option<&Lead> {
        self.before.get(&lead)
    }

    /// Lets go of leads that need no new standing: those neither wanted nor changed.
    pub fn keep(&mut self, wanted: impl Fn(LeadId) -> bool) {
        let Resolved { leads, moved, created, gone, before, .. } = self;
        leads.retain(|id, lead| {
            let needed = moved.contains(id) || created.contains(id) || gone.contains(id);
            needed || wanted(*id) || before.get(id) != Some(lead)
        });
    }

    /// Writes back the leads whose rows have changed.
    pub async fn save(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        let changed: Vec<&Lead> =
            self.leads.values().filter(|lead| self.before(lead.id) != Some(lead)).collect();
        if changed.is_empty() { Ok(()) } else { store::update(conn, &changed).await }
    }

    /// Reads the spans of identities, in the place of what was read of them before.
    async fn read(&mut self, conn: &mut PgConnection, identities: &[IdentityId]) -> sqlx::Result<()> {
        if identities.is_empty() {
            return Ok(());
        }
        for identity in identities {
            self.spans.remove(identity);
        }
        for row in store::spans_of(conn, identities).await? {
            self.epochs.insert(row.lead_id, row.epoch);
            self.spans.entry(row.identity_id).or_default().push(row.span());
        }
        Ok(())
    }

    /// Locks the leads of all spans read. Where a lead's identities changed between the reading and the lock, they
    /// are read again, until what is read is locked.
    async fn settle(&mut self, conn: &mut PgConnection) -> Result<(), ResolveError> {
        for _ in 0..ROUNDS {
            let unlocked: BTreeSet<LeadId> = self
                .spans
                .values()
                .flatten()
                .map(|span| span.lead_id)
                .filter(|lead| !self.leads.contains_key(lead))
                .collect();
            if unlocked.is_empty() {
                return Ok(());
            }
            let mut changed = HashSet::new();
            for lead in store::lock(conn, &unlocked.into_iter().collect::<Vec<_>>()).await? {
                if self.epochs.get(&lead.id) != Some(&lead.epoch) {
                    changed.insert(lead.id);
                }
                self.admit(lead);
            }
            let stale: Vec<IdentityId> = self
                .spans
                .iter()
                .filter(|(_, spans)| spans.iter().any(|span| changed.contains(&span.lead_id)))
                .map(|(identity, _)| *identity)
                .collect();
            self.read(conn, &stale).await?;
        }
        Err(ResolveError::Changed)
    }

    fn admit(&mut self, lead: Lead) {
        self.before.insert(lead.id, lead.clone());
        self.leads.insert(lead.id, lead);
    }

    fn only_lead(&self, identity: IdentityId) -> Option<LeadId> {
        self.spans.get(&identity)?.first().map(|span| span.lead_id)
    }

    /// The lead of an identity that follows nobody.
    fn own_lead(&self, identity: IdentityId) -> Option<LeadId> {
        match self.spans.get(&identity)?.as_slice() {
            [span] if span.parent_id.is_none() => Some(span.lead_id),
            _ => None,
        }
    }
}

/// Resolves what a batch names; every lead in the answer is locked until the transaction ends.
pub async fn resolve(
    conn: &mut PgConnection,
    ids: &Ids,
    now: DateTime<Utc>,
    mentions: &[Mention<'_>],
) -> Result<Resolved, ResolveError> {
    let named = distinct(mentions);
    let kinds = named.iter().map(|(id, identity)| (*id, identity.kind())).collect();
    let mut resolved = Resolved { kinds, ..Resolved::default() };
    let everybody: Vec<IdentityId> = named.keys().copied().collect();
    resolved.read(conn, &everybody).await?;

    let missing: Vec<&Identity> =
        named.values().copied().filter(|identity| !resolved.spans.contains_key(&identity.id())).collect();
    let claimed = claim(conn, now, &missing, &mut resolved).await?;
    resolved.settle(conn).await?;
    create(conn, ids, now, claimed, mentions, &mut resolved).await?;
    link(conn, mentions, &mut resolved).await?;
    identify(&mut resolved);
    Ok(resolved)
}

/// Locks leads by their ids, passing over those that somebody else is at work on.
pub async fn lock_free(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<Resolved> {
    let mut resolved = Resolved::default();
    for lead in store::lock_free(conn, leads).await? {
        resolved.admit(lead);
    }
    Ok(resolved)
}

fn distinct<'a>(mentions: &[Mention<'a>]) -> BTreeMap<IdentityId, &'a Identity> {
    mentions.iter().flat_map(Mention::identities).map(|identity| (identity.id(), identity)).collect()
}

/// Claims the identities not seen before, and gives back those that are ours to create. Where somebody else was
/// first, this has waited for them and reads what they made.
async fn claim<'a>(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    missing: &[&'a Identity],
    resolved: &mut Resolved,
) -> Result<Vec<&'a Identity>, ResolveError> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let ours: HashSet<IdentityId> = store::insert_identities(conn, missing, now).await?.into_iter().collect();
    let (ours, theirs): (Vec<&Identity>, Vec<&Identity>) =
        missing.iter().copied().partition(|identity| ours.contains(&identity.id()));
    resolved.read(conn, &theirs.iter().map(|identity| identity.id()).collect::<Vec<_>>()).await?;
    Ok(ours)
}

/// Creates what was claimed. An identity that stands for itself gets a lead: that of an identity which is about to
/// follow it, if there is one, else a new one. One that follows another gets its spans from [`link`].
async fn create(
    conn: &mut PgConnection,
    ids: &Ids,
    now: DateTime<Utc>,
    mut missing: Vec<&Identity>,
    mentions: &[Mention<'_>],
    resolved: &mut Resolved,
) -> Result<(), ResolveError> {
    if missing.is_empty() {
        return Ok(());
    }
    let links = links_by_child(mentions);
    // Those that nobody speaks for come first; a former user id then takes the lead of the one it is an alias of.
    missing.retain(|identity| identity.kind() == Kind::UserId || !links.contains_key(&identity.id()));
    missing.sort_by_key(|identity| links.contains_key(&identity.id()));
    let mut adopted = adoptions(&links, resolved);
    let mut spans = Vec::new();
    for identity in missing {
        let parent_id =
            links.get(&identity.id()).and_then(|(_, facts)| facts.first()).map(|fact| fact.parent);
        let existing =
            adopted.remove(&identity.id()).or(parent_id.and_then(|parent| resolved.only_lead(parent)));
        let lead_id = existing.unwrap_or_else(|| LeadId(ids.next()));
        if let Some(lead_id) = existing {
            resolved.named.insert(lead_id);
        } else {
            resolved.created.insert(lead_id);
            resolved.admit(Lead::new(lead_id, identity.kind() != Kind::AnonymousId));
        }
        let span = Span { identity_id: identity.id(), since: beginning(), until: None, lead_id, parent_id };
        resolved.spans.insert(identity.id(), vec![span]);
        spans.push(span);
    }
    let (created, identified): (Vec<LeadId>, Vec<bool>) = resolved
        .created
        .iter()
        .map(|lead| (*lead, resolved.leads.get(lead).is_some_and(|lead| lead.stage != Stage::Anonymous)))
        .unzip();
    store::insert_leads(conn, &created, &identified, now).await?;
    store::insert_spans(conn, &spans).await?;
    Ok(())
}

type Links = BTreeMap<IdentityId, (Kind, Vec<Fact>)>;

fn links_by_child(mentions: &[Mention<'_>]) -> Links {
    let mut links = Links::new();
    for mention in mentions {
        for (child, parent) in mention.links() {
            let entry = links.entry(child.id()).or_insert_with(|| (child.kind(), Vec::new()));
            entry.1.push(Fact { at: mention.at, parent: *parent });
        }
    }
    links
}

/// Which new identity takes over the lead of an existing one that is about to follow it, so that a visitor who
/// identifies stays the lead that it was.
fn adoptions(links: &Links, resolved: &Resolved) -> HashMap<IdentityId, LeadId> {
    let mut adopted = HashMap::new();
    for (child, (kind, facts)) in links {
        let first = fold(*kind, &mut facts.clone()).first().map(|stretch| stretch.parent);
        if let (Some(lead), Some(parent)) = (resolved.own_lead(*child), first) {
            adopted.entry(parent).or_insert(lead);
        }
    }
    adopted
}

/// Records who was said to follow whom, and moves the spans that this changes.
async fn link(
    conn: &mut PgConnection,
    mentions: &[Mention<'_>],
    resolved: &mut Resolved,
) -> Result<(), ResolveError> {
    let mut facts: Vec<(Kind, IdentityId, Fact)> = mentions
        .iter()
        .flat_map(|mention| mention.links().iter().map(|(child, parent)| (mention.at, child, *parent)))
        .map(|(at, child, parent)| (child.kind(), child.id(), Fact { at, parent }))
        .collect();
    if facts.is_empty() {
        return Ok(());
    }
    // E-mails before devices: a device may follow an e-mail that itself has just come to follow a user id.
    facts.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    facts.dedup();
    let children: Vec<IdentityId> = facts.iter().map(|(_, child, _)| *child).collect();
    let at: Vec<DateTime<Utc>> = facts.iter().map(|(_, _, fact)| fact.at).collect();
    let parents: Vec<IdentityId> = facts.iter().map(|(_, _, fact)| fact.parent).collect();
    store::insert_links(conn, &children, &at, &parents).await?;

    let mut changing = Changing::default();
    for (_, child, fact) in facts.iter().filter(|(kind, ..)| *kind == Kind::UserId) {
        changing.join_leads(conn, resolved, *child, fact.parent).await?;
    }
    let refold: Vec<(Kind, IdentityId)> = news(&facts, resolved);
    let wanted: Vec<IdentityId> = refold.iter().map(|(_, child)| *child).collect();
    let mut known: HashMap<IdentityId, Vec<Fact>> = HashMap::new();
    for row in store::links_of(conn, &wanted).await? {
        known.entry(row.identity_id).or_default().push(Fact { at: row.at, parent: row.parent_id });
    }
    for (kind, child) in refold {
        let mut facts = known.remove(&child).unwrap_or_default();
        changing.follow(conn, resolved, kind, child, &mut facts).await?;
    }
    changing.write(conn, resolved).await
}

/// The identities whose spans these facts may change: not those that already follow, at all times, the one that
/// every fact names.
fn news(facts: &[(Kind, IdentityId, Fact)], resolved: &Resolved) -> Vec<(Kind, IdentityId)> {
    let unchanged =
        |child: &IdentityId, parent: IdentityId| match resolved.spans.get(child).map(Vec::as_slice) {
            Some([span]) => span.parent_id == Some(parent),
            _ => false,
        };
    let mut refold: Vec<(Kind, IdentityId)> = facts
        .iter()
        .filter(|(kind, child, fact)| *kind != Kind::UserId && !unchanged(child, fact.parent))
        .map(|(kind, child, _)| (*kind, *child))
        .collect();
    refold.dedup();
    refold
}

/// A lead with a user id or an e-mail is no longer anonymous.
fn identify(resolved: &mut Resolved) {
    for (identity, spans) in &resolved.spans {
        if resolved.kinds.get(identity).is_none_or(|kind| *kind == Kind::AnonymousId) {
            continue;
        }
        for span in spans {
            if let Some(lead) = resolved.leads.get_mut(&span.lead_id)
                && lead.stage == Stage::Anonymous
            {
                lead.stage = Stage::Lead;
            }
        }
    }
}

/// The spans that are to be written, and the leads that lose or gain by it.
#[derive(Default)]
struct Changing {
    spans: BTreeMap<IdentityId, Vec<Span>>,
    losing: BTreeMap<LeadId, LeadId>,
    touched: BTreeSet<LeadId>,
}

impl Changing {
    /// Gives an identity new spans; if it stays with its lead, only the fact of following is new. Those that it has
    /// already, as when an alias is repeated, change nothing.
    fn set(&mut self, resolved: &mut Resolved, identity: IdentityId, spans: Vec<Span>) {
        if resolved.spans.get(&identity) == Some(&spans) {
            return;
        }
        let before = resolved.spans.insert(identity, spans.clone()).unwrap_or_default();
        let place = |span: &Span| (span.since, span.until, span.lead_id);
        if !before.iter().map(place).eq(spans.iter().map(place)) && !before.is_empty() {
            for span in &before {
                let heir = spans.iter().find(|one| one.lead_id != span.lead_id).map(|one| one.lead_id);
                if let Some(heir) = heir {
                    self.losing.insert(span.lead_id, heir);
                }
            }
            resolved.moved.extend(before.iter().chain(&spans).map(|span| span.lead_id));
        }
        resolved.named.extend(spans.iter().map(|span| span.lead_id));
        self.touched.extend(before.iter().map(|span| span.lead_id));
        self.spans.insert(identity, spans);
    }

    /// An alias: the two user ids are one person, so their leads are one.
    async fn join_leads(
        &mut self,
        conn: &mut PgConnection,
        resolved: &mut Resolved,
        former: IdentityId,
        current: IdentityId,
    ) -> Result<(), ResolveError> {
        let (Some(from), Some(into)) = (resolved.only_lead(former), resolved.only_lead(current)) else {
            return Ok(());
        };
        self.load(conn, resolved, &[], &[from]).await?;
        let everything: Vec<IdentityId> = resolved
            .spans
            .iter()
            .filter(|(_, spans)| spans.iter().any(|span| span.lead_id == from))
            .map(|(identity, _)| *identity)
            .collect();
        for identity in everything {
            let mut spans = resolved.spans[&identity].clone();
            for span in &mut spans {
                span.lead_id = if span.lead_id == from { into } else { span.lead_id };
                span.parent_id = if identity == former { Some(current) } else { span.parent_id };
            }
            self.set(resolved, identity, spans);
        }
        Ok(())
    }

    /// Folds an identity's facts anew; what follows an e-mail goes where the e-mail goes.
    async fn follow(
        &mut self,
        conn: &mut PgConnection,
        resolved: &mut Resolved,
        kind: Kind,
        child: IdentityId,
        facts: &mut [Fact],
    ) -> Result<(), ResolveError> {
        self.load_parents(conn, resolved, facts).await?;
        let before = resolved.only_lead(child);
        let mut spans = Vec::new();
        for stretch in fold(kind, facts) {
            let lead_id = resolved.only_lead(stretch.parent).ok_or(ResolveError::Changed)?;
            spans.push(Span {
                identity_id: child,
                since: stretch.since,
                until: stretch.until,
                lead_id,
                parent_id: Some(stretch.parent),
            });
        }
        let after = spans.first().map(|span| span.lead_id);
        self.set(resolved, child, spans);
        let (Kind::Email, Some(after)) = (kind, after) else { return Ok(()) };
        if before.is_some_and(|before| before != after) {
            self.bring_along(conn, resolved, child, after).await?;
        }
        Ok(())
    }

    async fn bring_along(
        &mut self,
        conn: &mut PgConnection,
        resolved: &mut Resolved,
        email: IdentityId,
        lead_id: LeadId,
    ) -> Result<(), ResolveError> {
        self.load(conn, resolved, &[email], &[]).await?;
        let followers: Vec<IdentityId> = resolved
            .spans
            .iter()
            .filter(|(_, spans)| spans.iter().any(|span| span.parent_id == Some(email)))
            .map(|(identity, _)| *identity)
            .collect();
        for follower in followers {
            let mut spans = resolved.spans[&follower].clone();
            for span in spans.iter_mut().filter(|span| span.parent_id == Some(email)) {
                span.lead_id = lead_id;
            }
            self.set(resolved, follower, spans);
        }
        Ok(())
    }

    /// Reads and locks what follows these e-mails or belongs to these leads, which the batch need not name.
    async fn load(
        &mut self,
        conn: &mut PgConnection,
        resolved: &mut Resolved,
        parents: &[IdentityId],
        leads: &[LeadId],
    ) -> Result<(), ResolveError> {
        let found = store::identities_following(conn, parents, leads).await?;
        let unknown: Vec<IdentityId> =
            found.into_iter().filter(|identity| !resolved.spans.contains_key(identity)).collect();
        resolved.read(conn, &unknown).await?;
        resolved.settle(conn).await
    }

    async fn load_parents(
        &mut self,
        conn: &mut PgConnection,
        resolved: &mut Resolved,
        facts: &[Fact],
    ) -> Result<(), ResolveError> {
        let unknown: BTreeSet<IdentityId> =
            facts.iter().map(|fact| fact.parent).filter(|id| !resolved.spans.contains_key(id)).collect();
        resolved.read(conn, &unknown.into_iter().collect::<Vec<_>>()).await?;
        resolved.settle(conn).await
    }

    /// Writes the spans, and turns leads left without identities into signposts.
    async fn write(self, conn: &mut PgConnection, resolved: &mut Resolved) -> Result<(), ResolveError> {
        if self.spans.is_empty() {
            return Ok(());
        }
        let spans: Vec<Span> = self.spans.into_values().flatten().collect();
        store::replace_spans(conn, &spans).await?;
        for id in &self.touched {
            if let Some(lead) = resolved.leads.get_mut(id) {
                lead.epoch += 1;
            }
        }
        let losing: Vec<LeadId> = self.losing.keys().copied().collect();
        let kept: HashSet<LeadId> = store::with_identities(conn, &losing).await?.into_iter().collect();
        let gone: Vec<LeadId> = losing.into_iter().filter(|id| !kept.contains(id)).collect();
        for id in &gone {
            let heir = last_heir(&self.losing, *id, &kept);
            hand_over(resolved, *id, heir);
        }
        store::delete_profiles(conn, &gone).await?;
        Ok(())
    }
}

/// Where a lead's identities ended up when several leads became one in the same batch.
fn last_heir(losing: &BTreeMap<LeadId, LeadId>, from: LeadId, kept: &HashSet<LeadId>) -> LeadId {
    let mut heir = losing[&from];
    for _ in 0..losing.len() {
        match losing.get(&heir) {
            Some(next) if !kept.contains(&heir) => heir = *next,
            _ => break,
        }
    }
    heir
}

/// The lead that is left takes over the stage that is further on.
fn hand_over(resolved: &mut Resolved, from: LeadId, into: LeadId) {
    resolved.moved.remove(&from);
    resolved.gone.insert(from);
    let Some(gone) = resolved.leads.get_mut(&from) else { return };
    let before = gone.clone();
    gone.merged_into = Some(into);
    let Some(heir) = resolved.leads.get_mut(&into) else { return };
    heir.cycle = heir.cycle.max(before.cycle);
    heir.last_exit_at = heir.last_exit_at.max(before.last_exit_at);
    if before.stage.depth() > heir.stage.depth() {
        heir.stage = before.stage;
        heir.mql_by = before.mql_by;
        heir.below_since = before.below_since;
    } else if heir.stage == Stage::Mql && before.mql_by == Some(super::MqlBy::HandRaise) {
        heir.mql_by = before.mql_by;
        heir.below_since = None;
    }
}
