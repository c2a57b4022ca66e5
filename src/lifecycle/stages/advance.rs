//! Moves a lead to the stage that follows from its score, the policy and its events.

use chrono::{DateTime, Utc};
use scoring::{Model, Score, Tally, mql};

use super::{ChangeContext, Occasion, Transition};
use crate::{
    leads::{Cause, Lead, MqlBy, Stage, Target, Why},
    lifecycle::policy::Label,
    platform::clock::{to_instant, to_utc},
};

/// What the decision about a lead's stage is made from.
#[derive(Debug, Clone, Copy)]
pub struct StageInput<'a> {
    /// The lead's score now.
    pub score: &'a Score,
    /// The tally from which the score was computed.
    pub tally: &'a Tally,
    /// The label under which the policy excludes the lead. `None` if the policy does not, or if the lead was
    /// not checked because [`is_at_stake`] is false.
    pub excluded: Option<Label>,
    /// Whether the lead is an MQL only because of events that no longer count.
    pub unfounded: bool,
}

/// What was decided for a lead.
#[derive(Debug, Default)]
pub struct Decided {
    /// The passages made, in order.
    pub transitions: Vec<Transition>,
    /// When a dwell or a cooldown ends, so that the lead's stage must be decided again.
    pub dwell_ends_at: Option<DateTime<Utc>>,
}

/// Moves a locked lead to another stage if its score or the policy says so.
///
/// The returned transitions include the passages that the lead made earlier in this transaction, by a join or
/// by a person's decision.
pub fn advance(
    context: ChangeContext<'_>,
    occasion: Occasion,
    lead: &mut Lead,
    input: StageInput<'_>,
) -> Decided {
    let at = to_utc(input.score.as_of);
    strengthen(context, occasion, lead, input);
    if input.excluded.is_some() && lead.stage() == Stage::Mql {
        go(lead, Target::Lead, Cause::Excluded, at);
    }
    if input.unfounded && lead.stage() == Stage::Mql {
        go(lead, Target::Lead, Cause::ScoreFell, at);
    }
    let mut dwell_ends_at = None;
    if let Some(decision) = decide(&context.live().model, lead, input.score, input.tally) {
        dwell_ends_at = decision.due_at.map(to_utc);
        follow(occasion, lead, decision, input.excluded, at);
    }
    if let Some(auto) = context.policy.document.handoff.auto_sql
        && is_offered(lead, lead.do_not_contact(input.tally))
        && input.score.score >= auto.min_score
        && (!auto.hand_raise_only || lead.mql_by == Some(MqlBy::HandRaise))
    {
        go(lead, Target::Sql, Cause::Policy, at);
    }
    Decided { transitions: made(context, lead, input.score), dwell_ends_at }
}

/// Puts a locked lead back to how it stood before the rolled-back model moved it. Returns the passages made.
pub fn put_back(context: ChangeContext<'_>, lead: &mut Lead, stood: &Lead, score: &Score) -> Vec<Transition> {
    lead.put_back(stood, &Why::rule(Cause::Rollback, to_utc(score.as_of)));
    made(context, lead, score)
}

/// Takes the passages that a lead has made, and gives each the score of now.
fn made(context: ChangeContext<'_>, lead: &mut Lead, score: &Score) -> Vec<Transition> {
    let passed = lead.take_passed();
    let keep = |passed| Transition {
        id: context.ids.next(),
        lead_id: lead.id,
        at: to_utc(score.as_of),
        passed,
        score: score.clone(),
        model_id: context.live().id,
    };
    passed.into_iter().map(keep).collect()
}

/// Makes a move that the rules ask for. The rules ask only for moves that the table of moves has.
fn go(lead: &mut Lead, target: Target, cause: Cause, at: DateTime<Utc>) {
    let passed = lead.pass(target, Why::rule(cause, at));
    debug_assert!(passed.is_ok(), "{passed:?}");
}

/// Carries out the decision of the scoring core: starts or ends the dwell, and makes the passage.
fn follow(
    occasion: Occasion,
    lead: &mut Lead,
    decision: mql::Decision,
    excluded: Option<Label>,
    at: DateTime<Utc>,
) {
    let by_model = matches!(occasion, Occasion::ModelChange { .. });
    let (below_since, fell_by_model) = (decision.below_since.map(to_utc), lead.below_by_model);
    if lead.below_since.is_none() || below_since.is_none() {
        lead.below_by_model = below_since.is_some() && by_model;
    }
    lead.below_since = below_since;
    match decision.passage {
        Some(mql::Move::Enter { by }) if excluded.is_none() => {
            let (by, cause) = entry(by, occasion);
            go(lead, Target::Mql(by), cause, at);
        }
        Some(mql::Move::Leave) => {
            let cause = if fell_by_model || by_model { Cause::ModelChange } else { Cause::ScoreFell };
            go(lead, Target::Lead, cause, at);
        }
        _ => {}
    }
}

/// Returns the reason and the cause of a passage into `mql`.
fn entry(by: mql::Entry, occasion: Occasion) -> (MqlBy, Cause) {
    match (occasion, by) {
        (Occasion::ModelChange { offers: true }, by) => (reason(by), Cause::ModelChange),
        (Occasion::ModelChange { offers: false }, _) => (MqlBy::ModelChange, Cause::ModelChange),
        (Occasion::Life { .. }, mql::Entry::HandRaise) => (MqlBy::HandRaise, Cause::HandRaise),
        (Occasion::Life { .. }, mql::Entry::Threshold) => (MqlBy::Threshold, Cause::Threshold),
    }
}

fn reason(by: mql::Entry) -> MqlBy {
    match by {
        mql::Entry::HandRaise => MqlBy::HandRaise,
        mql::Entry::Threshold => MqlBy::Threshold,
    }
}

/// Returns what a model decides about a lead, by its score and tally under that model. `None` at stages at
/// which the score does not decide.
pub fn decide(model: &Model, lead: &Lead, score: &Score, tally: &Tally) -> Option<mql::Decision> {
    let stage = match (lead.stage(), mql_by(lead, tally)) {
        (Stage::Lead | Stage::Recycled | Stage::Lost, _) => mql::Stage::Lead,
        (Stage::Mql, Some(by)) if by.leaves_by_score() => mql::Stage::Mql { by: mql::Entry::Threshold },
        (Stage::Mql, _) => mql::Stage::Mql { by: mql::Entry::HandRaise },
        _ => return None,
    };
    let decision = decide_at(model, stage, lead, score, tally);
    // A lost lead becomes an MQL again only by asking for sales. Its score alone does not make it an MQL.
    let asked = decision.passage == Some(mql::Move::Enter { by: mql::Entry::HandRaise });
    (lead.stage() != Stage::Lost || asked).then_some(decision)
}

fn decide_at(model: &Model, stage: mql::Stage, lead: &Lead, score: &Score, tally: &Tally) -> mql::Decision {
    mql::decide(model.mql(), &state_of(stage, lead, score, tally))
}

/// Builds the scoring core's view of a lead that stands at `stage`.
pub(super) fn state_of<'a>(
    stage: mql::Stage,
    lead: &Lead,
    score: &'a Score,
    tally: &Tally,
) -> mql::LeadState<'a> {
    mql::LeadState {
        stage,
        score,
        identified: lead.stage() != Stage::Anonymous,
        do_not_contact: lead.do_not_contact(tally),
        last_human_activity: tally.last_human_activity(),
        last_exit: lead.last_exit_at.map(to_instant),
        hand_raised_at: tally.hand_raised_at(),
        recycled_at: lead.recycled_at.map(to_instant),
        recycled_until: lead.recycled_until.map(to_instant),
        below_since: lead.below_since.map(to_instant),
    }
}

/// Returns why the lead is an MQL. If an MQL by score has asked for sales since its last exit, the reason is
/// the hand-raise.
fn mql_by(lead: &Lead, tally: &Tally) -> Option<MqlBy> {
    let asked = tally.hand_raised_at() > lead.last_exit_at.map(to_instant);
    match lead.mql_by {
        Some(MqlBy::Threshold) if asked => Some(MqlBy::HandRaise),
        by => by,
    }
}

/// Gives an MQL a stronger reason, if there is one.
///
/// A lead that only a new model made an MQL gets a reason of its own when the person does something and the
/// lead would enter `mql` now.
fn strengthen(context: ChangeContext<'_>, occasion: Occasion, lead: &mut Lead, input: StageInput<'_>) {
    lead.mql_by = mql_by(lead, input.tally);
    if lead.mql_by == Some(MqlBy::ModelChange) && occasion == (Occasion::Life { active: true }) {
        let decision = decide_at(&context.live().model, mql::Stage::Lead, lead, input.score, input.tally);
        if let Some(mql::Move::Enter { by }) = decision.passage {
            lead.mql_by = Some(reason(by));
        }
    }
}

/// Whether the lead's stage depends on the policy's exclusions: the lead is an MQL, or would become one.
pub fn is_at_stake(model: &Model, lead: &Lead, score: &Score, tally: &Tally) -> bool {
    let enters = || decide(model, lead, score, tally).is_some_and(|decision| decision.passage.is_some());
    lead.stage() == Stage::Mql || enters()
}

/// Whether sales should have a handoff of the lead: the lead is an MQL, not only by a new model, and may be
/// contacted.
pub fn is_offered(lead: &Lead, do_not_contact: bool) -> bool {
    lead.stage() == Stage::Mql && lead.mql_by != Some(MqlBy::ModelChange) && !do_not_contact
}
