//! Scores as they are stored: what is stored of a lead equals a replay of its log, always.
//!
//! *Tally*: the bounded state that a lead's events are added to. There is one for each model under which the lead is scored.
//! *State*: what is stored of a lead under a model, the tally included. [`ModelStates`] holds the states of some leads under one
//! version of a model: it loads them, adds new events or replays the log, evaluates, and writes what has changed. [`rebuild()`]
//! makes the states of a version that is being prepared. When states change, and what follows from that, is decided above, in
//! [`crate::lifecycle`].
//!
//! A state is *outdated* if it was made under older semantics ([`scoring::SEMANTICS`]). An outdated state is served as it is, and
//! no event is added to it. The next change of the lead, or else the sweep `renew`, replays the log, attributes included.

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

/// The events that have just entered the log, by the lead for which they count.
pub type Additions<'a> = BTreeMap<LeadId, Vec<EventRef<'a>>>;

/// A lead's state under a model, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Whose.
    pub lead_id: LeadId,
    /// The lead's stage.
    pub stage: Stage,
    /// Whether the person asked not to be contacted, and has not asked for contact since.
    pub do_not_contact: bool,
    /// As published.
    pub score: i32,
    /// In milli-points, before the score's own bounds.
    pub raw: i64,
    /// In milli-points.
    pub fit: i64,
    /// In milli-points.
    pub engagement: i64,
    /// Such as `A1`.
    pub grade: String,
    /// Such as `hot`.
    pub band: String,
    /// The instant for which the numbers hold.
    pub as_of: DateTime<Utc>,
    /// When the score changes if nothing happens.
    pub next_change_at: Option<DateTime<Utc>>,
    /// When to look again: then, or when a dwell ends.
    pub due_at: Option<DateTime<Utc>>,
    /// When the person last did something.
    pub last_activity_at: Option<DateTime<Utc>>,
    /// When the lead first did something: the earliest of its events that count; none: there is no such event.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// Whether it is an MQL for having asked for sales.
    pub hand_raised: bool,
    /// When the person last asked for sales, by this version.
    pub hand_raised_at: Option<DateTime<Utc>>,
    /// When anything changed that a reader sees.
    pub updated_at: DateTime<Utc>,
    tally: Vec<u8>,
}

/// Whether some lead has an outdated state. The lead's attributes may then be of older semantics too.
pub async fn any_outdated(conn: &mut PgConnection) -> sqlx::Result<bool> {
    Ok(!store::outdated(conn, 1).await?.is_empty())
}

/// For how long the score that is due longest has been waiting to be brought up to date.
pub async fn overdue(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<TimeDelta> {
    let oldest = store::oldest_due(conn).await?;
    Ok(oldest.map_or(TimeDelta::zero(), |due| (now - due).max(TimeDelta::zero())))
}
