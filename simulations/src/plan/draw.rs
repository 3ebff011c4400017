//! Draws plans from seeds.

use super::{Act, Air, Blow, Client, End, Fault, Founding, HandOver, Machine, Memory};
use super::{Plan, Profile, Scale, Sharing, Terms, Turn, Way};
use crate::seeded_rng::Dice;

/// How far clocks run apart at most: two of these are within the locker's allowance of 1 %.
const DRIFT_PPM_MAX: i32 = 4_000;

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn draw(seed: u64, profile: Profile, scale: Scale) -> Self {
        if profile == Profile::Crowd {
            return super::contention::draw(seed, scale);
        }
        let mut dice = Dice::of(seed);
        let dice = &mut dice;
        let terms = terms(dice);
        let nodes = scale.nodes.unwrap_or_else(|| dice.pick(&[3, 3, 3, 5, 5, 4, 2, 1, 7], 3));
        let clients = scale.clients.unwrap_or_else(|| dice.pick(&[2, 2, 3, 3, 4, 5, 8], 3));
        let resources = dice.pick(&[1, 1, 1, 2], 1);
        let span = (terms.ttl_ms * dice.pick(&[1, 2, 3, 4], 2)).clamp(500, 4_000);
        let faults_max = profile.faults_max();
        let faults = match faults_max {
            0 => 0,
            most => dice.between(1, most),
        };
        let palette = palette(dice);
        let mut faults: Vec<Fault> = (0..faults)
            .flat_map(|_| {
                let (at_ms, kind) = (dice.between(0, span), dice.pick(&palette, 0));
                fault(dice, kind, at_ms, terms, (nodes, clients, resources))
            })
            .collect();
        faults.sort_by_key(|fault| fault.at_ms);
        let wild = profile != Profile::Calm;
        // In some runs all clocks run apart as far as they may: holders slow, nodes fast.
        let (slow, fast) = match wild && dice.per_mille(150) {
            true => (Some(-DRIFT_PPM_MAX), Some(DRIFT_PPM_MAX)),
            false => (None, None),
        };
        Self {
            seed: dice.bits(),
            terms,
            sharing: sharing(dice),
            founding: match dice.below(20) {
                0 => Founding::JustStarted,
                1..=3 => Founding::UpForLong,
                _ => Founding::Done,
            },
            nodes: (0..nodes).map(|_| machine(dice, wild, fast)).collect(),
            ahead: (0..nodes).map(|_| if wild { dice.pick(&[0, 0, 1, 2, 3], 0) } else { 0 }).collect(),
            clients: (0..clients).map(|_| client(dice, (wild, slow), terms, span, resources)).collect(),
            resources,
            air: air(dice, profile, terms),
            faults,
            calm_at_ms: span,
        }
    }
}

fn terms(dice: &mut Dice) -> Terms {
    let ttl_ms = dice.pick(&[100, 200, 300, 500, 500, 1_000, 2_000, 6_000], 500);
    Terms {
        ttl_ms,
        max_ttl_ms: (ttl_ms * dice.pick(&[1, 2, 4], 2)).max(500),
        node_timeout_ms: dice.pick(&[ttl_ms / 4, ttl_ms / 8, ttl_ms / 2], ttl_ms / 4).clamp(10, 250),
        response_timeout_ms: dice.pick(&[1_000, 300], 1_000),
    }
}

fn machine(dice: &mut Dice, wild: bool, drift_ppm: Option<i32>) -> Machine {
    if let Some(drift_ppm) = drift_ppm {
        return Machine { offset_ms: 0, drift_ppm };
    }
    if !wild || dice.per_mille(300) {
        return Machine { offset_ms: 0, drift_ppm: 0 };
    }
    Machine { offset_ms: dice.around_zero(400), drift_ppm: dice.around_zero(DRIFT_PPM_MAX) }
}

fn air(dice: &mut Dice, profile: Profile, terms: Terms) -> Air {
    let low = dice.pick(&[0, 1, 1, 2], 1);
    let mut air =
        Air { latency_ms: (low, low + dice.pick(&[0, 1, 2, 5], 1)), tail_per_mille: 0, tail_ms: 0, loss_per_mille: 0 };
    if profile != Profile::Calm {
        air.tail_per_mille = dice.pick(&[0, 5, 20, 100], 5);
        air.tail_ms = dice.pick(&[terms.node_timeout_ms, terms.ttl_ms / 2, terms.ttl_ms * 2], 100);
        air.loss_per_mille = dice.pick(&[0, 2, 10, 50], 2);
    }
    air
}

/// The terms of sharing: turns are short, so that their ends are met as well.
fn sharing(dice: &mut Dice) -> Sharing {
    let kinds = [HandOver::Off, HandOver::ToThoseWhoWaited, HandOver::ToThoseWhoWaited, HandOver::ToAnybody];
    Sharing {
        hand_over: dice.pick(&kinds, HandOver::default()),
        sections_max: dice.pick(&[1, 2, 3, 5, 256], 256),
        turn_max_ms: dice.pick(&[1, 10, 100, 1_000], 10),
    }
}

fn client(dice: &mut Dice, (wild, drift_ppm): (bool, Option<i32>), terms: Terms, span: u32, resources: u8) -> Client {
    let machine = machine(dice, wild, drift_ppm);
    let tasks = dice.pick(&[1, 1, 2, 3, 5], 1);
    let turns = dice.between(1, 4).max(u32::from(tasks)) + if tasks > 1 { dice.between(0, 4) } else { 0 };
    let turns = (0..turns).map(|_| turn(dice, wild, terms, (span, tasks), resources)).collect();
    Client { machine, tasks, turns }
}

fn turn(dice: &mut Dice, wild: bool, terms: Terms, (span, tasks): (u32, u8), resources: u8) -> Turn {
    let acts = dice.between(0, 4);
    let shared = tasks > 1;
    Turn {
        // Tasks of one process meet each other often.
        think_ms: dice.skewed(if shared { span / 6 } else { span / 3 }),
        resource: u8::try_from(dice.below(u64::from(resources))).unwrap_or_default(),
        wait_ms: match shared {
            true => dice.pick(&[0, terms.ttl_ms / 2, terms.ttl_ms, terms.ttl_ms * 2, terms.ttl_ms * 4], terms.ttl_ms),
            false => dice.pick(&[0, 0, terms.ttl_ms, terms.ttl_ms * 2], 0),
        },
        // Also while it waits for others of its process.
        cancel_ms: (wild && dice.per_mille(150))
            .then(|| dice.skewed(if shared { terms.ttl_ms } else { terms.node_timeout_ms })),
        acts: (0..acts).map(|_| act(dice, wild, terms)).collect(),
        end: match dice.below(if wild { 6 } else { 2 }) {
            0 => End::Drop,
            1 if wild => End::Release { cancel_ms: Some(dice.skewed(20)) },
            _ => End::Release { cancel_ms: None },
        },
    }
}

fn act(dice: &mut Dice, wild: bool, terms: Terms) -> Act {
    match dice.below(10) {
        0..=4 => Act::Write {
            stall_ms: if wild && dice.per_mille(250) { dice.skewed(terms.ttl_ms * 2) } else { 0 },
            flight_ms: if wild && dice.per_mille(250) { dice.skewed(terms.ttl_ms * 2) } else { dice.between(0, 3) },
        },
        5 if wild => Act::Stall { ms: dice.skewed(terms.ttl_ms * 2) },
        6 => Act::Extend { cancel_ms: (wild && dice.per_mille(300)).then(|| dice.skewed(20)) },
        _ => Act::Work { ms: dice.skewed(terms.ttl_ms) },
    }
}

/// The kinds of faults, as [`fault`] numbers them.
const KINDS: u64 = 20;

/// The kinds of faults of one run: all of them, or a few, so that each kind meets itself and few others.
fn palette(dice: &mut Dice) -> Vec<u64> {
    match dice.below(3) {
        0 => (0..KINDS).collect(),
        _ => (0..dice.between(1, 4)).map(|_| dice.below(KINDS)).collect(),
    }
}

/// One fault; some come with what makes them bite.
fn fault(
    dice: &mut Dice,
    kind: u64,
    at_ms: u32,
    terms: Terms,
    (nodes, clients, resources): (u8, u8, u8),
) -> Vec<Fault> {
    let node = u8::try_from(dice.below(u64::from(nodes))).unwrap_or_default();
    let client = u8::try_from(dice.below(u64::from(clients))).unwrap_or_default();
    let resource = u8::try_from(dice.below(u64::from(resources))).unwrap_or_default();
    let for_ms = dice.skewed(terms.ttl_ms * 3).max(1);
    let one_client = dice.per_mille(600).then_some(client);
    let one_node = dice.per_mille(700).then_some(node);
    // What strikes one node, or all of them at one time.
    let everywhere = dice.per_mille(300);
    let each = |blow: &dyn Fn(u8) -> Blow| {
        let struck = if everywhere { 0..nodes } else { node..node + 1 };
        struck.map(|node| Fault { at_ms, blow: blow(node) }).collect()
    };
    let far = i32::try_from(terms.ttl_ms * 2).unwrap_or(i32::MAX);
    let blow = match kind {
        0 => Blow::Lossy { client: one_client, node: one_node, per_mille: dice.between(50, 500), for_ms },
        1 => {
            let (extra_ms, tail_ms) = (dice.skewed(terms.node_timeout_ms * 2), dice.skewed(terms.ttl_ms * 2));
            Blow::Slow { client: one_client, node: one_node, extra_ms, tail_ms, for_ms }
        }
        2..=4 => {
            let way = dice.pick(&[Way::There, Way::Back, Way::Both], Way::Both);
            Blow::Cut { client: one_client, node: one_node, way, arrives_after: dice.per_mille(600), for_ms }
        }
        5 | 6 => Blow::Hang { node, for_ms },
        7..=9 => {
            let memory = dice.pick(&[Memory::Kept, Memory::Lost, Memory::Lost, Memory::Snapshot], Memory::Lost);
            let down_ms = dice.skewed(terms.ttl_ms);
            let crash = Fault { at_ms, blow: Blow::Crash { node, down_ms, memory } };
            let before = Fault { at_ms: at_ms - dice.skewed(at_ms), blow: Blow::Snapshot { node } };
            return if memory == Memory::Snapshot { vec![before, crash] } else { vec![crash] };
        }
        10 => Blow::Flush { node },
        11 => Blow::DropCounter { node, resource },
        12 => return each(&|node| Blow::Evict { node, resource }),
        13 => Blow::NodeClock { node, by_ms: dice.around_zero(far) },
        14 | 15 => Blow::Pause { client, for_ms },
        16 => Blow::Reboot { client, down_ms: dice.skewed(terms.ttl_ms) },
        17 => Blow::ClientClock { client, by_ms: dice.around_zero(far) },
        18 => {
            let after_ms = dice.pick(&[1, 2, 3, 5, 20], 2);
            return each(&|node| Blow::Evicting { node, after_ms, for_ms });
        }
        _ => Blow::SlowStore { by_ms: dice.skewed(terms.ttl_ms), for_ms },
    };
    vec![Fault { at_ms, blow }]
}
