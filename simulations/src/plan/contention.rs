//! Draws the plans of [`Profile::Crowd`](super::Profile::Crowd): many clients want one lock, hold it for moments, and give up, die or stand still
//! while they wait. Nodes and network are well.

use super::{Act, Air, Blow, Client, End, Fault, Founding, Machine, Plan, Scale, Sharing, Terms, Turn};
use crate::seeded_rng::Dice;

/// For how long clients are disturbed.
const SPAN_MS: u32 = 1_500;
const RIGHT: Machine = Machine { offset_ms: 0, drift_ppm: 0 };

/// What becomes of the clients of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// They wait until they are served.
    Patient,
    /// Some give up while they wait.
    Hasty,
    /// Some die, some stand still.
    Struck,
}

/// The plan of a seed.
pub(super) fn draw(seed: u64, scale: Scale) -> Plan {
    let mut dice = Dice::of(seed);
    let dice = &mut dice;
    let fate = dice.pick(&[Fate::Patient, Fate::Hasty, Fate::Struck, Fate::Struck], Fate::Struck);
    let nodes = scale.nodes.unwrap_or_else(|| dice.pick(&[3, 3, 5, 4, 2, 1], 3));
    let clients = scale.clients.unwrap_or_else(|| dice.pick(&[5, 6, 8, 12], 6));
    let ttl_ms = dice.pick(&[1_000, 2_000, 6_000], 2_000);
    let low = dice.pick(&[0, 1, 1, 2], 1);
    let faults = if fate == Fate::Struck { dice.between(1, 2 * u32::from(clients)) } else { 0 };
    let mut faults: Vec<Fault> = (0..faults).map(|_| fault(dice, clients)).collect();
    faults.sort_by_key(|fault| fault.at_ms);
    Plan {
        seed: dice.bits(),
        terms: Terms { ttl_ms, max_ttl_ms: ttl_ms, node_timeout_ms: 250, response_timeout_ms: 1_000 },
        sharing: Sharing::default(),
        founding: Founding::Done,
        nodes: vec![RIGHT; usize::from(nodes)],
        ahead: vec![0; usize::from(nodes)],
        clients: (0..clients).map(|_| client(dice, fate, ttl_ms)).collect(),
        resources: 1,
        air: Air {
            latency_ms: (low, low + dice.pick(&[0, 1, 2], 1)),
            tail_per_mille: 0,
            tail_ms: 0,
            loss_per_mille: 0,
        },
        faults,
        calm_at_ms: SPAN_MS,
    }
}

fn client(dice: &mut Dice, fate: Fate, ttl_ms: u32) -> Client {
    let turns = (0..dice.between(3, 8)).map(|_| turn(dice, fate, ttl_ms)).collect();
    Client { machine: RIGHT, tasks: 1, turns }
}

fn turn(dice: &mut Dice, fate: Fate, ttl_ms: u32) -> Turn {
    let hasty = fate == Fate::Hasty && dice.per_mille(400);
    Turn {
        think_ms: dice.skewed(60),
        resource: 0,
        wait_ms: if hasty { dice.between(1, 60) } else { 2 * ttl_ms },
        cancel_ms: (fate == Fate::Hasty && dice.per_mille(200)).then(|| dice.between(1, 60)),
        // Now and then a holder stands still for longer than its lease lives, or dies with it.
        acts: match fate == Fate::Struck && dice.per_mille(10) {
            true => vec![Act::Stall { ms: dice.between(1, 2 * ttl_ms) }],
            false => vec![Act::Work { ms: dice.between(1, 8) }],
        },
        end: if dice.per_mille(300) { End::Drop } else { End::Release { cancel_ms: None } },
    }
}

fn fault(dice: &mut Dice, clients: u8) -> Fault {
    let client = u8::try_from(dice.below(u64::from(clients))).unwrap_or_default();
    let blow = match dice.below(3) {
        0 => Blow::Pause { client, for_ms: 1 + dice.skewed(300) },
        _ => Blow::Reboot { client, down_ms: 1 + dice.skewed(100) },
    };
    Fault { at_ms: dice.between(0, SPAN_MS / 3), blow }
}
