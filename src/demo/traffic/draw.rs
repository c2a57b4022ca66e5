//! Chance, the same for the same seed on every machine and with every version of every crate.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// A stream of chance. The generator is `ChaCha8`, whose stream is fixed by the cipher (that of `rand`'s `StdRng` may
/// change with a version); the seed's layout and all that is made of the stream are our own, in whole numbers.
#[derive(Debug)]
pub(in crate::demo) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream with a number, of those that a seed has.
    pub(in crate::demo) fn new(seed: u64, stream: u64) -> Draw {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..24].copy_from_slice(b"leadscore's demo");
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream);
        Draw(rng)
    }

    /// A whole number less than `end`.
    pub(in crate::demo) fn below(&mut self, end: u32) -> u32 {
        // The high half of a product: its tiny lean towards some numbers does not matter here.
        let scaled = u64::from(self.0.next_u32()) * u64::from(end);
        u32::try_from(scaled >> 32).unwrap_or(0)
    }

    /// A whole number from `least` to `most`, which are within 32 bits of each other.
    pub(in crate::demo) fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = u32::try_from((most - least + 1).max(1)).unwrap_or(u32::MAX);
        least + i64::from(self.below(span))
    }

    /// Any 64 bits.
    pub(in crate::demo) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Yes in so many of a hundred cases.
    pub(in crate::demo) fn percent(&mut self, yes: u32) -> bool {
        self.below(100) < yes
    }

    /// Yes in so many of a thousand cases.
    pub(in crate::demo) fn of_thousand(&mut self, yes: u32) -> bool {
        self.below(1_000) < yes
    }

    /// One of several, each as likely.
    pub(in crate::demo) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(u32::try_from(of.len()).unwrap_or(u32::MAX)) as usize]
    }

    /// One of several, each as likely as its weight says.
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
