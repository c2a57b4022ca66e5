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

/// How a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = ClaimState)]
pub(super) enum State {
    /// The rep holds the lead.
    Active,
    /// Given back.
    Released,
    /// Given back and put off.
    Skipped,
    /// The lead was worked.
    Completed,
    /// Its time was over.
    Expired,
    /// The person asked not to be contacted.
    DoNotContact,
    /// The lead turned out to be one that was held already.
    Merged,
    /// The lead was erased.
    Erased,
}

/// A claim as stored, and what has become of its lead.
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
    /// How it ended; none: it has not.
    pub(super) outcome: Option<State>,
    pub(super) reason: Option<String>,
    pub(super) rests_until: Option<DateTime<Utc>>,
    pub(super) callback_at: Option<DateTime<Utc>>,
    /// The lead's stage under the live model; none: there is no such lead any more.
    pub(super) stage: Option<Stage>,
    /// Whether the lead may not be contacted.
    pub(super) do_not_contact: Option<bool>,
    /// Whether the lead is a signpost to another.
    pub(super) merged: bool,
}

impl Claim {
    /// How it stands at an instant. One on a lead that was merged stands as it did until the claims are joined too.
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

    /// When it ended, if it has.
    pub(super) fn over_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.state(now) {
            State::Active => None,
            State::Expired => Some(self.ended_at.unwrap_or(self.expires_at)),
            _ => Some(self.ended_at.unwrap_or(now)),
        }
    }
}

/// Has the claims on leads that were merged into this one follow it; whether there were any. Of several open ones the
/// earliest goes on. The caller's transaction holds no claim yet, and ends soon after.
async fn adopt(conn: &mut PgConnection, lead: LeadId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    if store::merged_into(conn, lead).await?.is_empty() {
        return Ok(false);
    }
    store::lock_lead(conn, lead).await?;
    // Read again: until the lock was had, one may have been taken out.
    let family = store::merged_into(conn, lead).await?;
    let open = store::lock_open(conn, &[family.as_slice(), &[lead]].concat()).await?;
    let (over, held): (Vec<_>, Vec<_>) = open.into_iter().partition(|claim| claim.expires_at <= now);
    let ids = |claims: &[store::Open]| claims.iter().map(|claim| claim.id).collect::<Vec<_>>();
    store::end(conn, &ids(&over), State::Expired, now).await?;
    store::end(conn, &ids(held.get(1..).unwrap_or_default()), State::Merged, now).await?;
    store::follow(conn, &family, lead).await
}

/// Brings a claim up to date with its lead: if that was merged, the claim follows.
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

/// Gives a lead that is itself again the claims on those at home there. Of either lead, one that ended because the other was
/// held goes on if its time is not over.
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
