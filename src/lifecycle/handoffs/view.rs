//! A handoff as readers see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    lifecycle::{
        change::Evidence,
        stages::{Handoff, HandoffState},
    },
    platform::ids::{HandoffId, LeadId, ModelId},
};

/// A handoff of a lead to sales, and what became of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Handoff)]
pub struct HandoffView {
    /// The handoff.
    pub id: HandoffId,
    /// Who is offered; where that lead was joined with another, the other.
    pub lead_id: LeadId,
    /// How far it has come.
    pub state: HandoffState,
    /// The lead's passage into `mql` that it belongs to.
    pub cycle: i32,
    /// Who is to answer; once accepted, who has the lead.
    pub rep: Option<String>,
    /// When it was made.
    pub offered_at: DateTime<Utc>,
    /// Who made it; null: the rules.
    pub offered_by: Option<String>,
    /// By when sales is to answer.
    pub due_at: Option<DateTime<Utc>>,
    /// Whether sales should have answered by now and has not.
    pub overdue: bool,
    /// When it was noticed that sales had not answered in time; it stays, whatever is answered later.
    pub breached_at: Option<DateTime<Utc>>,
    /// When it ends by itself if nobody answers.
    pub expires_at: Option<DateTime<Utc>>,
    /// The score when it was made.
    pub score: i32,
    /// The version of the model then.
    pub model_version: ModelId,
    /// What spoke for the lead then.
    #[schema(value_type = Evidence)]
    pub evidence: Value,
    /// When sales took the lead.
    pub accepted_at: Option<DateTime<Utc>>,
    /// Who took it; null beside a date: the policy.
    pub accepted_by: Option<String>,
    /// When it last changed its state; null while open.
    pub answered_at: Option<DateTime<Utc>>,
    /// Who changed it; null: the rules.
    pub answered_by: Option<String>,
    /// The code of the reason for which it was rejected, the reason for which it was recycled, or what took it back.
    pub reason: Option<String>,
    /// What was said besides.
    pub note: Option<String>,
    /// Until when at least the lead is to be left alone.
    pub recycle_until: Option<DateTime<Utc>>,
    /// The handoff that goes on in its stead.
    pub merged_into: Option<HandoffId>,
}

impl HandoffView {
    /// As far as what happens to it is concerned.
    pub(super) fn handoff(&self) -> Handoff {
        Handoff {
            id: self.id,
            lead_id: self.lead_id,
            state: self.state,
            cycle: self.cycle,
            score: self.score,
            rep: self.rep.clone(),
            due_at: self.due_at,
        }
    }

    /// Whether it is overdue at an instant is seen then; who is late at the very instant is late.
    pub(super) fn seen_at(mut self, now: DateTime<Utc>) -> HandoffView {
        self.overdue = self.state == HandoffState::Open && self.due_at.is_some_and(|due_at| due_at <= now);
        self
    }
}
