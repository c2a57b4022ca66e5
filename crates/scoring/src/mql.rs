//! Decides whether a lead becomes an MQL, or stops being an MQL.
//!
//! - **Enter**: score, fit and engagement reach the thresholds, or the last hand-raise is after the last
//!   exit. In both cases the person must not have asked not to be contacted. The lead must be identified and
//!   must have a human activity after the last exit. The cooldown after being recycled, and the date that
//!   sales gave, must be over.
//! - **Leave**: the score has been below `leave` for the `dwell`. A lead that entered by a hand-raise does
//!   not leave by score.
//!
//! A score equal to `enter` is enough to enter, and a score equal to `leave` is enough to stay. Both are
//! compared with the published score, as bands are. A decision holds for the instant of the score.

use serde::{Deserialize, Serialize};

use crate::model::Mql;
use crate::points::Milli;
use crate::score::Score;
use crate::time::Instant;

/// What made a lead an MQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A hand-raise: the person asked for sales.
    HandRaise,
    /// The score reached the thresholds.
    Threshold,
}

/// The two stages that a decision distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Not an MQL.
    Lead,
    /// An MQL.
    Mql {
        /// What made the lead an MQL.
        by: Entry,
    },
}

/// All that a decision needs to know about a lead.
#[derive(Debug, Clone, Copy)]
pub struct LeadState<'a> {
    /// The current stage.
    pub stage: Stage,
    /// The score at the instant of the decision.
    pub score: &'a Score,
    /// Whether a user id or an e-mail address of the lead is known.
    pub identified: bool,
    /// Whether the person asked not to be contacted: [`crate::Tally::do_not_contact`].
    pub do_not_contact: bool,
    /// The newest activity of the person: [`crate::Tally::last_human_activity`].
    pub last_human_activity: Option<Instant>,
    /// When the lead last stopped being an MQL, for any reason.
    pub last_exit: Option<Instant>,
    /// The newest hand-raise: [`crate::Tally::hand_raised_at`].
    pub hand_raised_at: Option<Instant>,
    /// When the lead was last recycled.
    pub recycled_at: Option<Instant>,
    /// The instant until which sales wants the recycled lead left alone. The later of this instant and the
    /// end of the cooldown holds.
    pub recycled_until: Option<Instant>,
    /// Since when the score is below `leave`: the value from the last [`Decision`].
    pub below_since: Option<Instant>,
}

/// A passage between the two stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// From lead to MQL.
    Enter {
        /// What made the lead an MQL. If the score reaches the thresholds too, the hand-raise is named.
        by: Entry,
    },
    /// From MQL back to lead.
    Leave,
}

/// The result of [`decide`]: what the caller has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The passage to make now; `None` if the lead stays in its stage.
    pub passage: Option<Move>,
    /// Since when the score is below `leave`. The caller passes this value as [`LeadState::below_since`] to
    /// the next decision. `None` ends the dwell.
    pub below_since: Option<Instant>,
    /// When a dwell or a cooldown ends, so that the caller must decide again even if events and score do not
    /// change.
    pub due_at: Option<Instant>,
}

impl Decision {
    const STAY: Self = Self { passage: None, below_since: None, due_at: None };

    fn passing(passage: Move) -> Self {
        Self { passage: Some(passage), ..Self::STAY }
    }
}

/// Decides by the model's thresholds. Without thresholds only a hand-raise makes a lead an MQL, and no score
/// ends that.
pub fn decide(mql: Option<&Mql>, state: &LeadState<'_>) -> Decision {
    match (state.stage, mql) {
        (Stage::Lead, mql) => enter(mql, state),
        (Stage::Mql { by: Entry::Threshold }, Some(mql)) => leave(mql, state),
        (Stage::Mql { .. }, _) => Decision::STAY,
    }
}

fn enter(mql: Option<&Mql>, state: &LeadState<'_>) -> Decision {
    let score = state.score;
    let after_exit = |at: Option<Instant>| at.is_some_and(|at| state.last_exit.is_none_or(|exit| at > exit));
    let by = if after_exit(state.hand_raised_at) {
        Entry::HandRaise
    } else if mql.is_some_and(|mql| mql.is_reached(score.score, score.fit, score.engagement)) {
        Entry::Threshold
    } else {
        return Decision::STAY;
    };
    if state.do_not_contact || !state.identified || !after_exit(state.last_human_activity) {
        return Decision::STAY;
    }
    let cooldown = mql.and_then(|mql| mql.cooldown).zip(state.recycled_at);
    let cooled_at =
        cooldown.map(|(cooldown, recycled_at)| recycled_at.plus(cooldown).unwrap_or(Instant::LAST));
    let over_at = cooled_at.max(state.recycled_until);
    match over_at.filter(|over_at| *over_at > score.as_of) {
        Some(over_at) => Decision { due_at: Some(over_at), ..Decision::STAY },
        None => Decision::passing(Move::Enter { by }),
    }
}

fn leave(mql: &Mql, state: &LeadState<'_>) -> Decision {
    let as_of = state.score.as_of;
    if published(state.score) >= mql.leave {
        return Decision::STAY;
    }
    let since = state.below_since.unwrap_or(as_of);
    let over_at = mql.dwell.map_or(since, |dwell| since.plus(dwell).unwrap_or(Instant::LAST));
    if over_at <= as_of {
        return Decision::passing(Move::Leave);
    }
    Decision { passage: None, below_since: Some(since), due_at: Some(over_at) }
}

fn published(score: &Score) -> Milli {
    Milli(score.score.saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    fn day(n: i64) -> Instant {
        Instant::from_micros(n * Span::DAY.0)
    }

    fn thresholds() -> Mql {
        Mql {
            enter: Milli(60_000),
            leave: Milli(45_000),
            min_fit: Some(Milli(10_000)),
            min_engagement: Some(Milli(25_000)),
            dwell: Some(Span::DAY),
            cooldown: "30d".parse().ok(),
        }
    }

    /// On day 100.
    fn score(score: i64, fit: i64, engagement: i64) -> Score {
        Score {
            as_of: day(100),
            score,
            clamped: Milli(score * 1000),
            raw: Milli(score * 1000),
            fit: Milli(fit * 1000),
            engagement: Milli(engagement * 1000),
            adjustments: Milli::ZERO,
            grade: String::new(),
            band: String::new(),
            next_change_at: None,
        }
    }

    /// A lead that is identified and was active a day ago.
    fn lead(score: &Score) -> LeadState<'_> {
        LeadState {
            stage: Stage::Lead,
            score,
            identified: true,
            do_not_contact: false,
            last_human_activity: Some(day(99)),
            last_exit: None,
            hand_raised_at: None,
            recycled_at: None,
            recycled_until: None,
            below_since: None,
        }
    }

    fn mql(score: &Score, by: Entry) -> LeadState<'_> {
        LeadState { stage: Stage::Mql { by }, ..lead(score) }
    }

    fn passage(state: &LeadState<'_>) -> Option<Move> {
        decide(Some(&thresholds()), state).passage
    }

    const BY_SCORE: Option<Move> = Some(Move::Enter { by: Entry::Threshold });
    const BY_HAND: Option<Move> = Some(Move::Enter { by: Entry::HandRaise });

    #[test]
    fn a_lead_enters_at_its_thresholds_and_not_just_below_one() {
        assert_eq!(passage(&lead(&score(60, 10, 25))), BY_SCORE);
        assert_eq!(passage(&lead(&score(59, 10, 25))), None);
        assert_eq!(passage(&lead(&score(60, 9, 25))), None);
        assert_eq!(passage(&lead(&score(60, 10, 24))), None);
    }

    #[test]
    fn thresholds_that_are_not_given_are_not_asked() {
        let only_enter = Mql { min_fit: None, min_engagement: None, ..thresholds() };
        let score = score(60, -40, 0);
        assert_eq!(decide(Some(&only_enter), &lead(&score)).passage, BY_SCORE);
    }

    #[test]
    fn a_raised_hand_enters_whatever_the_score_and_without_thresholds_too() {
        let low = score(0, 0, 0);
        let raised = LeadState { hand_raised_at: Some(day(99)), ..lead(&low) };
        assert_eq!(passage(&raised), BY_HAND);
        assert_eq!(decide(None, &raised).passage, BY_HAND);
        assert_eq!(decide(None, &lead(&score(100, 40, 60))).passage, None);
    }

    #[test]
    fn a_raised_hand_comes_before_the_score() {
        let high = score(60, 10, 25);
        assert_eq!(passage(&LeadState { hand_raised_at: Some(day(99)), ..lead(&high) }), BY_HAND);
    }

    #[test]
    fn a_hand_that_was_raised_before_the_last_exit_is_spent() {
        let low = score(0, 0, 0);
        let exited = LeadState { last_exit: Some(day(98)), ..lead(&low) };
        assert_eq!(passage(&LeadState { hand_raised_at: Some(day(98)), ..exited }), None);
        assert_eq!(passage(&LeadState { hand_raised_at: Some(day(99)), ..exited }), BY_HAND);
    }

    #[test]
    fn nobody_enters_who_is_unknown_silent_or_does_not_want_it() {
        let high = score(60, 10, 25);
        let refusals = [
            LeadState { identified: false, ..lead(&high) },
            LeadState { do_not_contact: true, ..lead(&high) },
            LeadState { last_human_activity: None, ..lead(&high) },
            LeadState { last_exit: Some(day(99)), ..lead(&high) },
        ];
        for state in refusals {
            assert_eq!(decide(Some(&thresholds()), &state), Decision::STAY);
            let raised = LeadState { hand_raised_at: Some(day(100)), ..state };
            assert_eq!(decide(Some(&thresholds()), &raised), Decision::STAY);
        }
        assert_eq!(passage(&LeadState { last_exit: Some(day(98)), ..lead(&high) }), BY_SCORE);
    }

    #[test]
    fn a_recycled_lead_waits_until_its_cooldown_is_over() {
        let high = score(60, 10, 25);
        let recycled = |on| LeadState { recycled_at: Some(day(on)), ..lead(&high) };
        let waiting = decide(Some(&thresholds()), &recycled(71));
        assert_eq!(waiting, Decision { due_at: Some(day(101)), ..Decision::STAY });
        assert_eq!(passage(&recycled(70)), BY_SCORE);
        let no_cooldown = Mql { cooldown: None, ..thresholds() };
        assert_eq!(decide(Some(&no_cooldown), &recycled(100)).passage, BY_SCORE);
    }

    #[test]
    fn of_the_cooldown_and_the_date_that_sales_gave_the_later_holds() {
        let high = score(60, 10, 25);
        let until =
            |on| LeadState { recycled_at: Some(day(71)), recycled_until: Some(day(on)), ..lead(&high) };
        let due_at = |on| decide(Some(&thresholds()), &until(on)).due_at;
        assert_eq!((due_at(100), due_at(102)), (Some(day(101)), Some(day(102))));
        let no_cooldown = Mql { cooldown: None, ..thresholds() };
        assert_eq!(decide(Some(&no_cooldown), &until(100)).passage, BY_SCORE);
        assert_eq!(decide(Some(&no_cooldown), &until(101)).due_at, Some(day(101)));
    }

    #[test]
    fn below_leave_a_clock_starts_and_at_the_dwell_the_mql_leaves() {
        let low = score(44, 10, 25);
        let below = |since| LeadState { below_since: since, ..mql(&low, Entry::Threshold) };
        let waiting =
            |since| Decision { passage: None, below_since: Some(since), due_at: since.plus(Span::DAY) };
        assert_eq!(decide(Some(&thresholds()), &below(None)), waiting(day(100)));
        let almost = Instant::from_micros(day(99).as_micros() + 1);
        assert_eq!(decide(Some(&thresholds()), &below(Some(almost))), waiting(almost));
        assert_eq!(decide(Some(&thresholds()), &below(Some(day(99)))), Decision::passing(Move::Leave));
    }

    #[test]
    fn without_a_dwell_an_mql_leaves_at_once() {
        let at_once = Mql { dwell: None, ..thresholds() };
        let low = score(44, 10, 25);
        assert_eq!(decide(Some(&at_once), &mql(&low, Entry::Threshold)).passage, Some(Move::Leave));
    }

    #[test]
    fn at_leave_and_between_the_thresholds_an_mql_stays_and_its_clock_is_cleared() {
        for points in [45, 59, 60] {
            let score = score(points, 0, 0);
            let state = LeadState { below_since: Some(day(1)), ..mql(&score, Entry::Threshold) };
            assert_eq!(decide(Some(&thresholds()), &state), Decision::STAY);
        }
    }

    #[test]
    fn no_score_makes_those_leave_who_raised_a_hand_or_whose_model_has_no_thresholds() {
        let low = score(0, 0, 0);
        let since = Some(day(1));
        let raised = LeadState { below_since: since, ..mql(&low, Entry::HandRaise) };
        assert_eq!(decide(Some(&thresholds()), &raised), Decision::STAY);
        let unbounded = LeadState { below_since: since, ..mql(&low, Entry::Threshold) };
        assert_eq!(decide(None, &unbounded), Decision::STAY);
    }
}
