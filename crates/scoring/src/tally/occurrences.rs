//! The occurrences of every rule in one list: a million tallies may be in memory at once, and a list for each rule of
//! each would be mostly the lists.

use std::ops::Range;

use crate::time::Instant;

/// Something that happened at an instant. The label says which event it was, where that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Occurrence<L> {
    pub(crate) at: Instant,
    pub(crate) label: L,
}

/// What happened, one rule's after the other's, each oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Occurrences<L> {
    all: Vec<Occurrence<L>>,
    /// By the rule's index: where its own end.
    ends: Box<[u32]>,
}

impl<L: Copy + Ord> Occurrences<L> {
    /// None yet, of so many rules.
    pub(super) fn none(rules: usize) -> Self {
        Self { all: Vec::new(), ends: vec![0; rules].into() }
    }

    /// A rule's own; empty for rules that are not about events.
    pub(crate) fn of(&self, rule: usize) -> &[Occurrence<L>] {
        self.all.get(self.range(rule)).unwrap_or_default()
    }

    /// Every rule's, in the order of the rules.
    pub(super) fn by_rule(&self) -> impl Iterator<Item = &[Occurrence<L>]> {
        (0..self.ends.len()).map(|rule| self.of(rule))
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Occurrence<L>> {
        self.all.iter()
    }

    /// Adds one to a rule's own, of which only so many of the newest are kept.
    pub(super) fn keep_newest(&mut self, rule: usize, occurrence: Occurrence<L>, keep: usize) {
        let range = self.range(rule);
        let place = self.of(rule).partition_point(|other| *other < occurrence);
        if range.len() < keep {
            self.all.insert(range.start + place, occurrence);
            self.ends.iter_mut().skip(rule).for_each(|end| *end += 1);
        } else if let Some(older) = self.all.get_mut(range).and_then(|own| own.get_mut(..place))
            && !older.is_empty()
        {
            // The oldest makes room: those before the place move down over it.
            older.rotate_left(1);
            if let Some(last) = older.last_mut() {
                *last = occurrence;
            }
        }
    }

    /// Forgets those of a rule's own that come first and of which this holds.
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
