//! Draws the plans of [`Profile::Contention`](super::Profile::Contention): many clients want one lock, hold it briefly,
//! and give up, die or pause while they wait. Nodes and network are healthy.

use super::{
    Bootstrap, Client, ClockError, End, Fault, NetworkProfile, Operation, Plan, Scale, ScheduledFault, Section,
    Sharing, Terms,
};
use crate::seeded_rng::SeededRng;

/// How long clients are disturbed.
const SPAN_MS: u32 = 1_500;
const EXACT: ClockError = ClockError { offset_ms: 0, drift_ppm: 0 };

/// What happens to the clients of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientFaults {
    /// They wait until they are served.
    None,
    /// Some give up while they wait.
    GiveUp,
    /// Some die, some pause.
    PauseAndDie,
}

/// The plan of a seed.
pub(super) fn draw(seed: u64, scale: Scale) -> Plan {
    let mut rng = SeededRng::from_seed(seed);
    let rng = &mut rng;
    let client_faults = rng.pick(
        &[ClientFaults::None, ClientFaults::GiveUp, ClientFaults::PauseAndDie, ClientFaults::PauseAndDie],
        ClientFaults::PauseAndDie,
    );
    let nodes = scale.nodes.unwrap_or_else(|| rng.pick(&[3, 3, 5, 4, 2, 1], 3));
    let clients = scale.clients.unwrap_or_else(|| rng.pick(&[5, 6, 8, 12], 6));
    let ttl_ms = rng.pick(&[1_000, 2_000, 6_000], 2_000);
    let low = rng.pick(&[0, 1, 1, 2], 1);
    let faults = if client_faults == ClientFaults::PauseAndDie { rng.between(1, 2 * u32::from(clients)) } else { 0 };
    let mut faults: Vec<ScheduledFault> = (0..faults).map(|_| fault(rng, clients)).collect();
    faults.sort_by_key(|fault| fault.at_ms);
    Plan {
        seed: rng.bits(),
        terms: Terms { ttl_ms, max_ttl_ms: ttl_ms, node_timeout_ms: 250, response_timeout_ms: 1_000 },
        sharing: Sharing::default(),
        bootstrap: Bootstrap::Done,
        nodes: vec![EXACT; usize::from(nodes)],
        ahead: vec![0; usize::from(nodes)],
        clients: (0..clients).map(|_| client(rng, client_faults, ttl_ms)).collect(),
        foreign: Vec::new(),
        anchor: None,
        resources: 1,
        network: NetworkProfile {
            latency_ms: (low, low + rng.pick(&[0, 1, 2], 1)),
            tail_per_mille: 0,
            tail_ms: 0,
            loss_per_mille: 0,
        },
        faults,
        faults_end_ms: SPAN_MS,
    }
}

fn client(rng: &mut SeededRng, client_faults: ClientFaults, ttl_ms: u32) -> Client {
    let sections = (0..rng.between(3, 8)).map(|_| section(rng, client_faults, ttl_ms)).collect();
    Client { clock: EXACT, tasks: 1, sections }
}

fn section(rng: &mut SeededRng, client_faults: ClientFaults, ttl_ms: u32) -> Section {
    let gives_up = client_faults == ClientFaults::GiveUp && rng.per_mille(400);
    Section {
        think_ms: rng.skewed(60),
        resource: 0,
        wait_ms: if gives_up { rng.between(1, 60) } else { 2 * ttl_ms },
        cancel_ms: (client_faults == ClientFaults::GiveUp && rng.per_mille(200)).then(|| rng.between(1, 60)),
        // Now and then a holder is paused for longer than its lease, or dies with it.
        operations: match client_faults == ClientFaults::PauseAndDie && rng.per_mille(10) {
            true => vec![Operation::Stall { ms: rng.between(1, 2 * ttl_ms) }],
            false => vec![Operation::Work { ms: rng.between(1, 8) }],
        },
        end: if rng.per_mille(300) { End::Drop } else { End::Release { cancel_ms: None } },
    }
}

fn fault(rng: &mut SeededRng, clients: u8) -> ScheduledFault {
    let client = u8::try_from(rng.below(u64::from(clients))).unwrap_or_default();
    let fault = match rng.below(3) {
        0 => Fault::Pause { client, for_ms: 1 + rng.skewed(300) },
        _ => Fault::Reboot { client, down_ms: 1 + rng.skewed(100) },
    };
    ScheduledFault { at_ms: rng.between(0, SPAN_MS / 3), fault }
}
