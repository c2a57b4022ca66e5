//! The least and the most that each part of a model can be worth, adjustments aside.

use crate::model::{
    Dimension, EventRule, Group, MAX_OCCURRENCES, Model, Range, Rule, RuleKind, Section, Take,
};
use crate::points::Milli;

/// Bounds for every part, in document order. Without adjustments, no lead can lie outside these bounds.
pub(super) struct Attainable {
    pub(super) sections: [SectionBounds; 2],
    pub(super) score: Range,
}

pub(super) struct SectionBounds {
    pub(super) groups: Vec<GroupBounds>,
    pub(super) clamped: Range,
}

pub(super) struct GroupBounds {
    pub(super) rules: Vec<RuleBounds>,
    /// The range of the sum, or of the best rule, before the group's caps and weight.
    pub(super) taken: Range,
    weighted: Range,
}

pub(super) struct RuleBounds {
    pub(super) sum: Range,
    pub(super) clamped: Range,
}

impl Attainable {
    pub(super) fn of(model: &Model) -> Self {
        let sections = Dimension::ALL.map(|dimension| SectionBounds::of(model.section(dimension)));
        let raw = sum(sections.iter().map(|section| section.clamped));
        let range = model.score_range();
        Self { score: clamped(raw, Some(range.min), Some(range.max)), sections }
    }

    pub(super) fn section(&self, dimension: Dimension) -> &SectionBounds {
        let [fit, engagement] = &self.sections;
        match dimension {
            Dimension::Fit => fit,
            Dimension::Engagement => engagement,
        }
    }
}

impl SectionBounds {
    fn of(section: &Section) -> Self {
        let groups: Vec<_> = section.groups.iter().map(GroupBounds::of).collect();
        let total = sum(groups.iter().map(|group| group.weighted));
        Self { clamped: clamped(total, Some(section.range.min), Some(section.range.max)), groups }
    }
}

impl GroupBounds {
    fn of(group: &Group) -> Self {
        let rules: Vec<_> = group.rules.iter().map(RuleBounds::of).collect();
        let bounds = rules.iter().map(|rule| rule.clamped);
        let taken = match group.take {
            Take::Sum => sum(bounds),
            Take::Best => bounds
                .reduce(|a, b| Range { min: a.min.min(b.min), max: a.max.max(b.max) })
                .unwrap_or(NOTHING),
        };
        let capped = clamped(taken, group.min, group.max);
        let weigh = |points: Milli| points.scaled(i64::from(group.weight), 1000);
        Self { rules, taken, weighted: Range { min: weigh(capped.min), max: weigh(capped.max) } }
    }
}

impl RuleBounds {
    fn of(rule: &Rule) -> Self {
        let most = rule.points.times(most_payments(rule));
        let sum = Range { min: most.min(Milli::ZERO), max: most.max(Milli::ZERO) };
        Self { sum, clamped: clamped(sum, rule.min, rule.max) }
    }

    /// The largest absolute value.
    pub(super) fn heaviest(&self) -> u64 {
        self.clamped.min.0.unsigned_abs().max(self.clamped.max.0.unsigned_abs())
    }

    /// The smallest absolute value.
    pub(super) fn lightest(&self) -> u64 {
        let Range { min, max } = self.clamped;
        if min.0 <= 0 && max.0 >= 0 { 0 } else { min.0.unsigned_abs().min(max.0.unsigned_abs()) }
    }
}

const NOTHING: Range = Range { min: Milli::ZERO, max: Milli::ZERO };

/// How often a rule's points can be paid at once.
fn most_payments(rule: &Rule) -> u32 {
    match &rule.kind {
        RuleKind::Attribute { .. } => 1,
        RuleKind::Event(event) => most_counted(event),
        RuleKind::Count(count) => u32::from(!beyond_considered(count.at_least)),
        RuleKind::Inactivity { repeat, .. } => 1 + repeat.as_ref().map_or(0, |repeat| repeat.times),
    }
}

fn most_counted(event: &EventRule) -> u32 {
    u32::try_from(event.most()).unwrap_or(u32::MAX)
}

/// Whether a count is above [`MAX_OCCURRENCES`], so no rule can ever reach it.
pub(super) fn beyond_considered(count: u32) -> bool {
    usize::try_from(count).map_or(true, |count| count > MAX_OCCURRENCES)
}

fn sum(ranges: impl Iterator<Item = Range>) -> Range {
    ranges.fold(NOTHING, |a, b| Range { min: a.min + b.min, max: a.max + b.max })
}

fn clamped(range: Range, min: Option<Milli>, max: Option<Milli>) -> Range {
    Range { min: range.min.clamped(min, max), max: range.max.clamped(min, max) }
}
