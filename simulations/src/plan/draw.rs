//! Draws plans from seeds.

use super::{Bootstrap, Client, ClockError, End, Fault, HandOver, Memory, NetworkProfile, Operation, ScheduledFault};
use super::{Direction, Plan, Profile, Scale, Section, Sharing, Terms};
use crate::seeded_rng::SeededRng;

/// The greatest drift of a clock: two such clocks are within the locker's allowance of 1 %.
const DRIFT_PPM_MAX: i32 = 4_000;

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn draw(seed: u64, profile: Profile, scale: Scale) -> Self {
        match profile {
            Profile::Contention => return super::contention::draw(seed, scale),
            Profile::MixedFleet => return super::mixed::draw(seed, scale),
            Profile::Healthy | Profile::SomeFaults | Profile::ManyFaults => {}
        }
        let mut rng = SeededRng::from_seed(seed);
        let rng = &mut rng;
        let terms = terms(rng);
        let nodes = scale.nodes.unwrap_or_else(|| rng.pick(&[3, 3, 3, 5, 5, 4, 2, 1, 7], 3));
        let clients = scale.clients.unwrap_or_else(|| rng.pick(&[2, 2, 3, 3, 4, 5, 8], 3));
        let resources = rng.pick(&[1, 1, 1, 2], 1);
        let span = (terms.ttl_ms * rng.pick(&[1, 2, 3, 4], 2)).clamp(500, 4_000);
        let faults_max = profile.faults_max();
        let faults = match faults_max {
            0 => 0,
            most => rng.between(1, most),
        };
        let palette = palette(rng);
        let mut faults: Vec<ScheduledFault> = (0..faults)
            .flat_map(|_| {
                let (at_ms, kind) = (rng.between(0, span), rng.pick(&palette, 0));
                fault(rng, kind, at_ms, terms, (nodes, clients, resources))
            })
            .collect();
        faults.sort_by_key(|fault| fault.at_ms);
        let wild = profile != Profile::Healthy;
        // In some runs all clocks drift as far as allowed: holders slow, nodes fast.
        let (slow, fast) = match wild && rng.per_mille(150) {
            true => (Some(-DRIFT_PPM_MAX), Some(DRIFT_PPM_MAX)),
            false => (None, None),
        };
        Self {
            seed: rng.bits(),
            terms,
            sharing: sharing(rng),
            bootstrap: match rng.below(20) {
                0 => Bootstrap::JustStarted,
                1..=3 => Bootstrap::LongUptime,
                _ => Bootstrap::Done,
            },
            nodes: (0..nodes).map(|_| clock_error(rng, wild, fast)).collect(),
            ahead: (0..nodes).map(|_| if wild { rng.pick(&[0, 0, 1, 2, 3], 0) } else { 0 }).collect(),
            clients: (0..clients).map(|_| client(rng, (wild, slow), terms, span, resources)).collect(),
            foreign: Vec::new(),
            anchor: None,
            resources,
            network: network(rng, profile, terms),
            faults,
            faults_end_ms: span,
        }
    }
}

fn terms(rng: &mut SeededRng) -> Terms {
    let ttl_ms = rng.pick(&[100, 200, 300, 500, 500, 1_000, 2_000, 6_000], 500);
    Terms {
        ttl_ms,
        max_ttl_ms: (ttl_ms * rng.pick(&[1, 2, 4], 2)).max(500),
        node_timeout_ms: rng.pick(&[ttl_ms / 4, ttl_ms / 8, ttl_ms / 2], ttl_ms / 4).clamp(10, 250),
        response_timeout_ms: rng.pick(&[1_000, 300], 1_000),
    }
}

fn clock_error(rng: &mut SeededRng, wild: bool, drift_ppm: Option<i32>) -> ClockError {
    if let Some(drift_ppm) = drift_ppm {
        return ClockError { offset_ms: 0, drift_ppm };
    }
    if !wild || rng.per_mille(300) {
        return ClockError { offset_ms: 0, drift_ppm: 0 };
    }
    ClockError { offset_ms: rng.around_zero(400), drift_ppm: rng.around_zero(DRIFT_PPM_MAX) }
}

fn network(rng: &mut SeededRng, profile: Profile, terms: Terms) -> NetworkProfile {
    let low = rng.pick(&[0, 1, 1, 2], 1);
    let mut network = NetworkProfile {
        latency_ms: (low, low + rng.pick(&[0, 1, 2, 5], 1)),
        tail_per_mille: 0,
        tail_ms: 0,
        loss_per_mille: 0,
    };
    if profile != Profile::Healthy {
        network.tail_per_mille = rng.pick(&[0, 5, 20, 100], 5);
        network.tail_ms = rng.pick(&[terms.node_timeout_ms, terms.ttl_ms / 2, terms.ttl_ms * 2], 100);
        network.loss_per_mille = rng.pick(&[0, 2, 10, 50], 2);
    }
    network
}

/// The terms of sharing: turns are short, so that runs reach their ends.
fn sharing(rng: &mut SeededRng) -> Sharing {
    let kinds = [HandOver::Off, HandOver::ToWaiters, HandOver::ToWaiters, HandOver::WithoutOrder];
    Sharing {
        hand_over: rng.pick(&kinds, HandOver::default()),
        sections_max: rng.pick(&[1, 2, 3, 5, 256], 256),
        turn_max_ms: rng.pick(&[1, 10, 100, 1_000], 10),
    }
}

fn client(
    rng: &mut SeededRng,
    (wild, drift_ppm): (bool, Option<i32>),
    terms: Terms,
    span: u32,
    resources: u8,
) -> Client {
    let clock = clock_error(rng, wild, drift_ppm);
    let tasks = rng.pick(&[1, 1, 2, 3, 5], 1);
    let sections = rng.between(1, 4).max(u32::from(tasks)) + if tasks > 1 { rng.between(0, 4) } else { 0 };
    let sections = (0..sections).map(|_| section(rng, wild, terms, (span, tasks), resources)).collect();
    Client { clock, tasks, sections }
}

fn section(rng: &mut SeededRng, wild: bool, terms: Terms, (span, tasks): (u32, u8), resources: u8) -> Section {
    let operations = rng.between(0, 4);
    let shared = tasks > 1;
    Section {
        // Tasks of one process meet each other often.
        think_ms: rng.skewed(if shared { span / 6 } else { span / 3 }),
        resource: u8::try_from(rng.below(u64::from(resources))).unwrap_or_default(),
        wait_ms: match shared {
            true => rng.pick(&[0, terms.ttl_ms / 2, terms.ttl_ms, terms.ttl_ms * 2, terms.ttl_ms * 4], terms.ttl_ms),
            false => rng.pick(&[0, 0, terms.ttl_ms, terms.ttl_ms * 2], 0),
        },
        // Also while it waits for other tasks of its process.
        cancel_ms: (wild && rng.per_mille(150))
            .then(|| rng.skewed(if shared { terms.ttl_ms } else { terms.node_timeout_ms })),
        operations: (0..operations).map(|_| operation(rng, wild, terms)).collect(),
        end: match rng.below(if wild { 6 } else { 2 }) {
            0 => End::Drop,
            1 if wild => End::Release { cancel_ms: Some(rng.skewed(20)) },
            _ => End::Release { cancel_ms: None },
        },
    }
}

fn operation(rng: &mut SeededRng, wild: bool, terms: Terms) -> Operation {
    match rng.below(10) {
        0..=4 => Operation::Write {
            stall_ms: if wild && rng.per_mille(250) { rng.skewed(terms.ttl_ms * 2) } else { 0 },
            flight_ms: if wild && rng.per_mille(250) { rng.skewed(terms.ttl_ms * 2) } else { rng.between(0, 3) },
        },
        5 if wild => Operation::Stall { ms: rng.skewed(terms.ttl_ms * 2) },
        6 => Operation::Extend { cancel_ms: (wild && rng.per_mille(300)).then(|| rng.skewed(20)) },
        _ => Operation::Work { ms: rng.skewed(terms.ttl_ms) },
    }
}

/// The kinds of faults, as [`fault`] numbers them.
const KINDS: u64 = 20;

/// The kinds of faults of one run: all, or a few, so that each kind also appears with few others.
fn palette(rng: &mut SeededRng) -> Vec<u64> {
    match rng.below(3) {
        0 => (0..KINDS).collect(),
        _ => (0..rng.between(1, 4)).map(|_| rng.below(KINDS)).collect(),
    }
}

/// One fault; some are combined with another fault that makes them dangerous.
fn fault(
    rng: &mut SeededRng,
    kind: u64,
    at_ms: u32,
    terms: Terms,
    (nodes, clients, resources): (u8, u8, u8),
) -> Vec<ScheduledFault> {
    let node = u8::try_from(rng.below(u64::from(nodes))).unwrap_or_default();
    let client = u8::try_from(rng.below(u64::from(clients))).unwrap_or_default();
    let resource = u8::try_from(rng.below(u64::from(resources))).unwrap_or_default();
    let for_ms = rng.skewed(terms.ttl_ms * 3).max(1);
    let one_client = rng.per_mille(600).then_some(client);
    let one_node = rng.per_mille(700).then_some(node);
    // Faults of one node, or of all nodes at one time.
    let everywhere = rng.per_mille(300);
    let each = |fault: &dyn Fn(u8) -> Fault| {
        let struck = if everywhere { 0..nodes } else { node..node + 1 };
        struck.map(|node| ScheduledFault { at_ms, fault: fault(node) }).collect()
    };
    let far = i32::try_from(terms.ttl_ms * 2).unwrap_or(i32::MAX);
    let fault = match kind {
        0 => Fault::Lossy { client: one_client, node: one_node, per_mille: rng.between(50, 500), for_ms },
        1 => {
            let (extra_ms, tail_ms) = (rng.skewed(terms.node_timeout_ms * 2), rng.skewed(terms.ttl_ms * 2));
            Fault::Slow { client: one_client, node: one_node, extra_ms, tail_ms, for_ms }
        }
        2..=4 => {
            let direction = rng.pick(&[Direction::ToNode, Direction::ToClient, Direction::Both], Direction::Both);
            Fault::Partition {
                client: one_client,
                node: one_node,
                direction,
                delivers_after: rng.per_mille(600),
                for_ms,
            }
        }
        5 | 6 => Fault::Hang { node, for_ms },
        7..=9 => {
            let memory = rng.pick(&[Memory::Kept, Memory::Lost, Memory::Lost, Memory::Snapshot], Memory::Lost);
            let down_ms = rng.skewed(terms.ttl_ms);
            let crash = ScheduledFault { at_ms, fault: Fault::Crash { node, down_ms, memory } };
            let before = ScheduledFault { at_ms: at_ms - rng.skewed(at_ms), fault: Fault::Snapshot { node } };
            return if memory == Memory::Snapshot { vec![before, crash] } else { vec![crash] };
        }
        10 => Fault::Flush { node },
        11 => Fault::DropCounter { node, resource },
        12 => return each(&|node| Fault::Evict { node, resource }),
        13 => Fault::NodeClock { node, by_ms: rng.around_zero(far) },
        14 | 15 => Fault::Pause { client, for_ms },
        16 => Fault::Reboot { client, down_ms: rng.skewed(terms.ttl_ms) },
        17 => Fault::ClientClock { client, by_ms: rng.around_zero(far) },
        18 => {
            let after_ms = rng.pick(&[1, 2, 3, 5, 20], 2);
            return each(&|node| Fault::Evicting { node, after_ms, for_ms });
        }
        _ => Fault::SlowStore { by_ms: rng.skewed(terms.ttl_ms), for_ms },
    };
    vec![ScheduledFault { at_ms, fault }]
}
