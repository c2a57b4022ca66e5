//! A handoff as the API returns it.

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

/// A handoff: an offer of a lead to sales, with its evidence and its answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Handoff)]
pub struct HandoffView {
    /// The id of the handoff.
    pub id: HandoffId,
    /// The lead that is offered. If that lead was joined into another lead, the other lead.
    pub lead_id: LeadId,
    /// The state of the handoff.
    pub state: HandoffState,
    /// The lead's cycle when the handoff was made: how often the lead had become an MQL.
    pub cycle: i32,
    /// The rep who must answer. After the handoff is accepted, the rep who has the lead.
    pub rep: Option<String>,
    /// When the handoff was made.
    pub offered_at: DateTime<Utc>,
    /// Who offered the lead. Null: the rules did.
    pub offered_by: Option<String>,
    /// By when sales must answer. Null: at any time.
    pub due_at: Option<DateTime<Utc>>,
    /// Whether the handoff is open and its due time has passed.
    pub overdue: bool,
    /// When the service noticed that sales had not answered in time. A later answer does not change this.
    pub breached_at: Option<DateTime<Utc>>,
    /// When the handoff ends by itself if nobody answers. Null: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// The lead's score when the handoff was made.
    pub score: i32,
    /// The version of the model that gave the score.
    pub model_version: ModelId,
    /// What spoke for the lead when the handoff was made.
    #[schema(value_type = Evidence)]
    pub evidence: Value,
    /// When sales took the lead.
    pub accepted_at: Option<DateTime<Utc>>,
    /// Who took the lead. Null with a date in `accepted_at`: the policy accepted the handoff.
    pub accepted_by: Option<String>,
    /// When the state last changed. Null while the handoff is open.
    pub answered_at: Option<DateTime<Utc>>,
    /// Who changed the state. Null: the rules did.
    pub answered_by: Option<String>,
    /// Why the handoff ended: the code of a `reject_reasons` entry, the text of a recycling, or the cause for
    /// which the handoff was withdrawn.
    pub reason: Option<String>,
    /// The note of the person who answered.
    pub note: Option<String>,
    /// The instant before which the recycled lead cannot be an MQL again, if sales named one.
    pub recycle_until: Option<DateTime<Utc>>,
    /// The handoff that goes on, if this one is `merged`.
    pub merged_into: Option<HandoffId>,
}

impl HandoffView {
    /// The handoff without its evidence and its answer.
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

    /// Sets `overdue` as of `now`. A handoff that is due exactly now is overdue.
    pub(super) fn seen_at(mut self, now: DateTime<Utc>) -> HandoffView {
        self.overdue = self.state == HandoffState::Open && self.due_at.is_some_and(|due_at| due_at <= now);
        self
    }
}
