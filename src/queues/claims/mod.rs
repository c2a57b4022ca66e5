//! Claims: a rep's lease on a lead.
//!
//! The guarantees. *Of all claims on a lead, in whatever queue, at most one is open*: a unique index ensures this,
//! and no code can forget it. The database's time counts, so instances with different clocks agree on who holds what.
//! Each claim has a *token*, greater than that of every earlier claim on the lead. A system that keeps the greatest
//! token can refuse a rep who comes late. A claim that has ended cannot act: renewing, releasing, skipping and
//! completing are refused, and the message says what happened.
//!
//! *Handing out* holds the queue's row, so one queue hands out one lead at a time. The rep gets the best free lead,
//! and a rep's caps are exact. Ingestion never waits for this: no row of a lead or score is locked.
//!
//! *What happens to a lead during a claim* is looked up whenever the claim is read, and a sweep settles it within a
//! second. If the lead is erased or asks not to be contacted, the claim ends. If the lead is merged into another, the
//! claim follows. If both leads were held, the earlier claim goes on and the later one ends. If the lead leaves the
//! queue, because its score fell or its stage changed, the rep may finish, but cannot renew the claim.

mod acting;
pub mod api;
pub mod jobs;
mod next;
mod store;
mod view;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::{
    leads::Stage,
    platform::{
        core::Core,
        ids::{ClaimId, LeadId, ModelId},
    },
    queues::Queues,
};

/// The state of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = ClaimState)]
pub(super) enum State {
    /// The rep holds the lead.
    Active,
    /// The rep gave the lead back.
    Released,
    /// The rep skipped the lead.
    Skipped,
    /// The rep called the lead and completed the claim.
    Completed,
    /// The claim expired.
    Expired,
    /// The person asked not to be contacted.
    DoNotContact,
    /// The lead was merged with a lead that a rep held already.
    Merged,
    /// The lead was erased.
    Erased,
}

/// A claim as stored, with what has happened to its lead.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) id: ClaimId,
    pub(super) lead_id: LeadId,
    pub(super) token: i64,
    pub(super) queue: String,
    pub(super) rep: String,
    pub(super) why: Vec<String>,
    pub(super) claimed_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) ended_at: Option<DateTime<Utc>>,
    /// How the claim was ended. `None`: it was not ended yet.
    pub(super) outcome: Option<State>,
    pub(super) reason: Option<String>,
    pub(super) rests_until: Option<DateTime<Utc>>,
    pub(super) callback_at: Option<DateTime<Utc>>,
    /// The lead's stage. `None`: the lead has no state under the live model, because it was erased or merged.
    pub(super) stage: Option<Stage>,
    /// Whether the person asked not to be contacted. `None` if the lead has no state.
    pub(super) do_not_contact: Option<bool>,
    /// Whether the lead was merged into another lead.
    pub(super) merged: bool,
}

impl Claim {
    /// Returns the state at an instant. A claim on a merged lead stays active until it is moved to the heir.
    pub(super) fn state(&self, now: DateTime<Utc>) -> State {
        match self.outcome {
            Some(outcome) => outcome,
            None if self.expires_at <= now => State::Expired,
            None if self.merged => State::Active,
            None if self.stage.is_none() => State::Erased,
            None if self.do_not_contact == Some(true) => State::DoNotContact,
            None => State::Active,
        }
    }

    /// Returns when the claim ended. `None`: it is active.
    pub(super) fn over_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.state(now) {
            State::Active => None,
            State::Expired => Some(self.ended_at.unwrap_or(self.expires_at)),
            _ => Some(self.ended_at.unwrap_or(now)),
        }
    }
}

/// Moves the claims on leads that were merged into this lead to this lead. Returns whether there were any.
///
/// Of several open claims, the earliest goes on and the others end. The caller's transaction must not have
/// locked a claim yet, and must end soon after.
async fn adopt(conn: &mut PgConnection, lead: LeadId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    if store::merged_into(conn, lead).await?.is_empty() {
        return Ok(false);
    }
    store::lock_lead(conn, lead).await?;
    // Read again under the lock: an unmerge may have parted a lead before the lock was held.
    let family = store::merged_into(conn, lead).await?;
    let open = store::lock_open(conn, &[family.as_slice(), &[lead]].concat()).await?;
    let (over, held): (Vec<_>, Vec<_>) = open.into_iter().partition(|claim| claim.expires_at <= now);
    let ids = |claims: &[store::Open]| claims.iter().map(|claim| claim.id).collect::<Vec<_>>();
    store::end(conn, &ids(&over), State::Expired, now).await?;
    store::end(conn, &ids(held.get(1..).unwrap_or_default()), State::Merged, now).await?;
    store::follow(conn, &family, lead).await
}

/// Moves an open claim to the heir, if the claim's lead was merged.
async fn follow_lead(queues: &Queues, id: ClaimId, model: ModelId) -> sqlx::Result<()> {
    let mut tx = queues.db.begin().await?;
    let Some(claim) = view::find(&mut tx, id, model).await? else { return Ok(()) };
    if claim.merged
        && claim.outcome.is_none()
        && let Some(heir) = store::heir(&mut tx, claim.lead_id).await?
    {
        let now = super::now(queues, &mut tx).await?;
        adopt(&mut tx, heir, now).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Gives a lead back the claims whose home is one of `homes`, after an unmerge.
///
/// If the merge ended a claim of either lead because the other lead was held, the claim goes on, unless it
/// would have expired by now.
pub(crate) async fn give_back(
    core: &Core,
    conn: &mut PgConnection,
    from: LeadId,
    homes: &[LeadId],
    lead: LeadId,
) -> sqlx::Result<()> {
    store::lock_lead(conn, from).await?;
    let now = super::now(core, conn).await?;
    store::part(conn, from, homes, lead).await?;
    store::reopen(conn, lead, now).await?;
    store::reopen(conn, from, now).await
}
