//! 2^(-x) in fixed point, so that no float enters a score.

use crate::time::Span;

/// `ROOTS[k]` is 2^(-1/2^k), in units of 2^-64; each root is the square root of the root before.
const ROOTS: [u128; 64] = {
    let mut roots = [1_u128 << 63; 64];
    let mut k = 1;
    while k < 64 {
        roots[k] = (roots[k - 1] << 64).isqrt();
        k += 1;
    }
    roots
};

/// The factor after `steps` days in millionths: 1 000 000 × 2^(-steps days / half-life), rounded half away
/// from zero.
pub(super) fn factor(steps: i64, half_life: Span) -> u32 {
    let age = i128::from(steps) * i128::from(Span::DAY.0);
    let (halvings, rest) = (age / i128::from(half_life.0), age % i128::from(half_life.0));
    // 1 000 000 / 2^21 is below a half, so from the 21st halving on the factor rounds to 0.
    let Some(halvings) = u32::try_from(halvings).ok().filter(|halvings| *halvings < 21) else { return 0 };
    let mut power: u128 = 1 << 64;
    let mut fraction = rest.unsigned_abs();
    let whole = i128::from(half_life.0).unsigned_abs();
    for root in &ROOTS[1..] {
        fraction *= 2;
        if fraction >= whole {
            fraction -= whole;
            power = (power * root) >> 64;
        }
    }
    let shift = 64 + halvings;
    let rounded = (power * 1_000_000 + (1 << (shift - 1))) >> shift;
    u32::try_from(rounded).unwrap_or(super::WHOLE)
}

/// How many days have their factor in a table: about eleven years. Later factors are computed.
pub(super) const TABLED_DAYS: i64 = 4_096;

/// The factor after `steps` days, from the table if the table reaches so far. After a table that ends in 0
/// the factor stays 0.
pub(super) fn tabled(steps: i64, half_life: Span, factors: &[u32]) -> u32 {
    match usize::try_from(steps).ok().and_then(|step| factors.get(step)) {
        Some(factor) => *factor,
        None if factors.last() == Some(&0) => 0,
        None => factor(steps, half_life),
    }
}

/// The first step after `steps` with another factor; `None` if the factor never changes again.
pub(super) fn next_step(steps: i64, half_life: Span, factors: &[u32]) -> Option<i64> {
    let now = tabled(steps, half_life, factors);
    if now == 0 {
        return None;
    }
    let differs = |step: i64| tabled(step, half_life, factors) != now;
    let mut width = 1_i64;
    while !differs(steps.checked_add(width)?) {
        width = width.checked_mul(2)?;
    }
    let (mut same, mut different) = (steps + width / 2, steps + width);
    while different - same > 1 {
        let middle = same + (different - same) / 2;
        if differs(middle) {
            different = middle;
        } else {
            same = middle;
        }
    }
    Some(different)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Span {
        text.parse().unwrap()
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "a float is what the fixed point is compared with")]
    fn the_fixed_point_agrees_with_floats_to_a_millionth() {
        for half_life in ["1s", "1h", "30m", "1d", "36h", "3d", "7d", "30d", "90d", "3650d", "1000w"] {
            for steps in (0..2_000).chain([10_000, 123_456, 1_000_000_000]) {
                let days = span(half_life).0 as f64 / Span::DAY.0 as f64;
                let expected = 1e6 * (-(steps as f64) / days).exp2();
                let found = f64::from(factor(steps, span(half_life)));
                assert!((found - expected).abs() <= 0.5 + 1e-6, "{half_life} {steps}: {found} {expected}");
            }
        }
    }

    #[test]
    fn whole_halvings_are_exact_and_their_halves_round_up() {
        assert_eq!(factor(30, span("30d")), 500_000);
        assert_eq!(factor(7, span("1d")), 7_813);
        assert_eq!(factor(20, span("1d")), 1);
        assert_eq!(factor(21, span("1d")), 0);
        assert_eq!(factor(i64::MAX, span("1s")), 0);
    }

    #[test]
    fn the_next_step_is_the_first_that_differs() {
        for half_life in ["1d", "7d", "90d", "100000d"] {
            for steps in [0, 1, 50, 300, 1_500, 2_000_000] {
                let now = factor(steps, span(half_life));
                let crate::decay::Decay::HalfLife { factors, .. } =
                    crate::decay::Decay::half_life(span(half_life))
                else {
                    panic!("a curve that halves")
                };
                assert_eq!(
                    tabled(steps, span(half_life), &factors),
                    now,
                    "looked up or computed, it is the same"
                );
                match next_step(steps, span(half_life), &factors) {
                    None => assert_eq!(now, 0),
                    Some(next) => {
                        assert_ne!(factor(next, span(half_life)), now);
                        assert!(next == steps + 1 || factor(next - 1, span(half_life)) == now);
                    }
                }
            }
        }
    }
}
