//! The passages between marketing and sales.
//!
//! - *Passage*: a move of a lead from one stage to another. [`Cause::allows`](crate::leads::Cause::allows) is the
//!   table of moves, and only [`Lead::pass`](crate::leads::Lead::pass) moves a lead.
//! - *Transition*: the record of a passage, with cause, actor, cycle and score of the moment.
//! - *Gates*: what stands before `mql`, in this order. The person asked not to be contacted. The policy excludes the
//!   lead. Only machines have acted since the lead's last passage. Then a raised hand opens, then the model's
//!   thresholds.
//! - *Handoff*: the offer that sales is asked to answer, with the evidence of its moment.
//!
//! The scoring core decides by score ([`decide`]). This module turns the decision into passages ([`advance()`]),
//! records them ([`record`]), and keeps the handoffs that go with them. If the policy says so, a lead at stage `mql` is
//! offered to sales, unless only a new model made it an MQL or it must not be contacted. The handoff is withdrawn when
//! the lead no longer is such a lead. A lead has at most one open handoff. `cycle` numbers the passages of a lead into
//! `mql`.

mod advance;
mod gates;
mod handoffs;
mod store;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

pub use advance::{Decided, StageInput, advance, decide, is_at_stake, is_offered, put_back};
pub use gates::{Gate, excluded, gate};
pub use handoffs::{
    End, Handoff, HandoffState, NewHandoff, end, inherit, offer, open_handoffs, put_handoff_back, reopen,
};
pub use store::{Transition, copy_answers, give_back};

use crate::{
    feed::outbox::{self, Change, Kind},
    lifecycle::policy::Policy,
    models::{Scored, Version},
    platform::ids::Ids,
};

/// The circumstances of a change.
#[derive(Debug, Clone, Copy)]
pub struct ChangeContext<'a> {
    /// The models under which leads are scored.
    pub scored: &'a Scored,
    /// What the organisation has decided besides.
    pub policy: &'a Policy,
    /// The instant for which they are.
    pub now: DateTime<Utc>,
    /// Where new ids come from.
    pub ids: &'a Ids,
}

impl<'a> ChangeContext<'a> {
    /// The model that decides.
    pub fn live(self) -> &'a Version {
        &self.scored.live
    }
}

/// What makes somebody look at a lead's stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Events came, or an instant was reached at which the score changes.
    Life {
        /// Whether the person did something that it had not done when it was looked at last.
        active: bool,
    },
    /// A newly published model decides from now on.
    ModelChange {
        /// Whether sales is offered the MQLs that this makes.
        offers: bool,
    },
}

/// Keeps what happened, and says so in the feed.
pub async fn record(conn: &mut PgConnection, ids: &Ids, transitions: &[Transition]) -> sqlx::Result<()> {
    if transitions.is_empty() {
        return Ok(());
    }
    store::insert_transitions(conn, transitions).await?;
    let changes: Vec<Change> = transitions.iter().map(Transition::change).collect();
    outbox::publish(conn, ids, &changes).await
}

impl Transition {
    fn change(&self) -> Change {
        let (from, to) = (self.passed.from, self.passed.to);
        let why = &self.passed.why;
        let data = serde_json::json!({
            "from": from,
            "to": to,
            "cause": why.cause,
            "actor": why.actor,
            "cycle": self.passed.cycle,
            "score": self.score.score,
        });
        Change { lead_id: self.lead_id, kind: Kind::StageChanged, at: self.at, data }
    }
}
