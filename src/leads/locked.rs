//! The locked leads of a batch, and the spans that say for which lead its events count.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    Lead, ResolveError, Span,
    identity::{Identity, Kind},
    store,
};
use crate::platform::ids::{IdentityId, LeadId};

/// How many times leads are locked and read again because identities moved meanwhile. After that the batch
/// begins again.
const ROUNDS: usize = 16;

/// The lead for which an identity counts, and its home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IdentityOwner {
    pub(super) lead: LeadId,
    pub(super) home: LeadId,
}

impl IdentityOwner {
    pub(super) fn of(span: &Span) -> IdentityOwner {
        IdentityOwner { lead: span.lead_id, home: span.home }
    }

    /// The owner for a lead that was not merged: the lead is its own home.
    pub(super) fn at(lead: LeadId) -> IdentityOwner {
        IdentityOwner { lead, home: lead }
    }
}

/// The leads that a batch touches, locked.
#[derive(Debug, Default)]
pub struct LockedLeads {
    /// The leads by id.
    pub leads: BTreeMap<LeadId, Lead>,
    /// Leads whose set of events changed by more than the batch's new events. Their states must be replayed.
    pub moved: BTreeSet<LeadId>,
    /// Leads for which the verdict on an earlier event changed, so that the reason why they are MQLs may no
    /// longer hold.
    pub doubted: BTreeSet<LeadId>,
    /// Leads whose set of identities changed.
    pub named: BTreeSet<LeadId>,
    /// Leads whose consent may have changed. A reader sees the change.
    pub heard: BTreeSet<LeadId>,
    /// Leads that this batch creates.
    pub created: HashSet<LeadId>,
    /// Identities that get their first lead in this batch.
    pub claimed: HashSet<IdentityId>,
    /// Identities that get their first lead now, although the log may already have events of theirs.
    pub(super) waited: HashSet<IdentityId>,
    /// Leads that have no identity left, each with the lead for which these identities count now. The rows of
    /// these leads are signposts.
    pub gone: BTreeMap<LeadId, LeadId>,
    before: BTreeMap<LeadId, Lead>,
    epochs: HashMap<LeadId, i32>,
    pub(super) spans: HashMap<IdentityId, Vec<Span>>,
    pub(super) kinds: HashMap<IdentityId, Kind>,
}

impl LockedLeads {
    /// Marks a lead for replay, and for a new decision whether it is an MQL and why, because the verdict on
    /// one of its events changed.
    pub(crate) fn doubt(&mut self, lead: LeadId) {
        self.moved.insert(lead);
        self.doubted.insert(lead);
        self.leads.entry(lead).and_modify(Lead::ask_again);
    }

    /// No leads yet, for a batch with these identities.
    pub(super) fn about<'a>(identities: impl Iterator<Item = &'a Identity>) -> LockedLeads {
        let kinds = identities.map(|identity| (identity.id(), identity.kind())).collect();
        LockedLeads { kinds, ..LockedLeads::default() }
    }

    /// Makes the set from locked leads, signposts included.
    pub(crate) fn holding(leads: impl IntoIterator<Item = Lead>) -> LockedLeads {
        let mut locked = LockedLeads::default();
        leads.into_iter().for_each(|lead| locked.admit(lead));
        locked
    }

    /// Makes the set from locked leads, without signposts.
    pub(super) fn of(leads: Vec<Lead>) -> LockedLeads {
        let mut locked = LockedLeads::default();
        leads.into_iter().filter(|lead| lead.merged_into.is_none()).for_each(|lead| locked.admit(lead));
        locked
    }

    /// The lead for which an identity's event at an instant counts; `None` if the identity has no lead.
    pub fn lead_at(&self, identity: IdentityId, at: DateTime<Utc>) -> Option<LeadId> {
        let spans = self.spans.get(&identity)?;
        spans.iter().rev().find(|span| span.since <= at).or(spans.first()).map(|span| span.lead_id)
    }

    /// The identity that an e-mail address follows; `None` if it follows nobody or is not known.
    pub fn owner_of(&self, email: IdentityId) -> Option<IdentityId> {
        self.spans.get(&email)?.first()?.parent_id
    }

    /// A lead's row as it was when this batch locked it.
    pub fn before(&self, lead: LeadId) -> Option<&Lead> {
        self.before.get(&lead)
    }

    /// Drops the leads that are neither wanted nor changed, because they need no new state.
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

    /// Reads the spans of identities. They replace spans that were read before.
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

    /// Locks the leads of all spans that were read. If a lead's identities changed before the lock, reads the
    /// spans again and locks their leads, until all are locked.
    ///
    /// # Errors
    /// [`ResolveError::Changed`] if identities still move after [`ROUNDS`] rounds.
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

    /// The owner of an identity that has one lead for all time; for other identities, the owner of the first
    /// span.
    pub(super) fn only_lead(&self, identity: IdentityId) -> Option<IdentityOwner> {
        self.spans.get(&identity)?.first().map(IdentityOwner::of)
    }

    /// The owner of an identity that follows nobody; `None` if the identity follows another or has no span.
    pub(super) fn own_lead(&self, identity: IdentityId) -> Option<IdentityOwner> {
        match self.spans.get(&identity)?.as_slice() {
            [span] if span.parent_id.is_none() => Some(IdentityOwner::of(span)),
            _ => None,
        }
    }
}
