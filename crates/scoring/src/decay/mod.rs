//! Decay: a factor in millionths that says what an occurrence is still worth at its age. Factors change in
//! steps.

mod half_life;

use std::collections::HashMap;
use std::sync::Arc;

use crate::time::{Instant, Span};

/// A factor of one, in millionths: all points are left.
pub const WHOLE: u32 = 1_000_000;

/// A decay curve, compiled.
///
/// | curve | factor after `n` whole steps of the age |
/// |---|---|
/// | compound | the factor of the step before, times `keep`, rounded to a millionth at every step |
/// | linear | 1 000 000 − `n` × `lose`, and at least 0 |
/// | half-life | 1 000 000 × 2^(-`n` days / half-life), rounded; a step is a day |
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decay {
    /// Keeps the same share of the factor at every step.
    Compound {
        /// How long a step is.
        every: Span,
        /// The factor by step, in millionths, up to the step from which the factor stays the same.
        factors: Arc<[u32]>,
    },
    /// Loses the same number of millionths at every step.
    Linear {
        /// How long a step is.
        every: Span,
        /// Millionths lost at a step.
        lose: u32,
    },
    /// Halves in every `half_life`, in daily steps.
    HalfLife {
        /// The age at which half of the points is left.
        half_life: Span,
        /// The factor by day, in millionths, until it is 0; at most for the first 4 096 days.
        factors: Arc<[u32]>,
    },
}

impl Decay {
    /// A curve that halves in every `half_life`.
    pub(crate) fn half_life(half_life: Span) -> Self {
        let days = 0..half_life::TABLED_DAYS;
        let mut factors: Vec<u32> = Vec::new();
        for factor in days.map(|day| half_life::factor(day, half_life)) {
            factors.push(factor);
            if factor == 0 {
                break;
            }
        }
        Self::HalfLife { half_life, factors: factors.into() }
    }

    /// The factor in millionths at an age that is not negative.
    pub fn factor(&self, age: Span) -> u32 {
        self.after(age.0 / self.step().0)
    }

    /// The first instant after `as_of` at which an occurrence at `at` has another factor; `None` if the
    /// factor never changes again.
    pub fn next_change(&self, at: Instant, as_of: Instant) -> Option<Instant> {
        let steps = as_of.since(at).0 / self.step().0;
        let next = match self {
            Self::Compound { factors, .. } => {
                usize::try_from(steps).ok().filter(|n| n.saturating_add(1) < factors.len()).map(|_| steps + 1)
            }
            Self::Linear { lose, .. } => (*lose > 0 && self.after(steps) > 0).then_some(steps + 1),
            Self::HalfLife { half_life, factors } => half_life::next_step(steps, *half_life, factors),
        }?;
        at.plus(self.step().times(next)?)
    }

    fn step(&self) -> Span {
        match self {
            Self::Compound { every, .. } | Self::Linear { every, .. } => *every,
            Self::HalfLife { .. } => Span::DAY,
        }
    }

    fn after(&self, steps: i64) -> u32 {
        match self {
            Self::Compound { factors, .. } => {
                let last = factors.len().saturating_sub(1);
                let step = usize::try_from(steps).map_or(last, |step| step.min(last));
                factors.get(step).copied().unwrap_or(WHOLE)
            }
            Self::Linear { lose, .. } => {
                let lost = steps.saturating_mul(i64::from(*lose));
                u32::try_from(i64::from(WHOLE).saturating_sub(lost)).unwrap_or(0)
            }
            Self::HalfLife { half_life, factors } => half_life::tabled(steps, *half_life, factors),
        }
    }
}

/// The tables of compound curves. Rules that keep the same share have one table together.
///
/// A table ends where the factor no longer changes: after 625 000 steps at most (a `keep` of 0.999998),
/// usually after a few hundred.
#[derive(Debug, Default)]
pub(crate) struct CompoundTables(HashMap<u32, Arc<[u32]>>);

impl CompoundTables {
    /// The factors of a curve that keeps `keep` millionths at every step.
    pub(crate) fn keeping(&mut self, keep: u32) -> Arc<[u32]> {
        self.0.entry(keep).or_insert_with(|| compound(keep)).clone()
    }
}

fn compound(keep: u32) -> Arc<[u32]> {
    let whole = u64::from(WHOLE);
    let mut factors = vec![WHOLE];
    let mut factor = WHOLE;
    loop {
        let rounded = (u64::from(factor) * u64::from(keep) + whole / 2) / whole;
        let next = u32::try_from(rounded).unwrap_or(WHOLE);
        if next == factor {
            return factors.into();
        }
        factors.push(next);
        factor = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(n: i64) -> Span {
        Span::DAY.times(n).unwrap()
    }

    fn keeping(keep: u32) -> Decay {
        Decay::Compound { every: days(30), factors: CompoundTables::default().keeping(keep) }
    }

    #[test]
    fn a_compound_curve_steps_until_its_fixed_point() {
        let decay = keeping(750_000);
        assert_eq!(decay.factor(Span(days(30).0 - 1)), WHOLE);
        assert_eq!(decay.factor(days(30)), 750_000);
        assert_eq!(decay.factor(days(120)), 316_406);
        let start = Instant::from_micros(0);
        assert_eq!(decay.next_change(start, start), start.plus(days(30)));
        let late = start.plus(days(30 * 1000)).unwrap();
        assert_eq!(decay.factor(late.since(start)), 2);
        assert_eq!(decay.next_change(start, late), None);
    }

    #[test]
    fn keeping_nothing_is_one_step_and_keeping_all_is_none() {
        assert_eq!(compound(0).as_ref(), [WHOLE, 0]);
        assert_eq!(compound(WHOLE).as_ref(), [WHOLE]);
        assert!((1..400).all(|lost| compound(WHOLE - lost).len() <= 625_001));
    }

    #[test]
    fn a_linear_curve_ends_at_zero() {
        let decay = Decay::Linear { every: days(1), lose: 333_000 };
        let start = Instant::from_micros(0);
        assert_eq!(decay.factor(days(3)), 1_000);
        assert_eq!(decay.factor(days(4)), 0);
        assert_eq!(decay.next_change(start, start.plus(days(3)).unwrap()), start.plus(days(4)));
        assert_eq!(decay.next_change(start, start.plus(days(4)).unwrap()), None);
    }
}
