//! One run of a world, decided by a seed.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::history::Violation;
use crate::mutant::Mutant;
use crate::world::{Setup, World};

/// What happened in one or more runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many runs.
    pub runs: u64,
    /// Attempts to acquire.
    pub attempts: u64,
    /// Leases that were issued.
    pub leases: u64,
}

/// The steps of one run.
const STEPS: usize = 400;

/// Runs the world of one seed to its end.
///
/// # Errors
///
/// The first promise that was broken.
pub fn run_seed(
    seed: u64,
    nodes: Option<usize>,
    clients: Option<usize>,
    mutant: Option<Mutant>,
) -> Result<Figures, Box<Violation>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut below = |n: u32| rng.next_u32() % n;
    let nodes = nodes.unwrap_or(1 + below(9) as usize);
    let clients = clients.unwrap_or(2 + below(2) as usize);
    let locks_vanish = below(2) == 0;
    let Some(mut world) = World::new(Setup { nodes, clients, mutant, locks_vanish }) else {
        return Ok(Figures::default());
    };
    for _ in 0..STEPS {
        world.choose(rng.next_u32());
        if let Some(violation) = world.violation() {
            return Err(Box::new(violation));
        }
    }
    world.settle();
    match world.violation() {
        Some(violation) => Err(Box::new(violation)),
        None => Ok(Figures { runs: 1, attempts: world.attempts() as u64, leases: world.history().leases.len() as u64 }),
    }
}
