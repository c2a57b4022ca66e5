//! The unit of work through which every change of a lead goes.
//!
//! A change begins ([`LeadChange::begin`]), locks its leads ([`Begun::lock`] and its kin), says what happens to them
//! ([`LeadChange::replay`], [`LeadChange::requalify`], [`LockedLead::lead`] …), and is committed. [`LeadChange::apply`] runs
//! the phases in this order:
//!
//! 1. *load states*: what is stored of each lead, under every version that leads are scored by;
//! 2. *settle*: decide on the leads that wait for a newly published model, before anything new counts;
//! 3. *add or replay*: add the new events to each state, or replay the log of a lead whose events moved, and evaluate;
//! 4. *decide stages*: move each lead on by its score, the policy and the gates;
//! 5. *write states*: scores, attributes, words for the search;
//! 6. *publish changes*: tell the feed of scores, bands, attributes and merges;
//! 7. *record transitions*: write the leads' rows and their transitions;
//! 8. *make and end handoffs*: offer ripe leads to sales, and withdraw what is no longer to be offered;
//! 9. *note for a rollback*: keep how each lead stood before the live model moved it;
//! 10. *tell consents*: tell the feed of channels whose consent differs.
//!
//! The phases run in the change's own transaction. So a reader sees all of a change or nothing, and what is stored equals a
//! replay of the log before and after every change.

mod announce;
mod consents;
mod doubts;
mod evidence;
mod handoffs;
pub mod jobs;
mod locked;
mod phases;
mod rollback;
mod settle;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, Transaction};

use super::Lifecycle;
use crate::{
    leads::{self, LockedLeads, Mention, ResolveError},
    lifecycle::{policy::Policy, stages::ChangeContext},
    models::{self, Scored},
    platform::ids::{IdentityId, LeadId},
    scores::{Additions, State, StateError},
};

pub use evidence::Evidence;
pub use handoffs::ByHand;
pub use locked::LockedLead;

use consents::Consents;

/// A transaction in which leads are about to be changed. No lead is locked yet.
///
/// While the transaction runs, the versions of the model under which leads are scored stay the same.
#[derive(Debug)]
pub struct Begun<'a> {
    lifecycle: &'a Lifecycle,
    tx: Transaction<'static, Postgres>,
    /// The instant of the change. `None` until [`Begun::now`] is called.
    now: Option<DateTime<Utc>>,
    consents: Consents,
}

/// A change of locked leads, in one transaction. If it is dropped, the transaction is rolled back.
#[derive(Debug)]
pub struct LeadChange<'a> {
    lifecycle: &'a Lifecycle,
    tx: Transaction<'static, Postgres>,
    now: DateTime<Utc>,
    scored: Scored,
    policy: Arc<Policy>,
    leads: LockedLeads,
    consents: Consents,
}

/// A change whose phases have run, but which is not committed yet.
#[derive(Debug)]
pub struct Applied {
    tx: Transaction<'static, Postgres>,
    /// The leads as they are after the change.
    pub leads: LockedLeads,
    /// The state of each lead under the live model.
    pub states: BTreeMap<LeadId, State>,
}

/// A change that could not be applied and was rolled back.
#[derive(Debug)]
pub struct NotApplied {
    /// Why the change could not be applied.
    pub why: StateError,
    /// The leads as they were when the change failed.
    pub leads: Box<LockedLeads>,
}

impl LeadChange<'_> {
    /// Begins a change: opens the transaction and holds the model versions under which leads are scored.
    pub async fn begin(lifecycle: &Lifecycle) -> sqlx::Result<Begun<'_>> {
        let tx = models::begin(&lifecycle.db).await?;
        Ok(Begun { lifecycle, tx, now: None, consents: Consents::default() })
    }
}

impl<'a> Begun<'a> {
    /// The transaction's connection.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Returns the instant of the change, in UTC. The first call reads the clock.
    ///
    /// Call this only after the leads are locked. Then the instant is later than all earlier changes of these
    /// leads.
    pub fn now(&mut self) -> DateTime<Utc> {
        *self.now.get_or_insert_with(|| self.lifecycle.clock.now())
    }

    /// Does what [`LeadChange::watch_consents`] does, before the leads are locked by this change. For callers
    /// that move identities first.
    pub async fn watch_consents(&mut self, leads: impl IntoIterator<Item = LeadId>) -> sqlx::Result<()> {
        self.consents.watch(&mut self.tx, &BTreeSet::new(), leads.into_iter().collect()).await
    }

    /// Locks leads in the order of their ids. Leads that were merged into others are left out.
    pub async fn lock(mut self, leads: &[LeadId]) -> sqlx::Result<LeadChange<'a>> {
        let leads = leads::lock(&mut self.tx, leads).await?;
        self.with(leads).await
    }

    /// Locks leads as [`Begun::lock`] does, and leaves out those that another transaction has locked.
    pub async fn lock_free(mut self, leads: &[LeadId]) -> sqlx::Result<LeadChange<'a>> {
        let leads = leads::lock_free(&mut self.tx, leads).await?;
        self.with(leads).await
    }

    /// Finds the leads of the identities that events name, and locks these leads. Creates leads for new
    /// identities, and joins leads that turn out to be one person.
    ///
    /// # Errors
    /// [`ResolveError::Changed`] if another transaction moved the same identities meanwhile.
    pub async fn resolve(&mut self, mentions: &[Mention<'_>]) -> Result<LockedLeads, ResolveError> {
        leads::resolve(&mut self.tx, &self.lifecycle.ids, self.lifecycle.clock.now(), mentions).await
    }

    /// Turns this into a change of leads that the transaction has locked already.
    pub async fn with(mut self, leads: LockedLeads) -> sqlx::Result<LeadChange<'a>> {
        // Read only now: a rebuild may have come further before the leads were locked.
        let scored = self.lifecycle.live.scored(&mut self.tx).await?;
        let policy = self.lifecycle.policies.current(&mut self.tx).await?;
        let now = self.now();
        let Begun { lifecycle, tx, consents, .. } = self;
        Ok(LeadChange { lifecycle, tx, now, scored, policy, leads, consents })
    }

    /// Commits what was written on [`Begun::conn`], without changing any lead.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.tx.commit().await
    }
}

impl LeadChange<'_> {
    /// The transaction's connection.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// The instant of the change.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The connection, with the models, policy, instant and ids that the change works with.
    pub fn parts(&mut self) -> (&mut PgConnection, ChangeContext<'_>) {
        let LeadChange { lifecycle, tx, now, scored, policy, .. } = self;
        (tx, ChangeContext { scored, policy, now: *now, ids: &lifecycle.ids })
    }

    /// The locked leads.
    pub fn leads(&self) -> &LockedLeads {
        &self.leads
    }

    /// The connection and the locked leads, for code that joins or parts leads.
    pub fn identities(&mut self) -> (&mut PgConnection, &mut LockedLeads) {
        (&mut self.tx, &mut self.leads)
    }

    /// The ids of the locked leads.
    pub fn ids(&self) -> Vec<LeadId> {
        self.leads.leads.keys().copied().collect()
    }

    /// Marks leads for replay, because other events count for them than before.
    pub fn replay(&mut self, leads: impl IntoIterator<Item = LeadId>) {
        self.leads.moved.extend(leads);
    }

    /// Does what [`LeadChange::requalify`] does, for the lead that an identity's event counts for. Does
    /// nothing if the spans of the identity were not read for this change.
    pub fn requalify_owner(&mut self, identity: IdentityId, occurred_at: DateTime<Utc>) {
        if let Some(lead) = self.leads.lead_at(identity, occurred_at) {
            self.requalify(lead);
        }
    }

    /// Marks a lead for replay, and for a check whether it still is an MQL, because one of its events counts
    /// differently now.
    pub fn requalify(&mut self, lead: LeadId) {
        self.leads.doubt(lead);
    }

    /// Marks leads that a reader sees as updated, because an event changed their consents.
    pub fn heard(&mut self, leads: impl IntoIterator<Item = LeadId>) {
        self.leads.heard.extend(leads);
    }

    /// Removes the leads that nothing happened to from the change, except for those that are `wanted`.
    pub fn keep(&mut self, wanted: impl Fn(LeadId) -> bool) {
        self.leads.keep(wanted);
    }

    /// Reads the consents that leads have now. When the change is applied, the feed gets what differs.
    ///
    /// If a lead has got other identities in this change, the feed gets all of its consents.
    pub async fn watch_consents(&mut self, leads: impl IntoIterator<Item = LeadId>) -> sqlx::Result<()> {
        self.consents.watch(&mut self.tx, &self.leads.moved, leads.into_iter().collect()).await
    }

    /// Publishes every consent of a lead when the change is applied.
    pub fn tell_all_consents(&mut self, lead: LeadId) {
        self.consents.tell_all(lead);
    }

    /// Runs the phases, with events that have just been appended to the log.
    ///
    /// # Errors
    /// [`NotApplied::why`] is [`StateError::Overfull`] if an event would give its lead too many attributes.
    pub async fn apply_adding(mut self, additions: &Additions<'_>) -> Result<Applied, NotApplied> {
        match self.run(additions).await {
            Ok(states) => Ok(Applied { tx: self.tx, leads: self.leads, states }),
            Err(why) => Err(NotApplied { why, leads: Box::new(self.leads) }),
        }
    }

    async fn run(&mut self, additions: &Additions<'_>) -> Result<BTreeMap<LeadId, State>, StateError> {
        let LeadChange { lifecycle, tx, now, scored, policy, leads, consents } = self;
        let context = ChangeContext { scored, policy, now: *now, ids: &lifecycle.ids };
        // Boxed, because the future holds the futures of all phases and is large.
        let states = Box::pin(phases::run(tx, context, leads, additions)).await?;
        consents.tell(tx, context, leads).await?;
        Ok(states)
    }

    /// Runs the phases without new events.
    pub async fn apply(self) -> sqlx::Result<Applied> {
        self.apply_adding(&Additions::new()).await.map_err(|not| not.why.without_events())
    }

    /// Runs the phases without new events, and commits. Returns the state of each lead under the live model.
    pub async fn commit(self) -> sqlx::Result<BTreeMap<LeadId, State>> {
        let applied = self.apply().await?;
        applied.tx.commit().await?;
        Ok(applied.states)
    }
}

impl Applied {
    /// The transaction's connection.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Commits.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.tx.commit().await
    }
}
