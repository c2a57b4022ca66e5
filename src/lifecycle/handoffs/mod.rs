//! The answers of sales to handoffs.
//!
//! [`crate::lifecycle::stages`] makes a *handoff* when a lead becomes an MQL. A person makes one here by
//! hand. A handoff has the evidence of its moment, a time by which it is due, and who is to answer. A handoff is `open`
//! until sales accepts, rejects or recycles it, until it expires, or until the lead may no longer be offered. Sales
//! may still recycle an accepted handoff.
//!
//! The guarantees. Every answer holds the lead's row: of two answers at once, one is given, and the other sees the
//! result. The same answer by the same person again changes nothing and gets the first reply. Answer, move, record
//! and change in the feed are one transaction.

pub mod api;
pub mod jobs;
mod store;
mod view;

use chrono::{DateTime, Utc};

pub use view::HandoffView;

use crate::{
    feed::outbox::{self, Kind},
    leads::{Cause, Lead, MqlBy, NotAllowed, Stage, Target, Why},
    lifecycle::{
        Lifecycle,
        change::{ByHand, LockedLead},
        checklists,
        policy::{Criterion, Framework, Label, Then},
        stages::{End, Handoff, HandoffState},
    },
    platform::ids::{HandoffId, LeadId},
};

/// Why an offer or an answer is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandoffError {
    #[error("no such {0}")]
    NotFound(&'static str),
    #[error("the handoff is {}", .0.as_str())]
    Closed(HandoffState),
    #[error("a lead at stage {} cannot be offered", .0.as_str())]
    NotOffered(Stage),
    #[error("the person asked not to be contacted")]
    DoNotContact,
    #[error("the policy excludes the lead as {}", .0.as_str())]
    Excluded(Label),
    #[error("{answered} of {needed} needed criteria are answered")]
    Unanswered { framework: Framework, needed: u8, answered: usize, missing: Vec<&'static Criterion> },
    #[error("no such reason")]
    UnknownReason(Vec<String>),
    #[error("the instant has passed")]
    Past,
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Who answers a handoff, with a note.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) by: String,
    pub(crate) note: Option<String>,
}

/// Offers a lead by hand. Returns the handoff, and whether it is new.
///
/// If the lead has an open handoff, or the same idempotency key made a handoff before, that handoff is
/// returned.
pub(crate) async fn offer_by_hand(
    lifecycle: &Lifecycle,
    lead: LeadId,
    by: String,
    rep: Option<String>,
    request_key: Option<String>,
) -> Result<(HandoffView, bool), HandoffError> {
    let mut locked = LockedLead::lock(lifecycle, lead).await?.ok_or(HandoffError::NotFound("lead"))?;
    let id = locked.id;
    if let Some(before) = store::earlier(locked.conn(), id, request_key.as_deref()).await? {
        return Ok((before, false));
    }
    let (stage, now) = (locked.lead().stage(), locked.now());
    if !matches!(stage, Stage::Lead | Stage::Recycled | Stage::Mql) {
        return Err(HandoffError::NotOffered(stage));
    }
    if locked.row().await?.do_not_contact {
        return Err(HandoffError::DoNotContact);
    }
    if let Some(label) = locked.excluded().await? {
        return Err(HandoffError::Excluded(label));
    }
    vouch(locked.lead(), now, &by)?;
    let handoff = locked.offer(ByHand { by: Some(by), rep, request_key }).await?;
    locked.commit().await?;
    Ok((find(lifecycle, handoff.id).await?, true))
}

/// Makes a lead an MQL because a person says so. Then a low score does not end that.
fn vouch(lead: &mut Lead, now: DateTime<Utc>, by: &str) -> Result<(), NotAllowed> {
    if lead.stage() == Stage::Mql {
        lead.mql_by = lead.mql_by.max(Some(MqlBy::Person));
        (lead.below_since, lead.below_by_model) = (None, false);
        return Ok(());
    }
    lead.pass(Target::Mql(MqlBy::Person), Why::said(Cause::Person, now, by, None))
}

/// Accepts a handoff: the lead becomes an SQL. If the same person accepted it before, nothing changes.
pub(crate) async fn accept(
    lifecycle: &Lifecycle,
    id: HandoffId,
    answer: &Answer,
) -> Result<HandoffView, HandoffError> {
    let (mut locked, handoff) = open(lifecycle, id).await?;
    if handoff.is_answer(HandoffState::Accepted, &answer.by) {
        return Ok(handoff);
    }
    handoff.must_be_open()?;
    if locked.excluded().await?.is_some() {
        // The policy excludes the lead, but the sweep has not withdrawn this handoff yet. The commit
        // withdraws it.
        locked.commit().await?;
        return Err(HandoffError::Closed(HandoffState::Withdrawn));
    }
    if let Some(needs) = locked.policy().document.handoff.accept_needs {
        let lead = locked.id;
        let missing = checklists::unanswered(locked.conn(), lead, needs.framework).await?;
        let answered = needs.framework.criteria().len() - missing.len();
        if answered < usize::from(needs.answered) {
            let (framework, needed) = (needs.framework, needs.answered);
            return Err(HandoffError::Unanswered { framework, needed, answered, missing });
        }
    }
    let end = End { rep: Some(&answer.by), ..answer.end(HandoffState::Accepted) };
    close(lifecycle, locked, handoff, Target::Sql, Cause::Accepted, &end).await
}

/// Rejects a handoff for one of the policy's reasons. The reason decides where the lead goes.
pub(crate) async fn reject(
    lifecycle: &Lifecycle,
    id: HandoffId,
    reason: &str,
    answer: &Answer,
) -> Result<HandoffView, HandoffError> {
    let (locked, handoff) = open(lifecycle, id).await?;
    if handoff.is_answer(HandoffState::Rejected, &answer.by) && handoff.reason.as_deref() == Some(reason) {
        return Ok(handoff);
    }
    handoff.must_be_open()?;
    let reasons = &locked.policy().document.reject_reasons;
    let Some(known) = reasons.iter().find(|known| known.code == reason) else {
        return Err(HandoffError::UnknownReason(reasons.iter().map(|known| known.code.clone()).collect()));
    };
    let target = match known.then {
        Then::Lead => Target::Lead,
        Then::Recycled => Target::Recycled(None),
        Then::Disqualified => Target::Disqualified,
    };
    let end = End { reason: Some(reason), ..answer.end(HandoffState::Rejected) };
    close(lifecycle, locked, handoff, target, Cause::Rejected, &end).await
}

/// Recycles the lead of an open or accepted handoff: the lead goes back to ripen, until `until` at least.
pub(crate) async fn recycle(
    lifecycle: &Lifecycle,
    id: HandoffId,
    until: Option<DateTime<Utc>>,
    reason: Option<&str>,
    answer: &Answer,
) -> Result<HandoffView, HandoffError> {
    let (locked, handoff) = open(lifecycle, id).await?;
    if handoff.is_answer(HandoffState::Recycled, &answer.by) && handoff.recycle_until == until {
        return Ok(handoff);
    }
    if handoff.state != HandoffState::Accepted {
        handoff.must_be_open()?;
    }
    if until.is_some_and(|until| until <= locked.now()) {
        return Err(HandoffError::Past);
    }
    let end = End { reason, recycle_until: until, ..answer.end(HandoffState::Recycled) };
    close(lifecycle, locked, handoff, Target::Recycled(until), Cause::Recycled, &end).await
}

/// Gives an open handoff to another rep.
pub(crate) async fn reassign(
    lifecycle: &Lifecycle,
    id: HandoffId,
    rep: &str,
    by: &str,
) -> Result<HandoffView, HandoffError> {
    let (mut locked, handoff) = open(lifecycle, id).await?;
    handoff.must_be_open()?;
    if handoff.rep.as_deref() == Some(rep) {
        return Ok(handoff);
    }
    store::reassign(locked.conn(), id, rep).await?;
    let reassigned = Handoff { rep: Some(rep.to_owned()), ..handoff.handoff() };
    let from = serde_json::json!({"from": handoff.rep, "by": by});
    let change = reassigned.change(Kind::HandoffReassigned, locked.now(), from);
    outbox::publish(locked.conn(), &lifecycle.ids, &[change]).await?;
    locked.commit_unchanged().await?;
    find(lifecycle, id).await
}

/// Ends a handoff and moves its lead, in one transaction.
async fn close(
    lifecycle: &Lifecycle,
    mut locked: LockedLead<'_>,
    handoff: HandoffView,
    target: Target,
    cause: Cause,
    end: &End<'_>,
) -> Result<HandoffView, HandoffError> {
    let why = match end.by {
        Some(by) => Why::said(cause, locked.now(), by, end.reason),
        None => Why::rule(cause, locked.now()),
    };
    locked.lead().pass(target, why)?;
    locked.end(&handoff.handoff(), end).await?;
    locked.commit().await?;
    find(lifecycle, handoff.id).await
}

/// Locks the lead of a handoff, and then reads the handoff.
async fn open(lifecycle: &Lifecycle, id: HandoffId) -> Result<(LockedLead<'_>, HandoffView), HandoffError> {
    loop {
        let known = store::find(&mut *lifecycle.db.acquire().await?, id).await?;
        let lead = known.ok_or(HandoffError::NotFound("handoff"))?.lead_id;
        // If the lead was joined into another lead in the meantime, the handoff belongs to that lead now, and
        // that lead gets locked.
        let mut locked = LockedLead::lock(lifecycle, lead).await?.ok_or(HandoffError::NotFound("lead"))?;
        let handoff = store::find(locked.conn(), id).await?.ok_or(HandoffError::NotFound("handoff"))?;
        // After an unmerge the handoff may belong to another lead again. Then try again.
        if handoff.lead_id == locked.id {
            return Ok((locked, handoff));
        }
    }
}

/// A handoff as it is now. None is left of a person who has been erased meanwhile.
async fn find(lifecycle: &Lifecycle, id: HandoffId) -> Result<HandoffView, HandoffError> {
    let found = store::find(&mut *lifecycle.db.acquire().await?, id).await?;
    found.ok_or(HandoffError::NotFound("handoff"))
}

impl Answer {
    /// The end of a handoff by this answer.
    fn end(&self, state: HandoffState) -> End<'_> {
        End { by: Some(&self.by), note: self.note.as_deref(), ..End::ruled(state, None) }
    }
}

impl HandoffView {
    /// Whether this person has given this answer already.
    fn is_answer(&self, state: HandoffState, by: &str) -> bool {
        self.state == state && self.answered_by.as_deref() == Some(by)
    }

    /// Fails with [`HandoffError::Closed`] if the handoff is not open.
    fn must_be_open(&self) -> Result<(), HandoffError> {
        match self.state {
            HandoffState::Open => Ok(()),
            other => Err(HandoffError::Closed(other)),
        }
    }
}
