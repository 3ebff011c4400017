//! Draws the plans of [`Profile::MixedFleet`](super::Profile::MixedFleet): clients of another library lock the same
//! keys. They need a majority; or they know one node only, which is the anchor.
//!
//! X among both is promised only as far as the other library can promise it. It knows no rest, so no node forgets
//! here. All other faults of nodes, network and processes happen.

use super::{Bootstrap, Fault, Foreign, ForeignSection, Knows, Memory, Plan, Profile, Scale};
use crate::seeded_rng::SeededRng;

/// Another stream of random numbers than that of the plan below.
const STREAM: u64 = 0x6d69_7865_6420_666c;

/// The plan of a seed.
pub(super) fn draw(seed: u64, scale: Scale) -> Plan {
    let profile = if seed.is_multiple_of(4) { Profile::Healthy } else { Profile::SomeFaults };
    let plan = Plan::draw(seed, profile, scale);
    let mut rng = SeededRng::from_seed(seed ^ STREAM);
    let rng = &mut rng;
    let grows = rng.per_mille(400);
    let knows = if grows { Knows::One } else { Knows::All };
    let span = plan.faults_end_ms;
    let foreign = (0..rng.between(1, 3)).map(|_| client(rng, knows, &plan, span)).collect();
    let faults = plan.faults.iter().copied().filter(|fault| remembers(&fault.fault)).collect();
    Plan { anchor: grows.then_some(0), foreign, faults, bootstrap: Bootstrap::Done, ..plan }
}

fn client(rng: &mut SeededRng, knows: Knows, plan: &Plan, span: u32) -> Foreign {
    let ttl_ms = plan.terms.ttl_ms;
    let sections = (0..rng.between(2, 6)).map(|_| ForeignSection {
        think_ms: rng.skewed(span / 4),
        resource: u8::try_from(rng.below(u64::from(plan.resources))).unwrap_or_default(),
        wait_ms: rng.pick(&[0, ttl_ms / 2, ttl_ms, 2 * ttl_ms], ttl_ms),
        work_ms: rng.skewed(ttl_ms),
    });
    let sections = sections.collect();
    Foreign { knows, endless: rng.per_mille(300), sections }
}

/// Whether a node that had this fault still has its locks, or is known to have lost one.
const fn remembers(fault: &Fault) -> bool {
    match fault {
        Fault::Crash { memory, .. } => matches!(memory, Memory::Kept),
        Fault::Flush { .. } | Fault::Snapshot { .. } => false,
        _ => true,
    }
}
