//! The arithmetic from a tally to a score. Scores and receipts are both read from this one computation.

use crate::adjustment::Adjustment;
use crate::model::{Count, Dimension, EventRule, Group, Limit, Model, Rule, RuleKind, Section, Take};
use crate::points::Milli;
use crate::score::Score;
use crate::tally::{Occurrence, Tally};
use crate::time::{Instant, Span};

/// Every total on the way to a score.
pub(crate) struct Breakdown {
    pub(crate) as_of: Instant,
    pub(crate) sections: [SectionTotal; 2],
    pub(crate) adjustments: Milli,
    pub(crate) raw: Milli,
    pub(crate) clamped: Milli,
    next_change_at: Option<Instant>,
}

pub(crate) struct SectionTotal {
    pub(crate) groups: Vec<GroupTotal>,
    pub(crate) sum: Milli,
    pub(crate) clamped: Milli,
}

pub(crate) struct GroupTotal {
    pub(crate) rules: Vec<RuleTotal>,
    /// The sum of the rules, or the best one.
    pub(crate) taken: Milli,
    pub(crate) clamped: Milli,
    pub(crate) weighted: Milli,
}

pub(crate) struct RuleTotal {
    pub(crate) sum: Milli,
    pub(crate) clamped: Milli,
}

/// An occurrence that counts, and what it is worth.
pub(crate) struct Counted<L> {
    pub(crate) occurrence: Occurrence<L>,
    pub(crate) age: Span,
    /// What decay leaves of the points, in millionths.
    pub(crate) factor: u32,
    pub(crate) worth: Milli,
}

/// The part of a tally that counts at an instant; rules are evaluated against it.
pub(crate) struct Evidence<'a, L> {
    tally: &'a Tally<L>,
    as_of: Instant,
    reset: Option<Instant>,
}

/// The earliest offered instant after `as_of`: the next instant at which the score may change.
struct Next {
    as_of: Instant,
    at: Option<Instant>,
}

impl Next {
    fn offer(&mut self, at: Option<Instant>) {
        let Some(at) = at.filter(|at| *at > self.as_of) else { return };
        self.at = Some(self.at.map_or(at, |earliest| earliest.min(at)));
    }
}

impl Breakdown {
    pub(crate) fn of<L: Copy + Ord>(model: &Model, tally: &Tally<L>, as_of: Instant) -> Self {
        let evidence = Evidence::new(tally, as_of);
        let mut next = Next { as_of, at: tally.next_ahead(as_of) };
        let sections =
            Dimension::ALL.map(|dimension| SectionTotal::of(model.section(dimension), &evidence, &mut next));
        let mut adjustments = Milli::ZERO;
        for (_, adjustment) in evidence.adjustments() {
            adjustments = adjustments + adjustment.points;
            next.offer(adjustment.expires_at);
        }
        let raw = sections.iter().map(|section| section.clamped).sum::<Milli>() + adjustments;
        let range = model.score_range();
        let clamped = raw.clamped(Some(range.min), Some(range.max));
        Self { as_of, sections, adjustments, raw, clamped, next_change_at: next.at }
    }

    pub(crate) fn score(&self, model: &Model) -> Score {
        let [fit, engagement] = self.sections.each_ref().map(|section| section.clamped);
        let score = self.clamped.rounded_points();
        Score {
            as_of: self.as_of,
            score,
            clamped: self.clamped,
            raw: self.raw,
            fit,
            engagement,
            adjustments: self.adjustments,
            grade: model.grades().grade(fit, engagement),
            band: model.bands().label(Milli(score.saturating_mul(1000))).to_owned(),
            next_change_at: self.next_change_at,
        }
    }
}

impl SectionTotal {
    fn of<L: Copy + Ord>(section: &Section, evidence: &Evidence<'_, L>, next: &mut Next) -> Self {
        let groups: Vec<_> =
            section.groups.iter().map(|group| GroupTotal::of(group, evidence, next)).collect();
        let sum: Milli = groups.iter().map(|group| group.weighted).sum();
        let clamped = sum.clamped(Some(section.range.min), Some(section.range.max));
        Self { groups, sum, clamped }
    }
}

impl GroupTotal {
    fn of<L: Copy + Ord>(group: &Group, evidence: &Evidence<'_, L>, next: &mut Next) -> Self {
        let rules: Vec<_> = group
            .rules
            .iter()
            .map(|rule| {
                let sum = evidence.sum(rule, next);
                RuleTotal { sum, clamped: sum.clamped(rule.min, rule.max) }
            })
            .collect();
        let totals = rules.iter().map(|rule| rule.clamped);
        let taken = match group.take {
            Take::Sum => totals.sum(),
            Take::Best => totals.reduce(best).unwrap_or_default(),
        };
        let clamped = taken.clamped(group.min, group.max);
        Self { rules, taken, clamped, weighted: clamped.scaled(i64::from(group.weight), 1000) }
    }
}

fn best(first: Milli, second: Milli) -> Milli {
    if second.0.unsigned_abs() > first.0.unsigned_abs() { second } else { first }
}

impl<'a, L: Copy + Ord> Evidence<'a, L> {
    pub(crate) fn new(tally: &'a Tally<L>, as_of: Instant) -> Self {
        Self { tally, as_of, reset: tally.reset_by(as_of) }
    }

    /// What a rule pays before its caps. Offers the instants at which the payment may change.
    fn sum(&self, rule: &Rule, next: &mut Next) -> Milli {
        match &rule.kind {
            RuleKind::Attribute { .. } => {
                if self.tally.holds.get(rule.index) == Some(&true) {
                    rule.points
                } else {
                    Milli::ZERO
                }
            }
            RuleKind::Event(event) => {
                let mut sum = Milli::ZERO;
                self.counted(rule, event, |counted| {
                    sum = sum + counted.worth;
                    let at = counted.occurrence.at;
                    next.offer(event.decay.as_ref().and_then(|decay| decay.next_change(at, self.as_of)));
                    next.offer(event.window.and_then(|window| at.plus(window)));
                });
                sum
            }
            RuleKind::Count(count) => match self.holding(rule, count) {
                Some(occurrences) => {
                    let falls_below = occurrences.first().zip(count.within);
                    next.offer(falls_below.and_then(|(oldest, within)| oldest.at.plus(within)));
                    rule.points
                }
                None => Milli::ZERO,
            },
            RuleKind::Inactivity { .. } => self.inactivity(rule, next),
        }
    }

    /// Whether an attribute rule holds.
    pub(crate) fn holds(&self, rule: &Rule) -> bool {
        self.tally.holds.get(rule.index) == Some(&true)
    }

    /// Calls `each` with every occurrence that counts for an event rule, newest first.
    pub(crate) fn counted(&self, rule: &Rule, event: &EventRule, mut each: impl FnMut(Counted<L>)) {
        let mut kept: Vec<Instant> = Vec::new();
        let newest_first = self.in_window(rule).iter().rev().take(event.most());
        for occurrence in newest_first {
            if let Some(Limit { count, per: Some(per) }) = &event.limit {
                // The walk goes back in time. If the occurrence kept N steps ago is nearer than `per`, then N
                // kept occurrences lie within `per` already, and this occurrence is one too many.
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                let full = kept.len().checked_sub(count).and_then(|i| kept.get(i));
                if full.is_some_and(|newer| newer.since(occurrence.at) < *per) {
                    continue;
                }
                kept.push(occurrence.at);
            }
            let age = self.as_of.since(occurrence.at);
            let factor = event.decay.as_ref().map_or(crate::decay::WHOLE, |decay| decay.factor(age));
            let worth = rule.points.scaled(i64::from(factor), i64::from(crate::decay::WHOLE));
            each(Counted { occurrence: *occurrence, age, factor, worth });
        }
    }

    /// The newest `at_least` occurrences of a count rule, oldest first; `None` if there are fewer.
    pub(crate) fn holding(&self, rule: &Rule, count: &Count) -> Option<&'a [Occurrence<L>]> {
        let occurrences = self.in_window(rule);
        let enough = usize::try_from(count.at_least).ok()?;
        occurrences.get(occurrences.len().checked_sub(enough)?..)
    }

    /// The time since the newest activity, and that activity; `None` if there is no activity since the reset.
    pub(crate) fn quiet(&self) -> Option<(Span, Occurrence<L>)> {
        let last = self.tally.last_activity.filter(|last| self.reset.is_none_or(|reset| last.at >= reset))?;
        Some((self.as_of.since(last.at), last))
    }

    /// The adjustments that have begun and have not expired.
    pub(crate) fn adjustments(&self) -> impl Iterator<Item = &'a (Occurrence<L>, Adjustment)> {
        let as_of = self.as_of;
        self.tally.adjustments.iter().filter(move |(occurrence, adjustment)| {
            occurrence.at <= as_of && adjustment.expires_at.is_none_or(|expires_at| as_of < expires_at)
        })
    }

    fn inactivity(&self, rule: &Rule, next: &mut Next) -> Milli {
        let RuleKind::Inactivity { quiet_for, repeat } = &rule.kind else { return Milli::ZERO };
        let Some((quiet, last)) = self.quiet() else { return Milli::ZERO };
        let first_pay = last.at.plus(*quiet_for);
        if quiet < *quiet_for {
            next.offer(first_pay);
            return Milli::ZERO;
        }
        let Some(repeat) = repeat else { return rule.points };
        let repeats = (quiet.0 - quiet_for.0) / repeat.every.0;
        let repeats = u32::try_from(repeats).map_or(repeat.times, |repeats| repeats.min(repeat.times));
        if repeats < repeat.times {
            let wait = repeat.every.times(i64::from(repeats) + 1);
            next.offer(first_pay.zip(wait).and_then(|(at, wait)| at.plus(wait)));
        }
        rule.points.times(repeats + 1)
    }

    /// A rule's occurrences up to `as_of` that are not older than the reset and lie in the window; oldest
    /// first.
    fn in_window(&self, rule: &Rule) -> &'a [Occurrence<L>] {
        let horizon = rule.horizon();
        let occurrences = self.tally.occurrences.of(rule.index);
        let first = occurrences.partition_point(|occurrence| {
            self.reset.is_some_and(|reset| occurrence.at < reset)
                || horizon.is_some_and(|horizon| self.as_of.since(occurrence.at) >= horizon)
        });
        let end = occurrences.partition_point(|occurrence| occurrence.at <= self.as_of);
        occurrences.get(first..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_weighs_most_and_is_the_first_on_a_tie() {
        assert_eq!(best(Milli(10), Milli(-15)), Milli(-15));
        assert_eq!(best(Milli(5), Milli(-5)), Milli(5));
        assert_eq!(best(Milli(-5), Milli(5)), Milli(-5));
    }
}
