//! What people say has become of a lead: an opportunity, won, lost; or that the lead belongs at another stage.
//!
//! An *outcome* is recorded with its author, when it happened and when it was recorded. It moves the lead. Nothing is
//! overwritten: a wrong outcome is *replaced* by another, and both stay. A lead stands where its last outcome says
//! that was not replaced.
//!
//! While sales has an open handoff of a lead, sales must answer the handoff first. So an outcome is no way around the
//! criteria that accepting needs.

pub mod api;
mod money;
mod store;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use store::OutcomeView;

use crate::{
    feed::outbox::{self, Change, Kind},
    leads::{Cause, NotAllowed, Stage, Target, Why},
    lifecycle::{Lifecycle, change::LockedLead, stages},
    platform::ids::{HandoffId, LeadId, OutcomeId},
};

/// What became of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// A deal is being made.
    Opportunity,
    /// The deal was made.
    Won,
    /// No deal was made.
    Lost,
}

impl Outcome {
    /// The name of the outcome, as stored and as in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The stage to which the outcome moves a lead.
    fn target(self) -> Target {
        match self {
            Outcome::Opportunity => Target::Opportunity,
            Outcome::Won => Target::Customer,
            Outcome::Lost => Target::Lost,
        }
    }
}

/// Why an outcome is not recorded, or a move by hand is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutcomeError {
    #[error("no such {0}")]
    NotFound(&'static str),
    #[error("handoff {0} is open")]
    Offered(HandoffId),
    /// The lead is at this stage already, because of this outcome.
    #[error("the lead is {} already", .0.as_str())]
    Already(Stage, Option<OutcomeId>),
    /// An earlier outcome put the lead at this stage. Only replacing that outcome moves the lead.
    #[error("an outcome says that the lead is {}", .1.as_str())]
    SaidOtherwise(OutcomeId, Stage),
    /// Sales never had the lead, so it cannot be lost.
    #[error("sales never had the lead")]
    NeverHad(Stage),
    #[error("the outcome has been replaced already")]
    Replaced,
    #[error("no such reason")]
    UnknownReason(Vec<String>),
    #[error("the idempotency key belongs to another outcome")]
    KeyTaken,
    #[error("the instant is in the future")]
    Future,
    #[error("the instant has passed")]
    Past,
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// An outcome that a person records.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) outcome: Outcome,
    pub(crate) occurred_at: Option<DateTime<Utc>>,
    pub(crate) by: String,
    /// The value of the deal, in the currency's smallest unit.
    pub(crate) amount: Option<i64>,
    pub(crate) currency: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) note: Option<String>,
    /// The wrong outcome that this outcome replaces.
    pub(crate) replaces: Option<OutcomeId>,
    pub(crate) request_key: Option<String>,
}

/// Records an outcome of a lead and moves the lead. Returns the outcome, and whether it is new. It is not new
/// if a call with the same idempotency key recorded it before.
pub(crate) async fn record(
    lifecycle: &Lifecycle,
    lead: LeadId,
    said: &Said,
) -> Result<(OutcomeView, bool), OutcomeError> {
    let mut locked = LockedLead::lock(lifecycle, lead).await?.ok_or(OutcomeError::NotFound("lead"))?;
    let (lead, now) = (locked.id, locked.now());
    if let Some(key) = &said.request_key
        && let Some(before) = store::by_key(locked.conn(), lead, key).await?
    {
        return if before.is(said) { Ok((before, false)) } else { Err(OutcomeError::KeyTaken) };
    }
    if said.occurred_at.is_some_and(|at| at > now) {
        return Err(OutcomeError::Future);
    }
    let reasons = &locked.policy().document.loss_reasons;
    if said.reason.as_ref().is_some_and(|reason| !reasons.iter().any(|known| known.code == *reason)) {
        return Err(OutcomeError::UnknownReason(reasons.iter().map(|known| known.code.clone()).collect()));
    }
    if let Some(open) = stages::open_handoffs(locked.conn(), &[lead]).await?.pop() {
        return Err(OutcomeError::Offered(open.id));
    }
    let id = OutcomeId(lifecycle.ids.next());
    let moves = place(&mut locked, said, id).await?;
    if moves {
        let stage = locked.lead().stage();
        let target = said.outcome.target();
        // No move is needed if a customer buys again, or if a correction changes something other than the
        // stage.
        if stage != target.stage() {
            let cause = if said.replaces.is_some() { Cause::Correction } else { Cause::Outcome };
            let why = Why::said(cause, now, &said.by, said.reason.as_deref());
            if let Err(not) = locked.lead().pass(target, why) {
                return Err(refused(&mut locked, said, not).await?);
            }
        } else if said.replaces.is_none() && said.outcome != Outcome::Won {
            let (_, last) = recorded_last(&mut locked).await?;
            return Err(OutcomeError::Already(stage, last));
        }
    }
    let recorded = store::insert(locked.conn(), lead, id, said, now).await?;
    outbox::publish(locked.conn(), &lifecycle.ids, &[recorded.change(said.replaces)]).await?;
    locked.commit().await?;
    Ok((recorded, true))
}

/// Turns a move that the table of moves does not have into an error that tells a person what to do.
async fn refused(locked: &mut LockedLead<'_>, said: &Said, not: NotAllowed) -> sqlx::Result<OutcomeError> {
    if said.replaces.is_none()
        && let (Some(stage), Some(last)) = recorded_last(locked).await?
        && stage == not.from
    {
        return Ok(OutcomeError::SaidOtherwise(last, stage));
    }
    let never_had = matches!(not.from, Stage::Anonymous | Stage::Lead | Stage::Mql | Stage::Recycled);
    Ok(match said.outcome {
        Outcome::Lost if never_had => OutcomeError::NeverHad(not.from),
        _ => not.into(),
    })
}

/// Returns the stage that the lead's outcomes say, and the outcome that says so. Both are `None` if there is
/// no outcome.
async fn recorded_last(locked: &mut LockedLead<'_>) -> sqlx::Result<(Option<Stage>, Option<OutcomeId>)> {
    let lead = locked.id;
    let all = store::list(locked.conn(), lead).await?;
    let last = all.iter().find(|one| Some(one.id) == last(&all));
    Ok((last.map(|last| last.outcome.target().stage()), last.map(|last| last.id)))
}

/// Marks the outcome that a new one replaces. Returns whether the new outcome decides the lead's stage.
///
/// The new outcome decides if it replaces nothing, or if it replaces the outcome that the lead's stage came
/// from.
async fn place(locked: &mut LockedLead<'_>, said: &Said, id: OutcomeId) -> Result<bool, OutcomeError> {
    let Some(wrong) = said.replaces else { return Ok(true) };
    let lead = locked.id;
    let all = store::list(locked.conn(), lead).await?;
    let found =
        all.iter().find(|one| one.id == wrong).ok_or(OutcomeError::NotFound("outcome of this lead"))?;
    if found.replaced_by.is_some() {
        return Err(OutcomeError::Replaced);
    }
    store::replace(locked.conn(), wrong, id).await?;
    Ok(last(&all) == Some(wrong) && locked.lead().stage() == found.outcome.target().stage())
}

/// Returns the outcome that decides the lead's stage: the last one, where an outcome that replaces another
/// takes its place in the order.
fn last(all: &[OutcomeView]) -> Option<OutcomeId> {
    let mut places: Vec<&OutcomeView> = Vec::new();
    for one in all {
        match places.iter_mut().find(|place| place.replaced_by == Some(one.id)) {
            Some(place) => *place = one,
            None => places.push(one),
        }
    }
    places.last().map(|last| last.id)
}

/// Moves a lead, or its heir if the lead was merged, because a person says so. Returns the lead that was
/// moved.
pub(crate) async fn move_by_hand(
    lifecycle: &Lifecycle,
    lead: LeadId,
    target: Target,
    by: &str,
    reason: &str,
) -> Result<LeadId, OutcomeError> {
    let mut locked = LockedLead::lock(lifecycle, lead).await?.ok_or(OutcomeError::NotFound("lead"))?;
    let (id, now) = (locked.id, locked.now());
    if let Target::Recycled(Some(until)) = target
        && until <= now
    {
        return Err(OutcomeError::Past);
    }
    let lead = locked.lead();
    match target {
        Target::Recycled(until) if lead.stage() == Stage::Recycled => lead.recycled_until = until,
        _ if lead.stage() == target.stage() => {}
        _ => lead.pass(target, Why::said(Cause::Person, now, by, Some(reason)))?,
    }
    locked.commit().await?;
    Ok(id)
}

impl OutcomeView {
    /// Whether a call with these contents recorded this outcome.
    fn is(&self, said: &Said) -> bool {
        self.outcome == said.outcome
            && (self.amount, &self.currency) == (said.amount, &said.currency)
            && (&self.reason, &self.note) == (&said.reason, &said.note)
            && said.occurred_at.is_none_or(|at| at == self.occurred_at)
    }

    fn change(&self, replaces: Option<OutcomeId>) -> Change {
        let data = serde_json::json!({
            "outcome_id": self.id,
            "outcome": self.outcome,
            "amount": self.amount,
            "currency": self.currency,
            "reason": self.reason,
            "by": self.recorded_by,
            "handoff_id": self.handoff_id,
            "replaces": replaces,
        });
        Change { lead_id: self.lead_id, kind: Kind::OutcomeRecorded, at: self.recorded_at, data }
    }
}
