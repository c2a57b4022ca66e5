//! The passages between marketing and sales.
//!
//! A lead that is ripe by its score, or that asks for sales, becomes `mql`; one whose score stays too low for the
//! model's dwell becomes `lead` again. The decision is the scoring core's; this room turns it into a change of the
//! lead's row and a [`Transition`] that keeps cause and score of the moment. Nobody enters while asked not to be
//! contacted. Each passage into `mql` has a number, `cycle`, that counts up per lead.

mod store;

use chrono::{DateTime, Utc};
use scoring::{Model, Score, Tally, mql};

pub use store::{Transition, record};

use crate::{
    clock::{to_instant, to_utc},
    ids::Ids,
    leads::{Lead, MqlBy, Stage},
    models::{Scored, Version},
};

/// The circumstances of a change.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The models under which leads are scored.
    pub scored: &'a Scored,
    /// The instant for which they are.
    pub now: DateTime<Utc>,
    /// Where new ids come from.
    pub ids: &'a Ids,
}

impl<'a> Frame<'a> {
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

/// Why a lead passed from one stage to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A user id or e-mail became known.
    Identified,
    /// Score, fit and engagement reached what the model asks.
    Threshold,
    /// The person asked for sales.
    HandRaise,
    /// The score stayed below what the model asks of one who stays.
    ScoreFell,
    /// Two leads turned out to be one, and the stage that was further on holds.
    Merge,
    /// A newly published model counts the same otherwise.
    ModelChange,
}

impl Cause {
    /// The word for it, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Identified => "identified",
            Cause::Threshold => "threshold",
            Cause::HandRaise => "hand_raise",
            Cause::ScoreFell => "score_fell",
            Cause::Merge => "merge",
            Cause::ModelChange => "model_change",
        }
    }
}

/// What was decided for a lead.
#[derive(Debug, Default)]
pub struct Decided {
    /// The passages made, in order.
    pub transitions: Vec<Transition>,
    /// When a dwell or cooldown ends, so that the lead must be looked at again.
    pub dwell_ends_at: Option<DateTime<Utc>>,
}

/// Moves a locked lead on if its score says so. `before` is its row as it was when this change began, by which
/// passages that joining identities brought about are recognised.
pub fn advance(
    frame: Frame<'_>,
    occasion: Occasion,
    lead: &mut Lead,
    before: &Lead,
    score: &Score,
    tally: &Tally,
) -> Decided {
    let mut decided = Decided::default();
    if before.stage != lead.stage {
        let cause = if lead.stage == Stage::Lead { Cause::Identified } else { Cause::Merge };
        decided.transitions.push(transition(frame, lead, before.stage, cause, score));
    }
    strengthen(frame.live(), occasion, lead, score, tally);
    let Some(decision) = decide(&frame.live().model, lead, score, tally) else { return decided };
    let (below_since, fell_by_model) = (decision.below_since.map(to_utc), lead.below_by_model);
    if lead.below_since.is_none() || below_since.is_none() {
        lead.below_by_model = below_since.is_some() && matches!(occasion, Occasion::ModelChange { .. });
    }
    lead.below_since = below_since;
    decided.dwell_ends_at = decision.due_at.map(to_utc);
    let from = lead.stage;
    let cause = match decision.passage {
        None => return decided,
        Some(mql::Move::Enter { by }) => enter(lead, by, occasion),
        Some(mql::Move::Leave) => {
            leave(lead, to_utc(score.as_of));
            let by_model = fell_by_model || matches!(occasion, Occasion::ModelChange { .. });
            if by_model { Cause::ModelChange } else { Cause::ScoreFell }
        }
    };
    decided.transitions.push(transition(frame, lead, from, cause, score));
    decided
}

/// What a model decides of a lead as it stands, by its score and tally under that model; none at a stage at which a
/// score does not decide.
pub fn decide(model: &Model, lead: &Lead, score: &Score, tally: &Tally) -> Option<mql::Decision> {
    let stage = match (lead.stage, mql_by(lead, tally)) {
        (Stage::Lead, _) => mql::Stage::Lead,
        (Stage::Mql, Some(MqlBy::HandRaise)) => mql::Stage::Mql { by: mql::Entry::HandRaise },
        (Stage::Mql, _) => mql::Stage::Mql { by: mql::Entry::Threshold },
        _ => return None,
    };
    Some(decide_at(model, stage, lead, score, tally))
}

fn decide_at(model: &Model, stage: mql::Stage, lead: &Lead, score: &Score, tally: &Tally) -> mql::Decision {
    let standing = mql::Standing {
        stage,
        score,
        identified: true,
        do_not_contact: tally.do_not_contact(),
        last_human_activity: tally.last_human_activity(),
        last_exit: lead.last_exit_at.map(to_instant),
        hand_raised_at: tally.hand_raised_at(),
        recycled_at: None,
        below_since: lead.below_since.map(to_instant),
    };
    mql::decide(model.mql(), &standing)
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
fn strengthen(live: &Version, occasion: Occasion, lead: &mut Lead, score: &Score, tally: &Tally) {
    lead.mql_by = mql_by(lead, tally);
    if lead.mql_by == Some(MqlBy::ModelChange) && occasion == (Occasion::Life { active: true }) {
        let decision = decide_at(&live.model, mql::Stage::Lead, lead, score, tally);
        if let Some(mql::Move::Enter { by }) = decision.passage {
            lead.mql_by = Some(reason(by));
        }
    }
}

fn reason(by: mql::Entry) -> MqlBy {
    match by {
        mql::Entry::HandRaise => MqlBy::HandRaise,
        mql::Entry::Threshold => MqlBy::Threshold,
    }
}

fn enter(lead: &mut Lead, by: mql::Entry, occasion: Occasion) -> Cause {
    lead.stage = Stage::Mql;
    lead.cycle += 1;
    let (by, cause) = match (occasion, by) {
        (Occasion::ModelChange { offers: true }, by) => (reason(by), Cause::ModelChange),
        (Occasion::ModelChange { offers: false }, _) => (MqlBy::ModelChange, Cause::ModelChange),
        (Occasion::Life { .. }, mql::Entry::HandRaise) => (MqlBy::HandRaise, Cause::HandRaise),
        (Occasion::Life { .. }, mql::Entry::Threshold) => (MqlBy::Threshold, Cause::Threshold),
    };
    lead.mql_by = Some(by);
    cause
}

fn leave(lead: &mut Lead, at: DateTime<Utc>) {
    lead.stage = Stage::Lead;
    lead.mql_by = None;
    lead.last_exit_at = Some(at);
}

fn transition(frame: Frame<'_>, lead: &Lead, from: Stage, cause: Cause, score: &Score) -> Transition {
    Transition {
        id: frame.ids.next(),
        lead_id: lead.id,
        at: to_utc(score.as_of),
        from,
        to: lead.stage,
        cause,
        cycle: lead.cycle,
        score: score.clone(),
        model_id: frame.live().id,
    }
}
