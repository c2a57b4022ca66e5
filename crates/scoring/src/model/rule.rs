//! The four kinds of rule.

use std::sync::Arc;

use crate::condition::Condition;
use crate::decay::Decay;
use crate::points::Milli;
use crate::time::Span;

/// However many match, only so many of a rule's newest occurrences are ever considered. This bounds a tally.
pub const MAX_OCCURRENCES: usize = 200;

/// How many occurrences count when a rule names no limit.
const DEFAULT_LIMIT: usize = 100;

/// What is known about a lead, and what it is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Unique in its group.
    pub name: String,
    /// What it pays, once or for each occurrence.
    pub points: Milli,
    /// The least it may be worth.
    pub min: Option<Milli>,
    /// The most it may be worth.
    pub max: Option<Milli>,
    /// What it pays for.
    pub kind: RuleKind,
    /// Its place among all rules of the model.
    pub(crate) index: usize,
}

/// What a rule pays for.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleKind {
    /// The profile meets a condition.
    Attribute {
        /// The condition.
        when: Condition,
    },
    /// Each of certain events.
    Event(EventRule),
    /// So many of certain events.
    Count(Count),
    /// Nothing having happened for a while.
    Inactivity {
        /// For how long at least.
        quiet_for: Span,
        /// Whether it pays again as the quiet goes on.
        repeat: Option<Repeat>,
    },
}

/// Which events a rule is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Matching {
    /// Events of any of these types. Every type is allowed, those that are no activity too.
    pub types: Vec<String>,
    /// Only those whose properties meet this.
    pub condition: Option<Arc<Condition>>,
}

/// A rule that pays for each of its counted occurrences.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRule {
    /// Which events.
    pub matching: Matching,
    /// Only those younger than this.
    pub window: Option<Span>,
    /// Only so many.
    pub limit: Option<Limit>,
    /// What age leaves of them.
    pub decay: Option<Decay>,
}

/// How many occurrences count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// At most so many.
    pub count: u32,
    /// In every span of this length; in all if there is none.
    pub per: Option<Span>,
}

/// A rule that pays while there are enough events.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// Which events.
    pub matching: Matching,
    /// How many it takes.
    pub at_least: u32,
    /// Only those younger than this.
    pub within: Option<Span>,
}

/// How inactivity pays again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// After each of these.
    pub every: Span,
    /// So many times more.
    pub times: u32,
}

impl Rule {
    /// Which events the rule is about, if it is about events.
    pub fn matching(&self) -> Option<&Matching> {
        match &self.kind {
            RuleKind::Event(rule) => Some(&rule.matching),
            RuleKind::Count(rule) => Some(&rule.matching),
            RuleKind::Attribute { .. } | RuleKind::Inactivity { .. } => None,
        }
    }

    /// Events of this age or older no longer matter to the rule.
    pub(crate) fn horizon(&self) -> Option<Span> {
        match &self.kind {
            RuleKind::Event(rule) => rule.window,
            RuleKind::Count(rule) => rule.within,
            RuleKind::Attribute { .. } | RuleKind::Inactivity { .. } => None,
        }
    }

    /// How many of the newest matching events can ever matter to the rule.
    pub(crate) fn keep(&self) -> usize {
        match &self.kind {
            RuleKind::Event(rule) if rule.limit.as_ref().is_some_and(|limit| limit.per.is_some()) => {
                // One more event may make room for an older one, so all that are considered are kept.
                MAX_OCCURRENCES
            }
            RuleKind::Event(rule) => rule.most(),
            RuleKind::Count(rule) => considered(rule.at_least),
            RuleKind::Attribute { .. } | RuleKind::Inactivity { .. } => 0,
        }
    }
}

impl EventRule {
    /// The most occurrences that can count at once.
    pub(crate) fn most(&self) -> usize {
        match &self.limit {
            None => DEFAULT_LIMIT,
            Some(Limit { count, per: None }) => considered(*count),
            Some(Limit { per: Some(_), .. }) => MAX_OCCURRENCES,
        }
    }
}

fn considered(count: u32) -> usize {
    usize::try_from(count).map_or(MAX_OCCURRENCES, |count| count.min(MAX_OCCURRENCES))
}
