//! The leads that a batch touches, and the spans by which its events find them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    Lead, ResolveError, Span,
    identity::{Identity, Kind},
    store,
};
use crate::platform::ids::{IdentityId, LeadId};

/// How often identities may move while they are being locked before the batch begins again.
const ROUNDS: usize = 16;

/// For which lead something counts, and at which it is at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IdentityOwner {
    pub(super) lead: LeadId,
    pub(super) home: LeadId,
}

impl IdentityOwner {
    pub(super) fn of(span: &Span) -> IdentityOwner {
        IdentityOwner { lead: span.lead_id, home: span.home }
    }

    /// With a lead that nobody merged.
    pub(super) fn at(lead: LeadId) -> IdentityOwner {
        IdentityOwner { lead, home: lead }
    }
}

/// The leads that a batch touches, locked.
#[derive(Debug, Default)]
pub struct LockedLeads {
    /// The leads by id.
    pub leads: BTreeMap<LeadId, Lead>,
    /// Leads whose set of events changed by more than the batch's own: their state must be replayed.
    pub moved: BTreeSet<LeadId>,
    /// Leads of which something counts otherwise than it did, so that what made them MQLs may be gone.
    pub doubted: BTreeSet<LeadId>,
    /// Leads that go by another name than before: an identity has joined them.
    pub named: BTreeSet<LeadId>,
    /// Leads of which something was said that a reader sees: what they agree to.
    pub heard: BTreeSet<LeadId>,
    /// Leads made just now.
    pub created: HashSet<LeadId>,
    /// Identities that are given their first lead just now.
    pub claimed: HashSet<IdentityId>,
    /// Those among them of which the log may know something already.
    pub(super) waited: HashSet<IdentityId>,
    /// Leads that have no identity left, each with the lead for which those count now; their rows are signposts.
    pub gone: BTreeMap<LeadId, LeadId>,
    before: BTreeMap<LeadId, Lead>,
    epochs: HashMap<LeadId, i32>,
    pub(super) spans: HashMap<IdentityId, Vec<Span>>,
    pub(super) kinds: HashMap<IdentityId, Kind>,
}

impl LockedLeads {
    /// Has it be asked anew whether a lead, of which something counts otherwise than it did, is an MQL, and by what.
    pub(crate) fn doubt(&mut self, lead: LeadId) {
        self.moved.insert(lead);
        self.doubted.insert(lead);
        self.leads.entry(lead).and_modify(Lead::ask_again);
    }

    /// Nothing yet, about these identities.
    pub(super) fn about<'a>(identities: impl Iterator<Item = &'a Identity>) -> LockedLeads {
        let kinds = identities.map(|identity| (identity.id(), identity.kind())).collect();
        LockedLeads { kinds, ..LockedLeads::default() }
    }

    /// These locked leads, signposts included.
    pub(crate) fn holding(leads: impl IntoIterator<Item = Lead>) -> LockedLeads {
        let mut locked = LockedLeads::default();
        leads.into_iter().for_each(|lead| locked.admit(lead));
        locked
    }

    /// These leads, as they are.
    pub(super) fn of(leads: Vec<Lead>) -> LockedLeads {
        let mut locked = LockedLeads::default();
        leads.into_iter().filter(|lead| lead.merged_into.is_none()).for_each(|lead| locked.admit(lead));
        locked
    }

    /// The lead for which an identity's events of an instant count.
    pub fn lead_at(&self, identity: IdentityId, at: DateTime<Utc>) -> Option<LeadId> {
        let spans = self.spans.get(&identity)?;
        spans.iter().rev().find(|span| span.since <= at).or(spans.first()).map(|span| span.lead_id)
    }

    /// Whom an e-mail address follows; none if it stands for itself or is not known.
    pub fn owner_of(&self, email: IdentityId) -> Option<IdentityId> {
        self.spans.get(&email)?.first()?.parent_id
    }

    /// A lead's row as it was when this batch took it up.
    pub fn before(&self, lead: LeadId) -> Option<&Lead> {
        self.before.get(&lead)
    }

    /// Lets go of leads that need no new state: those neither wanted nor changed.
    pub fn keep(&mut self, wanted: impl Fn(LeadId) -> bool) {
        let LockedLeads { leads, moved, created, gone, before, .. } = self;
        leads.retain(|id, lead| {
            let needed = moved.contains(id) || created.contains(id) || gone.contains_key(id);
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
    pub(super) async fn read(
        &mut self,
        conn: &mut PgConnection,
        identities: &[IdentityId],
    ) -> sqlx::Result<()> {
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
    pub(super) async fn settle(&mut self, conn: &mut PgConnection) -> Result<(), ResolveError> {
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

    pub(super) fn admit(&mut self, lead: Lead) {
        self.before.insert(lead.id, lead.clone());
        self.leads.insert(lead.id, lead);
    }

    /// Where an identity is that has one lead for all time.
    pub(super) fn only_lead(&self, identity: IdentityId) -> Option<IdentityOwner> {
        self.spans.get(&identity)?.first().map(IdentityOwner::of)
    }

    /// Where an identity is that follows nobody.
    pub(super) fn own_lead(&self, identity: IdentityId) -> Option<IdentityOwner> {
        match self.spans.get(&identity)?.as_slice() {
            [span] if span.parent_id.is_none() => Some(IdentityOwner::of(span)),
            _ => None,
        }
    }
}
