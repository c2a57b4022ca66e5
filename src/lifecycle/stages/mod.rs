//! The passages between marketing and sales.
//!
//! - *Passage*: a move of a lead from one stage to another. [`Cause::allows`](crate::leads::Cause::allows) is the
//!   table of moves, and only [`Lead::pass`](crate::leads::Lead::pass) moves a lead.
//! - *Transition*: the record of a passage, with cause, actor, cycle and score of the moment.
//! - *Gates*: the conditions before `mql`, checked in this order. The lead is known. Sales does not have the
//!   lead. The person has not asked not to be contacted. The policy does not exclude the lead. The person,
//!   and not only a machine, has acted since the lead's last exit. Then a hand-raise is enough, or else the
//!   model's thresholds decide.
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

/// What every decision in a change works with: models, policy, instant and ids.
#[derive(Debug, Clone, Copy)]
pub struct ChangeContext<'a> {
    /// The models under which leads are scored.
    pub scored: &'a Scored,
    /// The policy in force.
    pub policy: &'a Policy,
    /// The instant of the change, in UTC.
    pub now: DateTime<Utc>,
    /// The source of new ids.
    pub ids: &'a Ids,
}

impl<'a> ChangeContext<'a> {
    /// The live model, which decides stages.
    pub fn live(self) -> &'a Version {
        &self.scored.live
    }
}

/// Why a lead's stage is decided again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Events came, or an instant was reached at which the score changes.
    Life {
        /// Whether the person has done something since the state was last stored.
        active: bool,
    },
    /// A newly published model decides from now on.
    ModelChange {
        /// Whether MQLs that result are offered to sales automatically.
        offers: bool,
    },
}

/// Stores transitions and publishes them in the feed.
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
