//! A change of one lead that a person asks for.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{ByHand, LeadChange, handoffs};
use crate::{
    leads::{self, Lead, view::LeadRow},
    lifecycle::{
        Lifecycle,
        policy::{Label, Policy},
        stages::{self, End, Handoff},
    },
    platform::{db::damaged, ids::LeadId},
};

/// A change of one locked lead, in one transaction. If it is dropped, the transaction is rolled back.
#[derive(Debug)]
pub struct LockedLead<'a> {
    /// The locked lead. If the lead that the caller named was merged into another lead, this is the heir.
    pub id: LeadId,
    change: LeadChange<'a>,
}

impl<'a> LockedLead<'a> {
    /// Begins a change of a lead, or of its heir if the lead was merged, and locks the lead. Returns `None`
    /// if no such lead exists.
    pub async fn lock(lifecycle: &'a Lifecycle, lead: LeadId) -> sqlx::Result<Option<LockedLead<'a>>> {
        let mut begun = LeadChange::begin(lifecycle).await?;
        let Some((id, leads)) = leads::lock_heir(begun.conn(), lead).await? else { return Ok(None) };
        Ok(Some(LockedLead { id, change: begun.with(leads).await? }))
    }

    /// The transaction's connection.
    pub fn conn(&mut self) -> &mut PgConnection {
        self.change.conn()
    }

    /// The instant of the change, in UTC.
    pub fn now(&self) -> DateTime<Utc> {
        self.change.now
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.change.policy
    }

    /// The lead, to be moved to another stage.
    ///
    /// # Panics
    ///
    /// Never: [`LockedLead::lock`] has locked the lead.
    pub fn lead(&mut self) -> &mut Lead {
        self.change.leads.leads.get_mut(&self.id).expect("the lead is locked")
    }

    /// Reads the lead as stored, with its state under the live model.
    pub(crate) async fn row(&mut self) -> sqlx::Result<LeadRow> {
        let (id, live) = (self.id, self.change.scored.live.id);
        let missing = || damaged(format!("lead {id} has no state under the live model"));
        leads::view::find(self.conn(), live, id).await?.ok_or_else(missing)
    }

    /// Returns the label under which the policy excludes the lead. `None`: the policy does not exclude the
    /// lead.
    pub async fn excluded(&mut self) -> sqlx::Result<Option<Label>> {
        let LeadChange { tx, policy, .. } = &mut self.change;
        let found = stages::excluded(tx, policy, &[self.id], |_| None).await?;
        Ok(found.get(&self.id).copied())
    }

    /// Offers the lead to sales by hand. The caller makes sure that the lead has no open handoff.
    pub async fn offer(&mut self, by_hand: ByHand) -> sqlx::Result<Handoff> {
        let lead = self.lead().clone();
        let (conn, context) = self.change.parts();
        handoffs::offer(conn, context, &lead, by_hand).await
    }

    /// Ends a handoff of the lead.
    pub async fn end(&mut self, handoff: &Handoff, end: &End<'_>) -> sqlx::Result<()> {
        let (conn, context) = self.change.parts();
        stages::end(conn, context, handoff, end).await
    }

    /// Runs the phases of the change, and commits.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.change.commit().await.map(drop)
    }

    /// Commits without running the phases. For changes that were written on [`LockedLead::conn`] and do not
    /// change the lead itself.
    pub async fn commit_unchanged(self) -> sqlx::Result<()> {
        self.change.tx.commit().await
    }
}
