//! The occurrences of all rules in one list. A million tallies may be in memory at once, and a list for each
//! rule would cost more memory than the occurrences.

use std::ops::Range;

use crate::time::Instant;

/// An event that matched a rule, by its instant. The label tells which event it was, if the caller needs
/// that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Occurrence<L> {
    pub(crate) at: Instant,
    pub(crate) label: L,
}

/// The occurrences of all rules, rule after rule, each rule's oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Occurrences<L> {
    all: Vec<Occurrence<L>>,
    /// Where the occurrences of each rule end in `all`, by the rule's index.
    ends: Box<[u32]>,
}

impl<L: Copy + Ord> Occurrences<L> {
    /// No occurrences, for a model with this number of rules.
    pub(super) fn none(rules: usize) -> Self {
        Self { all: Vec::new(), ends: vec![0; rules].into() }
    }

    /// The occurrences of a rule, oldest first; empty for rules that are not about events.
    pub(crate) fn of(&self, rule: usize) -> &[Occurrence<L>] {
        self.all.get(self.range(rule)).unwrap_or_default()
    }

    /// The occurrences of each rule, in the order of the rules.
    pub(super) fn by_rule(&self) -> impl Iterator<Item = &[Occurrence<L>]> {
        (0..self.ends.len()).map(|rule| self.of(rule))
    }

    /// The occurrences of all rules.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Occurrence<L>> {
        self.all.iter()
    }

    /// Adds an occurrence to a rule, and keeps only the `keep` newest occurrences of that rule.
    pub(super) fn keep_newest(&mut self, rule: usize, occurrence: Occurrence<L>, keep: usize) {
        let range = self.range(rule);
        let place = self.of(rule).partition_point(|other| *other < occurrence);
        if range.len() < keep {
            self.all.insert(range.start + place, occurrence);
            self.ends.iter_mut().skip(rule).for_each(|end| *end += 1);
        } else if let Some(older) = self.all.get_mut(range).and_then(|own| own.get_mut(..place))
            && !older.is_empty()
        {
            // The oldest occurrence is dropped: those before the new one's place move down by one.
            older.rotate_left(1);
            if let Some(last) = older.last_mut() {
                *last = occurrence;
            }
        }
    }

    /// Removes occurrences of a rule, from the oldest on, while `gone` holds.
    pub(super) fn forget_while(&mut self, rule: usize, gone: impl Fn(&Occurrence<L>) -> bool) {
        let start = self.range(rule).start;
        let count = self.of(rule).partition_point(gone);
        self.all.drain(start..start + count);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.ends.iter_mut().skip(rule).for_each(|end| *end = end.saturating_sub(count));
    }

    fn range(&self, rule: usize) -> Range<usize> {
        let end = |rule: usize| self.ends.get(rule).map_or(0, |end| *end as usize);
        rule.checked_sub(1).map_or(0, end)..end(rule)
    }
}
