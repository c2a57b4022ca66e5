//! The four kinds of rule.

use std::sync::Arc;

use crate::condition::Condition;
use crate::decay::Decay;
use crate::points::Milli;
use crate::time::Span;

/// The most occurrences that a rule considers: its newest ones. This bounds the size of a tally.
pub const MAX_OCCURRENCES: usize = 200;

/// How many occurrences count for an event rule without a limit.
const DEFAULT_LIMIT: usize = 100;

/// One rule of a model: what must be true of a lead, and the points for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The name, unique in the group.
    pub name: String,
    /// The points that the rule pays, once or for each occurrence.
    pub points: Milli,
    /// The least points that the rule may be worth.
    pub min: Option<Milli>,
    /// The most points that the rule may be worth.
    pub max: Option<Milli>,
    /// The kind of the rule: what the rule pays for.
    pub kind: RuleKind,
    /// The rule's place among all rules of the model, from 0.
    pub(crate) index: usize,
}

/// What a rule pays for.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleKind {
    /// Pays while the profile meets a condition.
    Attribute {
        /// The condition.
        when: Condition,
    },
    /// Pays for each matching event.
    Event(EventRule),
    /// Pays once while there are enough matching events.
    Count(Count),
    /// Pays when a lead has had no activity for a while.
    Inactivity {
        /// How long the lead must have had no activity.
        quiet_for: Span,
        /// How the rule pays again while there is still no activity; `None` if it pays only once.
        repeat: Option<Repeat>,
    },
}

/// Which events a rule is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Matching {
    /// The types of the events. Types that are no activity are allowed too.
    pub types: Vec<String>,
    /// The condition that the properties must meet, if any.
    pub condition: Option<Arc<Condition>>,
}

/// A rule that pays for each occurrence that counts.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRule {
    /// Which events match.
    pub matching: Matching,
    /// Only events younger than this count; `None` if events of any age count.
    pub window: Option<Span>,
    /// How many occurrences count; `None` for the newest 100.
    pub limit: Option<Limit>,
    /// The decay of the points with the age of an event; `None` if the points stay.
    pub decay: Option<Decay>,
}

/// How many occurrences count, in all or in a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// The most occurrences that count; at least 1.
    pub count: u32,
    /// The length of time in which at most `count` occurrences count; `None` if `count` is for all of them.
    pub per: Option<Span>,
}

/// A rule that pays while there are enough events.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// Which events match.
    pub matching: Matching,
    /// How many matching events the rule needs; at least 1.
    pub at_least: u32,
    /// Only events younger than this count; `None` if events of any age count.
    pub within: Option<Span>,
}

/// How often an inactivity rule pays again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// The time from one payment to the next.
    pub every: Span,
    /// How many times the rule pays again after the first payment; 1 to 10 000.
    pub times: u32,
}

impl Rule {
    /// Which events the rule is about; `None` for attribute and inactivity rules.
    pub fn matching(&self) -> Option<&Matching> {
        match &self.kind {
            RuleKind::Event(rule) => Some(&rule.matching),
            RuleKind::Count(rule) => Some(&rule.matching),
            RuleKind::Attribute { .. } | RuleKind::Inactivity { .. } => None,
        }
    }

    /// The age from which events no longer matter to the rule; `None` if every age matters.
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
                // A new event can change which older events count, so keep all that a rule considers.
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
