//! The statistics of a comparison, as pure functions.

use serde::Serialize;
use utoipa::ToSchema;

/// The 97.5 % quantile of the standard normal distribution. With 2.5 % on each side, the interval has 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// An estimate of how many of all leads something holds for. If all leads were scored, the three numbers are
/// the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Estimate {
    /// The estimated count.
    pub(super) count: u64,
    /// The lower end of the 95 % interval.
    pub(super) low: u64,
    /// The upper end of the 95 % interval.
    pub(super) high: u64,
}

/// A random sample, drawn without replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// The size of the sample.
    pub(super) size: u64,
    /// The size of the population.
    pub(super) population: u64,
}

impl Sample {
    /// Estimates for how many of the population something holds, if it holds for `hits` of the sample.
    ///
    /// The interval is Wilson's score interval with a finite population correction. Wilson's interval is
    /// sound for rare things too. With the correction, a larger sample gives a narrower interval, and a
    /// sample of all gives a point. The interval is rounded outwards, and never contradicts what was seen in
    /// the sample.
    pub(super) fn estimate(self, hits: u64) -> Estimate {
        let Sample { size, population } = self;
        let unseen = population.saturating_sub(size);
        if size == 0 || unseen == 0 {
            let high = if size == 0 { population } else { hits };
            return Estimate { count: hits, low: hits, high };
        }
        let (n, all, share) = (size as f64, population as f64, hits as f64 / size as f64);
        let z2 = Z * Z * (all - n) / (all - 1.0);
        let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let reach = (z2 * (share * (1.0 - share) / n + z2 / (4.0 * n * n))).sqrt() / (1.0 + z2 / n);
        let bounded = |count: f64| whole(count).clamp(hits, hits + unseen);
        Estimate {
            count: bounded((share * all).round()),
            low: bounded(((middle - reach) * all).floor()),
            high: bounded(((middle + reach) * all).ceil()),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is a count and at least 0"
)]
fn whole(count: f64) -> u64 {
    count.max(0.0) as u64
}

/// Returns the rank of each value, from 1 for the least. Equal values share the mean of their ranks.
fn average_ranks<T: Ord>(values: &[T]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|a, b| values[*a].cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for equal in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let (first, last) = (before + 1, before + equal.len());
        for place in equal {
            ranks[*place] = f64::midpoint(first as f64, last as f64);
        }
        before = last;
    }
    ranks
}

/// Spearman's rank correlation of two lists of the same length: 1 if both have the same order, -1 if one is
/// the reverse of the other. Ties share a rank. `None` if all values of a list are equal.
pub(super) fn spearman<A: Ord, B: Ord>(a: &[A], b: &[B]) -> Option<f64> {
    let (a, b) = (average_ranks(a), average_ranks(b));
    let mean = f64::midpoint(1.0, a.len() as f64);
    let product =
        |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum() };
    let spread = (product(&a, &a) * product(&b, &b)).sqrt();
    (spread > 0.0).then(|| (product(&a, &b) / spread).clamp(-1.0, 1.0))
}

/// The probability that a random winner is placed above a random other: the area under the ROC curve. Ties
/// count half. `None` if there are no winners or no others.
pub(super) fn auc<T: Ord>(winners: Vec<T>, others: Vec<T>) -> Option<f64> {
    let (won, lost) = (winners.len() as f64, others.len() as f64);
    let winning = winners.len();
    let all: Vec<T> = winners.into_iter().chain(others).collect();
    let ranks: f64 = average_ranks(&all).iter().take(winning).sum();
    (won > 0.0 && lost > 0.0).then(|| (ranks - won * (won + 1.0) / 2.0) / (won * lost))
}

/// The value at or below which a share of the sorted values lies. `None` if there are no values.
pub(super) fn quantile(sorted: &[i64], share: f64) -> Option<i64> {
    let place = whole((share * sorted.len() as f64).ceil()).saturating_sub(1);
    sorted.get(usize::try_from(place).ok()?).or(sorted.last()).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    /// By the definition: how many are smaller, and half of those that are equal, itself among them.
    fn naive_ranks(values: &[i32]) -> Vec<f64> {
        let rank = |one: &i32| {
            let smaller = values.iter().filter(|other| *other < one).count() as f64;
            smaller + f64::midpoint(values.iter().filter(|other| *other == one).count() as f64, 1.0)
        };
        values.iter().map(rank).collect()
    }

    fn naive_correlation(a: &[f64], b: &[f64]) -> f64 {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let covariance = |a: &[f64], b: &[f64]| {
            a.iter().zip(b).map(|(x, y)| (x - mean(a)) * (y - mean(b))).sum::<f64>() / a.len() as f64
        };
        covariance(a, b) / (covariance(a, a).sqrt() * covariance(b, b).sqrt())
    }

    #[test]
    fn rank_correlation_knows_the_worked_cases() {
        assert_eq!(spearman(&[1, 2, 3], &[10, 20, 90]), Some(1.0));
        assert_eq!(spearman(&[1, 2, 3], &[9, 5, 1]), Some(-1.0));
        // From scipy.stats.spearmanr.
        assert!(close(spearman(&[1, 2, 3, 4, 5], &[5, 6, 7, 8, 7]).unwrap(), 0.820_782_681_668_123_3));
        assert_eq!(spearman(&[1, 1, 1], &[1, 2, 3]), None, "all equal");
        assert_eq!(spearman::<i32, i32>(&[], &[]), None);
    }

    #[test]
    fn winners_above_all_others_are_certain_and_ties_are_a_coin() {
        assert_eq!(auc(vec![5, 6], vec![1, 2, 4]), Some(1.0));
        assert_eq!(auc(vec![1], vec![2]), Some(0.0));
        assert_eq!(auc(vec![3, 3], vec![3]), Some(0.5));
        assert_eq!(auc(vec![2], vec![1, 2, 3, 2]), Some(0.5));
        assert_eq!(auc(vec![1], vec![]), None);
        assert_eq!(auc(Vec::<i32>::new(), vec![1]), None);
    }

    #[test]
    fn a_quantile_is_the_least_value_that_covers_the_share() {
        let ten: Vec<i64> = (1..=10).collect();
        assert_eq!([0.1, 0.5, 0.51, 0.9, 1.0].map(|share| quantile(&ten, share)), [1, 5, 6, 9, 10].map(Some));
        assert_eq!(quantile(&[7], 0.1), Some(7));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn all_are_a_certainty_and_none_a_guess() {
        let certain = |hits| Estimate { count: hits, low: hits, high: hits };
        assert_eq!(Sample { size: 40, population: 40 }.estimate(7), certain(7));
        assert_eq!(Sample { size: 0, population: 0 }.estimate(0), certain(0));
        assert_eq!(Sample { size: 0, population: 9 }.estimate(0), Estimate { count: 0, low: 0, high: 9 });
    }

    #[test]
    fn what_was_never_seen_may_still_be_there() {
        let none = Sample { size: 1_000, population: 100_000 }.estimate(0);
        assert_eq!((none.count, none.low), (0, 0));
        assert!((300..400).contains(&none.high), "{none:?}: about 3.8 in a thousand");
    }

    /// Over every sample that might be drawn, how probable it is that the interval holds the truth.
    fn coverage(sample: Sample, truth: u64) -> f64 {
        let choose = |n: u64, k: u64| -> f64 { (0..k).map(|i| ((n - i) as f64 / (k - i) as f64).ln()).sum() };
        let Sample { size, population } = sample;
        let least = (truth + size).saturating_sub(population);
        let holds = |hits: &u64| {
            let Estimate { low, high, .. } = sample.estimate(*hits);
            (low..=high).contains(&truth)
        };
        let probability = |hits: u64| {
            let ways =
                choose(truth, hits) + choose(population - truth, size - hits) - choose(population, size);
            ways.exp()
        };
        (least..=truth.min(size)).filter(holds).map(probability).sum()
    }

    #[test]
    fn the_interval_holds_the_truth_in_95_of_100_samples() {
        for sample in [Sample { size: 50, population: 200 }, Sample { size: 150, population: 200 }] {
            let chances: Vec<f64> = (0..=200).map(|truth| coverage(sample, truth)).collect();
            let mean = chances.iter().sum::<f64>() / chances.len() as f64;
            let worst = chances.iter().copied().fold(1.0, f64::min);
            assert!((0.95..0.99).contains(&mean), "{sample:?}: {mean}");
            assert!(worst > 0.9, "{sample:?}: {worst}");
        }
    }

    proptest! {
        #[test]
        fn ranks_are_those_of_the_definition(values in prop::collection::vec(-5..5_i32, 0..40)) {
            prop_assert_eq!(average_ranks(&values), naive_ranks(&values));
        }

        #[test]
        fn rank_correlation_is_the_correlation_of_the_ranks(pairs in prop::collection::vec((-9..9_i32, -9..9_i32), 2..40)) {
            let (a, b): (Vec<i32>, Vec<i32>) = pairs.into_iter().unzip();
            let naive = naive_correlation(&naive_ranks(&a), &naive_ranks(&b));
            match spearman(&a, &b) {
                Some(rho) => prop_assert!(close(rho, naive), "{rho} {naive}"),
                None => prop_assert!(naive.is_nan()),
            }
        }

        #[test]
        fn the_area_is_the_share_of_pairs_in_which_the_winner_is_above(
            winners in prop::collection::vec(-5..5_i32, 1..20),
            others in prop::collection::vec(-5..5_i32, 1..20),
        ) {
            let pairs = winners.iter().flat_map(|won| others.iter().map(move |lost| won.cmp(lost)));
            let points: f64 = pairs.map(|order| f64::from(order as i8 + 1) / 2.0).sum();
            let naive = points / (winners.len() * others.len()) as f64;
            prop_assert!(close(auc(winners, others).unwrap(), naive));
        }

        #[test]
        fn an_interval_is_around_its_estimate_and_within_what_can_be(
            (population, size, hits) in (1..5_000_u64).prop_flat_map(|all| (Just(all), 1..=all)).prop_flat_map(
                |(all, size)| (Just(all), Just(size), 0..=size))
        ) {
            let Estimate { count, low, high } = Sample { size, population }.estimate(hits);
            prop_assert!(hits <= low && low <= count && count <= high && high <= population - (size - hits));
        }
    }
}
