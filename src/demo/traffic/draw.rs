//! Random numbers. The same seed gives the same numbers on every machine and with every version of every crate.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// A stream of random numbers. The generator is `ChaCha8`, whose stream is fixed by the cipher. (The stream of `rand`'s
/// `StdRng` may change with a version.) The layout of the seed and everything made of the stream is our own, in whole
/// numbers.
#[derive(Debug)]
pub(in crate::demo) struct Draw(ChaCha8Rng);

impl Draw {
    /// Makes one of a seed's streams, by its number.
    pub(in crate::demo) fn new(seed: u64, stream: u64) -> Draw {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..24].copy_from_slice(b"leadscore's demo");
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream);
        Draw(rng)
    }

    /// Draws a whole number from 0 to below `end`.
    pub(in crate::demo) fn below(&mut self, end: u32) -> u32 {
        // This takes the high half of a product. It slightly prefers some numbers, which does not matter here.
        let scaled = u64::from(self.0.next_u32()) * u64::from(end);
        u32::try_from(scaled >> 32).unwrap_or(0)
    }

    /// Draws a whole number from `least` to `most`, both included. They must lie within 32 bits of each other.
    pub(in crate::demo) fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = u32::try_from((most - least + 1).max(1)).unwrap_or(u32::MAX);
        least + i64::from(self.below(span))
    }

    /// Draws 64 random bits.
    pub(in crate::demo) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Draws true in `yes` of 100 cases.
    pub(in crate::demo) fn percent(&mut self, yes: u32) -> bool {
        self.below(100) < yes
    }

    /// Draws true in `yes` of 1000 cases.
    pub(in crate::demo) fn of_thousand(&mut self, yes: u32) -> bool {
        self.below(1_000) < yes
    }

    /// Draws one of several items with equal probability.
    pub(in crate::demo) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(u32::try_from(of.len()).unwrap_or(u32::MAX)) as usize]
    }

    /// Draws one of several items, each with the probability of its weight.
    pub(in crate::demo) fn weighted<T: Copy>(&mut self, of: &[(u32, T)]) -> T {
        let mut place = self.below(of.iter().map(|(weight, _)| weight).sum());
        for (weight, item) in of {
            match place.checked_sub(*weight) {
                Some(rest) => place = rest,
                None => return *item,
            }
        }
        of[0].1
    }
}
