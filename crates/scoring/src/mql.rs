//! The lifecycle's decision: whether a lead becomes an MQL, or stops being one.
//!
//! - **Enter**: the score is at least `enter`, and fit and engagement at least what the thresholds ask; or the person
//!   raised its hand after the last exit. Needed besides: the person has not asked not to be contacted, the lead is
//!   identified, it did something itself after the last exit, and a cooldown after being recycled is over.
//! - **Leave**: the score has been below `leave` for the `dwell`. Who entered by raising the hand does not leave by
//!   score.
//!
//! Equality belongs to the higher side. `enter` and `leave` are compared with the published score, as bands are.
//! A decision is for the instant of the score and never for an earlier one.

use serde::{Deserialize, Serialize};

use crate::model::Mql;
use crate::points::Milli;
use crate::score::Score;
use crate::time::Instant;

/// By what a lead became an MQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The person asked to be contacted.
    HandRaise,
    /// The score reached the thresholds.
    Threshold,
}

/// The two stages between which a score decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Not an MQL.
    Lead,
    /// An MQL.
    Mql {
        /// By what it became one.
        by: Entry,
    },
}

/// How a lead stands.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Where it is now.
    pub stage: Stage,
    /// Its score, at the instant of the decision.
    pub score: &'a Score,
    /// Whether a user id or an e-mail is known.
    pub identified: bool,
    /// Whether the person asked not to be contacted: [`crate::Tally::do_not_contact`].
    pub do_not_contact: bool,
    /// [`crate::Tally::last_human_activity`].
    pub last_human_activity: Option<Instant>,
    /// When it last stopped being an MQL, for whatever reason.
    pub last_exit: Option<Instant>,
    /// [`crate::Tally::hand_raised_at`].
    pub hand_raised_at: Option<Instant>,
    /// When it was last recycled.
    pub recycled_at: Option<Instant>,
    /// Since when its score is below `leave`, as the last decision gave it.
    pub below_since: Option<Instant>,
}

/// A passage between the stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// From lead to MQL.
    Enter {
        /// By what. A hand-raise comes first when the score would do as well.
        by: Entry,
    },
    /// From MQL back to lead.
    Leave,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The passage to make now, if any.
    pub passage: Option<Move>,
    /// What to remember as [`Standing::below_since`]: the clock of the dwell, started, kept or cleared.
    pub below_since: Option<Instant>,
    /// When to decide again though neither events nor score change: a dwell or a cooldown ends.
    pub due_at: Option<Instant>,
}

impl Decision {
    const STAY: Self = Self { passage: None, below_since: None, due_at: None };

    fn passing(passage: Move) -> Self {
        Self { passage: Some(passage), ..Self::STAY }
    }
}

/// Decides, by the model's thresholds; without them only a hand-raise is reason enough to enter.
pub fn decide(mql: Option<&Mql>, standing: &Standing<'_>) -> Decision {
    match (standing.stage, mql) {
        (Stage::Lead, mql) => enter(mql, standing),
        (Stage::Mql { by: Entry::Threshold }, Some(mql)) => leave(mql, standing),
        (Stage::Mql { .. }, _) => Decision::STAY,
    }
}

fn enter(mql: Option<&Mql>, standing: &Standing<'_>) -> Decision {
    let after_exit =
        |at: Option<Instant>| at.is_some_and(|at| standing.last_exit.is_none_or(|exit| at > exit));
    let by = if after_exit(standing.hand_raised_at) {
        Entry::HandRaise
    } else if mql.is_some_and(|mql| reaches(mql, standing.score)) {
        Entry::Threshold
    } else {
        return Decision::STAY;
    };
    if standing.do_not_contact || !standing.identified || !after_exit(standing.last_human_activity) {
        return Decision::STAY;
    }
    let cooldown = mql.and_then(|mql| mql.cooldown).zip(standing.recycled_at);
    let over_at = cooldown.map(|(cooldown, recycled_at)| recycled_at.plus(cooldown).unwrap_or(Instant::LAST));
    match over_at.filter(|over_at| *over_at > standing.score.as_of) {
        Some(over_at) => Decision { due_at: Some(over_at), ..Decision::STAY },
        None => Decision::passing(Move::Enter { by }),
    }
}

fn reaches(mql: &Mql, score: &Score) -> bool {
    published(score) >= mql.enter
        && mql.min_fit.is_none_or(|least| score.fit >= least)
        && mql.min_engagement.is_none_or(|least| score.engagement >= least)
}

fn leave(mql: &Mql, standing: &Standing<'_>) -> Decision {
    let as_of = standing.score.as_of;
    if published(standing.score) >= mql.leave {
        return Decision::STAY;
    }
    let since = standing.below_since.unwrap_or(as_of);
    let over_at = mql.dwell.map_or(since, |dwell| since.plus(dwell).unwrap_or(Instant::LAST));
    if over_at <= as_of {
        return Decision::passing(Move::Leave);
    }
    Decision { passage: None, below_since: Some(since), due_at: Some(over_at) }
}

fn published(score: &Score) -> Milli {
    Milli(score.score.saturating_mul(1000))
}
