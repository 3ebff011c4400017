//! [`SeededRng`]: all random numbers of a run, from one seed.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Random numbers from a seed: the same seed gives the same numbers.
#[derive(Debug)]
pub struct SeededRng(StdRng);

impl SeededRng {
    /// The rng of a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from 0 to `end`, without `end`; 0 if there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        // The bias is below 2^-40 for the small numbers that are drawn here.
        if end == 0 { 0 } else { self.0.next_u64() % end }
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: u32, most: u32) -> u32 {
        let span = u64::from(most.saturating_sub(least)) + 1;
        least + u32::try_from(self.below(span)).unwrap_or_default()
    }

    /// A number from `-most` to `most`.
    pub fn around_zero(&mut self, most: i32) -> i32 {
        let span = 2 * u64::from(most.unsigned_abs()) + 1;
        i32::try_from(self.below(span)).unwrap_or_default() - most
    }

    /// True with a chance of `often` in a thousand.
    pub fn per_mille(&mut self, often: u32) -> bool {
        often > 0 && self.below(1_000) < u64::from(often)
    }

    /// A small number more often than a large one: each octave up to `most` is as likely as every other.
    pub fn skewed(&mut self, most: u32) -> u32 {
        let octaves = u32::BITS - most.leading_zeros();
        let top = 1_u32.checked_shl(self.between(0, octaves)).unwrap_or(u32::MAX).min(most);
        self.between(0, top)
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, from: &[T], otherwise: T) -> T {
        let at = usize::try_from(self.below(from.len() as u64)).unwrap_or_default();
        from.get(at).copied().unwrap_or(otherwise)
    }
}
