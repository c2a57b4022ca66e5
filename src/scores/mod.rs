//! Stored scores. The stored state of a lead always equals a replay of its log.
//!
//! *Tally*: the bounded state that a lead's events are added to. There is one for each model under which the
//! lead is scored. *State*: the tally and the score of a lead under a model, as they are stored.
//! [`ModelStates`] holds the states of some leads under one version of a model: it loads the states, adds new
//! events or replays the log, evaluates, and writes the changed states. [`rebuild()`] makes the states of a
//! version that is being prepared. [`crate::lifecycle`] decides when states change, and what follows from a
//! change.
//!
//! A state is *outdated* if it was made under older semantics ([`scoring::SEMANTICS`]). An outdated state is
//! served as it is, and no event is added to it. The next change of the lead replays the log, also for the
//! attributes. If the lead does not change, the sweep `renew` does so.

pub mod api;
mod log;
mod pass;
mod person;
mod rebuild;
mod states;
mod store;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use scoring::EventRef;
use sqlx::PgConnection;

pub use log::{History, read as read_log, read_one as read_log_of};
pub use pass::{Pass, Prepared};
pub use person::{MOST_ATTRIBUTES, MOST_BYTES, Overfull, People, StateError, is_swollen};
pub use rebuild::rebuild;
pub(crate) use states::{ModelStates, StateInputs};
pub(crate) use store::{count_outdated, delete, due, known_since, not_to_be_contacted, outdated};

use crate::{leads::Stage, platform::ids::LeadId};

/// The events that are new in the log, by the lead for which they count.
pub type Additions<'a> = BTreeMap<LeadId, Vec<EventRef<'a>>>;

/// A lead's state under a model, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The lead.
    pub lead_id: LeadId,
    /// The lead's stage.
    pub stage: Stage,
    /// Whether the person must not be contacted on any channel.
    pub do_not_contact: bool,
    /// The published score, in whole points.
    pub score: i32,
    /// The raw score in milli-points, before the bounds of the score.
    pub raw: i64,
    /// The fit, in milli-points.
    pub fit: i64,
    /// The engagement, in milli-points.
    pub engagement: i64,
    /// The grade, such as `A1`.
    pub grade: String,
    /// The band, such as `hot`.
    pub band: String,
    /// The instant for which the score was computed.
    pub as_of: DateTime<Utc>,
    /// The next instant at which the score may change if nothing happens; `None` if never.
    pub next_change_at: Option<DateTime<Utc>>,
    /// When the sweep must look at the lead again: at `next_change_at`, or earlier if a dwell or cooldown
    /// ends.
    pub due_at: Option<DateTime<Utc>>,
    /// The newest activity that the person did.
    pub last_activity_at: Option<DateTime<Utc>>,
    /// The instant of the earliest event that counts; `None` if no event counts.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// Whether the lead is an MQL by hand-raise.
    pub hand_raised: bool,
    /// The newest hand-raise under this version.
    pub hand_raised_at: Option<DateTime<Utc>>,
    /// When a visible value of the lead last changed.
    pub updated_at: DateTime<Utc>,
    tally: Vec<u8>,
}

/// Whether any lead has an outdated state. The attributes of such a lead may be of older semantics too.
pub async fn any_outdated(conn: &mut PgConnection) -> sqlx::Result<bool> {
    Ok(!store::outdated(conn, 1).await?.is_empty())
}

/// How long the longest overdue score has been waiting for its update; zero if no score is overdue.
pub async fn overdue(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<TimeDelta> {
    let oldest = store::oldest_due(conn).await?;
    Ok(oldest.map_or(TimeDelta::zero(), |due| (now - due).max(TimeDelta::zero())))
}
