//! [`Setup`]: what a world of waiting is made of, and the worlds that are searched.

use super::Mutant;

/// What a world is made of, and how often each thing may go wrong in it.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// How many nodes.
    pub nodes: usize,
    /// Whether the vote of the first node is compulsory.
    pub anchor: bool,
    /// How many processes want the lock, once each.
    pub processes: usize,
    /// Whether a process joins queues with its first attempt; if not, it first asks once without waiting.
    pub expected: bool,
    /// Whether the first process has the lock already when the others begin.
    pub held: bool,
    /// Whether replies arrive at once.
    pub prompt: bool,
    /// How many wakes may be lost.
    pub wakes_lost: u8,
    /// How many processes may die.
    pub deaths: u8,
    /// How many processes may pause for good.
    pub pauses: u8,
    /// How many processes may give up.
    pub leaves: u8,
    /// How many nodes may end for good, while a quorum lives.
    pub nodes_lost: u8,
    /// The most steps from the beginning, if the search is bounded.
    pub steps_max: Option<usize>,
    /// The wrong way to wait, if any.
    pub mutant: Option<Mutant>,
}

/// How deep worlds of three processes are searched.
const STEPS_MAX: usize = 15;

impl Setup {
    /// Nothing goes wrong.
    #[must_use]
    pub const fn well(nodes: usize, processes: usize) -> Self {
        Self {
            nodes,
            anchor: false,
            processes,
            expected: true,
            held: false,
            prompt: processes > 2,
            wakes_lost: 0,
            deaths: 0,
            pauses: 0,
            leaves: 0,
            nodes_lost: 0,
            steps_max: None,
            mutant: None,
        }
    }

    /// The worlds that are searched, and their names.
    #[must_use]
    pub fn searched() -> Vec<(&'static str, Self)> {
        let (two, three) = (Self { prompt: true, ..Self::well(3, 2) }, Self::well(2, 3));
        // Three processes make many states: these are searched up to a bound.
        let held = Self { held: true, steps_max: Some(STEPS_MAX), ..three };
        // The one on the anchor may ask any number of times while the other's messages are on their way.
        let anchored = Self { anchor: true, steps_max: Some(STEPS_MAX), ..two };
        vec![
            ("two wait, three nodes", two),
            ("two wait, three nodes, and ask once before they wait", Self { expected: false, ..two }),
            ("two wait, three nodes, one gives up", Self { leaves: 1, ..two }),
            ("two wait, three nodes, a wake is lost", Self { wakes_lost: 1, ..two }),
            ("two wait, three nodes, one dies", Self { deaths: 1, ..two }),
            ("two wait, three nodes, one is paused", Self { pauses: 1, ..two }),
            ("two wait, three nodes, an anchor", anchored),
            ("two wait, three nodes, an anchor, one gives up", Self { leaves: 1, ..anchored }),
            ("one holds, one waits, three nodes, a node is lost", Self { nodes_lost: 1, held: true, ..two }),
            ("one holds, two wait, two nodes", held),
            ("one holds, two wait, two nodes, one gives up", Self { leaves: 1, ..held }),
            ("one holds, two wait, two nodes, a wake is lost", Self { wakes_lost: 1, ..held }),
            ("one holds, two wait, two nodes, one dies", Self { deaths: 1, ..held }),
            ("one holds, two wait, two nodes, one is paused", Self { pauses: 1, ..held }),
        ]
    }

    /// The setups of [`Setup::searched`] that take less than a second.
    #[must_use]
    pub fn searched_quickly() -> Vec<(&'static str, Self)> {
        let mut setups = Self::searched();
        setups.retain(|(_, Setup { prompt, processes, held, leaves, deaths, .. })| {
            *prompt && *processes == 2 && !*held && leaves + deaths == 0
        });
        setups
    }

    /// The smallest world that shows what is wrong with `mutant`.
    #[must_use]
    pub const fn showing(mutant: Mutant) -> Self {
        let setup = Self { mutant: Some(mutant), prompt: true, ..Self::well(2, 2) };
        match mutant {
            Mutant::WakeIsLost | Mutant::SilentRollback => setup,
            Mutant::DeadHeadIsNext => Self { deaths: 1, processes: 3, held: true, ..setup },
            Mutant::ReservationWithoutEnd => Self { deaths: 1, processes: 3, held: true, ..setup },
            Mutant::LeaveIgnored => Self { leaves: 1, ..setup },
            Mutant::OrdersDiffer => Self { processes: 3, held: true, ..setup },
        }
    }
}
