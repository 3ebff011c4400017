//! [`Entropy`]: the only source of randomness. A seed makes it repeatable.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rand::rngs::{StdRng, SysRng};
use rand::{Rng as _, SeedableRng as _, TryRng as _};

/// A source of random bits: the operating system, or a seed for runs that must repeat.
pub struct Entropy(Source);

enum Source {
    /// This variant keeps no state. So a copy of the process (a fork, a restored snapshot of a machine) draws other
    /// bits than its original. One draw costs one system call, 0.3 µs.
    System,
    Seeded(Box<Mutex<StdRng>>),
}

impl Entropy {
    /// Every draw asks the operating system: two copies of one process never draw the same bits.
    #[must_use]
    pub const fn from_system() -> Self {
        Self(Source::System)
    }

    /// A source in which the same seed gives the same bits. For tests and simulations only: its holder ids can be
    /// guessed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(Source::Seeded(Box::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// 32 bits, for jitter.
    #[must_use]
    pub fn u32(&self) -> u32 {
        match &self.0 {
            Source::System => u32::from_ne_bytes(from_system()),
            Source::Seeded(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).next_u32(),
        }
    }

    /// A number that differs between the calls of one locker, and from the numbers of a copy of the process: `drawn`,
    /// which the caller has just drawn. A seeded source returns `count`, which the caller changes each time.
    pub(crate) const fn distinct(&self, drawn: u32, count: u32) -> u32 {
        match self.0 {
            Source::System => drawn,
            Source::Seeded(_) => count,
        }
    }

    /// 128 bits, for a holder id.
    #[must_use]
    pub fn u128(&self) -> u128 {
        match &self.0 {
            Source::System => u128::from_ne_bytes(from_system()),
            Source::Seeded(rng) => {
                let mut rng = rng.lock().unwrap_or_else(PoisonError::into_inner);
                u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64())
            }
        }
    }
}

fn from_system<const LEN: usize>() -> [u8; LEN] {
    let mut bytes = [0; LEN];
    if SysRng.try_fill_bytes(&mut bytes).is_err() {
        bytes = of_this_process();
    }
    bytes
}

/// The fallback if the operating system refuses randomness: a hash of the random keys of this thread, the id of the
/// process (a fork has another one) and a count.
fn of_this_process<const LEN: usize>() -> [u8; LEN] {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let mut bytes = [0; LEN];
    for chunk in bytes.chunks_mut(size_of::<u64>()) {
        let drawn = DRAWN.fetch_add(1, Ordering::Relaxed);
        let word = RandomState::new().hash_one((std::process::id(), drawn)).to_ne_bytes();
        chunk.iter_mut().zip(word).for_each(|(byte, random)| *byte = random);
    }
    bytes
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_bits_and_the_system_never_gives_the_same() {
        assert_eq!(Entropy::from_seed(7).u128(), Entropy::from_seed(7).u128());
        assert_ne!(Entropy::from_system().u128(), Entropy::from_system().u128());
    }

    #[test]
    fn also_without_the_system_all_bits_differ_from_draw_to_draw() {
        let drawn: Vec<[u8; 16]> = (0..100).map(|_| of_this_process()).collect();
        for (at, one) in drawn.iter().enumerate() {
            assert!(drawn.iter().skip(at + 1).all(|other| other[..8] != one[..8] && other[8..] != one[8..]));
        }
    }
}
