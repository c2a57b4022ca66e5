//! Where a lead goes by its score, its policy and what has happened to it.

use chrono::{DateTime, Utc};
use scoring::{Model, Score, Tally, mql};

use super::{ChangeContext, Occasion, Transition};
use crate::{
    leads::{Cause, Lead, MqlBy, Stage, Target, Why},
    lifecycle::policy::Label,
    platform::clock::{to_instant, to_utc},
};

/// What is known of a lead when its stage is looked at.
#[derive(Debug, Clone, Copy)]
pub struct StageInput<'a> {
    /// Its score now.
    pub score: &'a Score,
    /// What the score is computed from.
    pub tally: &'a Tally,
    /// Why the policy leaves it out, if it does; asked only of those for whom [`is_at_stake`].
    pub excluded: Option<Label>,
    /// Whether it is an MQL by what does not count any more.
    pub unfounded: bool,
}

/// What was decided for a lead.
#[derive(Debug, Default)]
pub struct Decided {
    /// The passages made, in order.
    pub transitions: Vec<Transition>,
    /// When a dwell or cooldown ends, so that the lead must be looked at again.
    pub dwell_ends_at: Option<DateTime<Utc>>,
}

/// Moves a locked lead on if its score or the policy says so. What comes back holds the passages that it has made already
/// in this transaction, by joining or on somebody's word.
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

/// Puts a locked lead back to where a model found it that is rolled back.
pub fn put_back(context: ChangeContext<'_>, lead: &mut Lead, stood: &Lead, score: &Score) -> Vec<Transition> {
    lead.put_back(stood, &Why::rule(Cause::Rollback, to_utc(score.as_of)));
    made(context, lead, score)
}

/// The passages that a lead has made, each with the score of now.
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

/// Makes a move that the rules ask for; they ask for none that the table has not.
fn go(lead: &mut Lead, target: Target, cause: Cause, at: DateTime<Utc>) {
    let passed = lead.pass(target, Why::rule(cause, at));
    debug_assert!(passed.is_ok(), "{passed:?}");
}

/// Does what the core decided.
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

/// What a model decides of a lead as it stands, by its score and tally under that model; none at a stage at which a
/// score does not decide.
pub fn decide(model: &Model, lead: &Lead, score: &Score, tally: &Tally) -> Option<mql::Decision> {
    let stage = match (lead.stage(), mql_by(lead, tally)) {
        (Stage::Lead | Stage::Recycled | Stage::Lost, _) => mql::Stage::Lead,
        (Stage::Mql, Some(by)) if by.leaves_by_score() => mql::Stage::Mql { by: mql::Entry::Threshold },
        (Stage::Mql, _) => mql::Stage::Mql { by: mql::Entry::HandRaise },
        _ => return None,
    };
    let decision = decide_at(model, stage, lead, score, tally);
    // Who was lost comes back by asking, and not by looking around.
    let asked = decision.passage == Some(mql::Move::Enter { by: mql::Entry::HandRaise });
    (lead.stage() != Stage::Lost || asked).then_some(decision)
}

fn decide_at(model: &Model, stage: mql::Stage, lead: &Lead, score: &Score, tally: &Tally) -> mql::Decision {
    mql::decide(model.mql(), &state_of(stage, lead, score, tally))
}

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

/// By what an MQL is one: who was ripe already and then asks for sales stays for as long as one who came by asking.
fn mql_by(lead: &Lead, tally: &Tally) -> Option<MqlBy> {
    let asked = tally.hand_raised_at() > lead.last_exit_at.map(to_instant);
    match lead.mql_by {
        Some(MqlBy::Threshold) if asked => Some(MqlBy::HandRaise),
        by => by,
    }
}

/// An MQL may get a better reason to be one. Whom a new model made an MQL is one like any other once the person does
/// something that would have done so too.
fn strengthen(context: ChangeContext<'_>, occasion: Occasion, lead: &mut Lead, input: StageInput<'_>) {
    lead.mql_by = mql_by(lead, input.tally);
    if lead.mql_by == Some(MqlBy::ModelChange) && occasion == (Occasion::Life { active: true }) {
        let decision = decide_at(&context.live().model, mql::Stage::Lead, lead, input.score, input.tally);
        if let Some(mql::Move::Enter { by }) = decision.passage {
            lead.mql_by = Some(reason(by));
        }
    }
}

/// Whether it depends on the policy's exclusions where the lead will stand.
pub fn is_at_stake(model: &Model, lead: &Lead, score: &Score, tally: &Tally) -> bool {
    let enters = || decide(model, lead, score, tally).is_some_and(|decision| decision.passage.is_some());
    lead.stage() == Stage::Mql || enters()
}

/// Whether sales is to have a handoff of a lead that stands so.
pub fn is_offered(lead: &Lead, do_not_contact: bool) -> bool {
    lead.stage() == Stage::Mql && lead.mql_by != Some(MqlBy::ModelChange) && !do_not_contact
}
