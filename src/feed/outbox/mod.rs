//! What happened to leads: the outbox, and the feed of changes that is made from it.
//!
//! Code that changes a lead calls [`publish`] on the connection of the same transaction. So a change is in the feed
//! exactly if the change was committed. A change is small and frozen. It names the lead by its id and says nothing
//! about the person, so erasing a person leaves nothing here to erase.
//!
//! The table `outbox` takes the rows that a transaction writes. [`sequence`] moves the committed rows to the table
//! `change` and gives each a *position*. The reader keeps the position up to which it has read.
//!
//! **Nothing is skipped.** A number that is taken during a transaction does not say when the transaction commits. A
//! reader that has seen 7 would never see 6 if the transaction of 6 took longer. So positions are given out after the
//! commit, by one transaction at a time: [`sequence`] holds the row of `change_feed` from before it looks until it
//! has committed. The transaction that gave out a lower position has committed before the next one could look. So a
//! reader that sees position *n* sees every position below.
//!
//! **One lead's changes keep their order.** The transactions that make them hold the lead's row in `lead` (or nobody
//! else knows the lead yet). So an earlier transaction has committed before a later one takes its number `seq`. The
//! earlier number is smaller, and a reader of the later change sees the earlier one too. [`sequence`] takes what it
//! sees in the order of `seq`. So the earlier change was placed by a run before, or this run places it first. Between
//! leads, the order is that in which changes became visible, and within a run that in which they were published.
//!
//! **The feed is never stale.** Reading the feed first sequences what is committed.
//!
//! **Changes are kept** for a time that the operator chooses. A reader whose position is no longer kept is told so,
//! and never misses anything in silence.

pub mod api;
pub mod jobs;
mod store;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{Connection, PgConnection};

pub use store::{Recorded, after, hold, publish};

use crate::platform::ids::LeadId;

/// How many changes get their place in one transaction.
pub const AT_ONCE: i64 = 10_000;

/// What happened, and which fields say more about it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(as = ChangeType)]
#[derive(strum::EnumIter)]
pub enum Kind {
    /// The lead is known: it has its first user id or e-mail address. Told once of each lead, before all else.
    #[serde(rename = "lead.created")]
    Created,
    /// What is known of the lead has changed: `attributes`, the names of those that have another value; `identities`,
    /// whether it has got other identities.
    #[serde(rename = "lead.updated")]
    Updated,
    /// The published score: `from`, `to`.
    #[serde(rename = "lead.score_changed")]
    ScoreChanged,
    /// The band: `from`, `to`, `score`.
    #[serde(rename = "lead.band_changed")]
    BandChanged,
    /// The stage: `from`, `to`, `cause`, `actor`, `cycle`, `score`.
    #[serde(rename = "lead.stage_changed")]
    StageChanged,
    /// The lead turned out to be another and is no more: `into`, the lead that goes on.
    #[serde(rename = "lead.merged")]
    Merged,
    /// A lead that was merged into another is itself again: `from` is the other.
    #[serde(rename = "lead.unmerged")]
    Unmerged,
    /// The person was erased; there is no such lead any more.
    #[serde(rename = "lead.erased")]
    Erased,
    /// What the person agrees to.
    #[serde(rename = "lead.consent_changed")]
    ConsentChanged,
    /// What became of it: an opportunity, won, lost.
    #[serde(rename = "lead.outcome_recorded")]
    OutcomeRecorded,
    /// Marketing offers the lead to sales: `handoff_id` and what belongs to it, as with every `handoff.…`.
    #[serde(rename = "handoff.offered")]
    HandoffOffered,
    /// Sales takes it.
    #[serde(rename = "handoff.accepted")]
    HandoffAccepted,
    /// Sales does not.
    #[serde(rename = "handoff.rejected")]
    HandoffRejected,
    /// Sales sends it back to ripen.
    #[serde(rename = "handoff.recycled")]
    HandoffRecycled,
    /// Nobody answered in time.
    #[serde(rename = "handoff.expired")]
    HandoffExpired,
    /// Somebody else is to answer.
    #[serde(rename = "handoff.reassigned")]
    HandoffReassigned,
    /// The lead is no longer to be offered, or was joined with one that is: `reason`.
    #[serde(rename = "handoff.withdrawn")]
    HandoffWithdrawn,
    /// Sales has not answered by `due_at`.
    #[serde(rename = "handoff.overdue")]
    HandoffOverdue,
}

impl Kind {
    /// The word for it, as stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Created => "lead.created",
            Kind::Updated => "lead.updated",
            Kind::ScoreChanged => "lead.score_changed",
            Kind::BandChanged => "lead.band_changed",
            Kind::StageChanged => "lead.stage_changed",
            Kind::Merged => "lead.merged",
            Kind::Unmerged => "lead.unmerged",
            Kind::Erased => "lead.erased",
            Kind::ConsentChanged => "lead.consent_changed",
            Kind::OutcomeRecorded => "lead.outcome_recorded",
            Kind::HandoffOffered => "handoff.offered",
            Kind::HandoffAccepted => "handoff.accepted",
            Kind::HandoffRejected => "handoff.rejected",
            Kind::HandoffRecycled => "handoff.recycled",
            Kind::HandoffExpired => "handoff.expired",
            Kind::HandoffReassigned => "handoff.reassigned",
            Kind::HandoffWithdrawn => "handoff.withdrawn",
            Kind::HandoffOverdue => "handoff.overdue",
        }
    }
}

/// Something that has happened to a lead.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// To whom.
    pub lead_id: LeadId,
    /// What.
    pub kind: Kind,
    /// When.
    pub at: DateTime<Utc>,
    /// What is particular to the kind: a small object that says nothing about the person.
    pub data: Value,
}

/// A place in the feed: everything up to it has been read. 0 is the place before the first change ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Position(pub i64);

/// A stretch of the feed.
#[derive(Debug)]
pub enum Stretch {
    /// What follows the reader's place, and whether more does.
    Next(Vec<Recorded>, bool),
    /// Some of what follows the reader's place is no longer kept, or the place is none of this feed's.
    Gone,
}

/// Gives a place to what is committed and has none, at most [`AT_ONCE`]; how many that were.
pub async fn sequence(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<usize> {
    if !store::is_waiting(conn).await? {
        return Ok(0);
    }
    let mut tx = conn.begin().await?;
    // What another run has moved since is seen by the next statement, not by one that began before the lock was had.
    let last = store::lock_last(&mut tx).await?;
    let moved = store::append(&mut tx, last, now, AT_ONCE).await?;
    store::set_last(&mut tx, last, moved).await?;
    tx.commit().await?;
    Ok(usize::try_from(moved).expect("a count of rows fits"))
}

/// The place after everything that is committed by now; all of it has a place then.
pub async fn end(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Position> {
    while sequence(conn, now).await? > 0 {}
    Ok(store::bounds(conn).await?.last)
}

/// What follows a place, at most `limit`, with everything that is committed by now; without a place, from the oldest that
/// is kept.
pub async fn read(
    conn: &mut PgConnection,
    place: Option<Position>,
    limit: u16,
    now: DateTime<Utc>,
) -> sqlx::Result<Stretch> {
    let (from, enough) = (place.unwrap_or(Position(0)), i64::from(limit) + 1);
    // In this order: what somebody else gives a place in between is then read too.
    sequence(conn, now).await?;
    let mut found = after(conn, from, enough).await?;
    // Asked last: what was forgotten after the changes were read is not missing among them.
    let bounds = store::bounds(conn).await?;
    if place.is_some_and(|place| place < bounds.forgotten || place > bounds.last) {
        return Ok(Stretch::Gone);
    }
    let more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    Ok(Stretch::Next(found, more))
}
