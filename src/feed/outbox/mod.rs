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

/// How many changes get their positions in one transaction.
pub const AT_ONCE: i64 = 10_000;

/// The type of a change. Each type names the fields of its `data`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(as = ChangeType)]
#[derive(strum::EnumIter)]
pub enum Kind {
    /// The lead has its first user id or e-mail address. Comes once for each lead, before all other changes of the
    /// lead.
    #[serde(rename = "lead.created")]
    Created,
    /// What is known of the lead has changed. `attributes`: the names of the attributes with another value.
    /// `identities`: whether the lead's identities have changed.
    #[serde(rename = "lead.updated")]
    Updated,
    /// The published score has changed: `from`, `to`, in points.
    #[serde(rename = "lead.score_changed")]
    ScoreChanged,
    /// The band has changed: `from`, `to`, `score`.
    #[serde(rename = "lead.band_changed")]
    BandChanged,
    /// The stage has changed: `from`, `to`, `cause`, `actor`, `cycle`, `score`.
    #[serde(rename = "lead.stage_changed")]
    StageChanged,
    /// The lead was merged into another lead and no longer exists. `into`: the lead that goes on.
    #[serde(rename = "lead.merged")]
    Merged,
    /// The merge of this lead into another was undone. `from`: the other lead.
    #[serde(rename = "lead.unmerged")]
    Unmerged,
    /// The person was erased. The lead no longer exists.
    #[serde(rename = "lead.erased")]
    Erased,
    /// What the person agrees to has changed.
    #[serde(rename = "lead.consent_changed")]
    ConsentChanged,
    /// An outcome of the lead was recorded: an opportunity, won, lost.
    #[serde(rename = "lead.outcome_recorded")]
    OutcomeRecorded,
    /// The lead is offered to sales. `handoff_id` names the handoff, as in every change `handoff.…`.
    #[serde(rename = "handoff.offered")]
    HandoffOffered,
    /// Sales accepted the lead.
    #[serde(rename = "handoff.accepted")]
    HandoffAccepted,
    /// Sales rejected the lead.
    #[serde(rename = "handoff.rejected")]
    HandoffRejected,
    /// Sales sent the lead back to marketing.
    #[serde(rename = "handoff.recycled")]
    HandoffRecycled,
    /// The handoff expired: nobody answered in time.
    #[serde(rename = "handoff.expired")]
    HandoffExpired,
    /// Another person is now to answer the handoff.
    #[serde(rename = "handoff.reassigned")]
    HandoffReassigned,
    /// The handoff was withdrawn, because the lead must no longer be offered or was joined with a lead that is offered
    /// already: `reason`.
    #[serde(rename = "handoff.withdrawn")]
    HandoffWithdrawn,
    /// Sales has not answered by `due_at`.
    #[serde(rename = "handoff.overdue")]
    HandoffOverdue,
}

impl Kind {
    /// Returns the type as it is stored and sent.
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

/// A change to publish: something that has happened to a lead.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The lead to which it happened.
    pub lead_id: LeadId,
    /// What happened.
    pub kind: Kind,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Fields that depend on the kind: a small object that says nothing about the person.
    pub data: Value,
}

/// A place in the feed: the reader has read everything up to it. 0 is the place before the first change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Position(pub i64);

/// The answer to a reader of the feed.
#[derive(Debug)]
pub enum Stretch {
    /// The next changes, and whether more follow.
    Next(Vec<Recorded>, bool),
    /// Some changes after the reader's place are no longer kept, or the feed never had this place.
    Gone,
}

/// Gives positions to committed changes that have none, at most to [`AT_ONCE`]. Returns how many got one.
pub async fn sequence(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<usize> {
    if !store::is_waiting(conn).await? {
        return Ok(0);
    }
    let mut tx = conn.begin().await?;
    // The lock comes first. So the next statement sees what another run has moved meanwhile.
    let last = store::lock_last(&mut tx).await?;
    let moved = store::append(&mut tx, last, now, AT_ONCE).await?;
    store::set_last(&mut tx, last, moved).await?;
    tx.commit().await?;
    Ok(usize::try_from(moved).expect("a count of rows fits"))
}

/// Gives positions to everything that is committed by now, and returns the place after it.
pub async fn end(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Position> {
    while sequence(conn, now).await? > 0 {}
    Ok(store::bounds(conn).await?.last)
}

/// Reads the changes after a place, at most `limit`, including all that is committed by now. Without a place, reading
/// begins with the oldest change that is kept.
pub async fn read(
    conn: &mut PgConnection,
    place: Option<Position>,
    limit: u16,
    now: DateTime<Utc>,
) -> sqlx::Result<Stretch> {
    let (from, enough) = (place.unwrap_or(Position(0)), i64::from(limit) + 1);
    // Positions first, then reading. So changes to which another task gives positions in between are read too.
    sequence(conn, now).await?;
    let mut found = after(conn, from, enough).await?;
    // The bounds are read last. So changes that were deleted after they were read are not missing.
    let bounds = store::bounds(conn).await?;
    if place.is_some_and(|place| place < bounds.forgotten || place > bounds.last) {
        return Ok(Stretch::Gone);
    }
    let more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    Ok(Stretch::Next(found, more))
}
