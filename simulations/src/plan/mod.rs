//! [`Plan`]: everything that decides a run, as plain data. A plan is drawn from a seed and a profile, or written by
//! hand. Plans are replayed and shrunk: the same plan gives the same run. All times are milliseconds since the run
//! began.

mod by_hand;
mod check;
mod contention;
mod draw;
mod fault;
mod file;
mod foreign;
mod mixed;
mod profile;

use serde::{Deserialize, Serialize};

use crate::seeded_rng::SeededRng;

pub use check::PlanError;
pub use fault::{Direction, Fault, Memory, ScheduledFault};
pub use file::PlanFileError;
pub use foreign::{Foreign, ForeignSection, Knows};
pub use profile::{Profile, Scale};

/// The description of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The seed for deliveries of messages, jitter and holder ids.
    pub seed: u64,
    /// How leases are asked for.
    pub terms: Terms,
    /// What tasks of one process share.
    #[serde(default)]
    pub sharing: Sharing,
    /// What the nodes remember at the beginning of the run.
    pub bootstrap: Bootstrap,
    /// The nodes' clocks.
    pub nodes: Vec<ClockError>,
    /// By how much each node's counters are ahead at the beginning, where nodes are joined: earlier leases were granted
    /// by some and not by others.
    pub ahead: Vec<u8>,
    /// The clients and their sections.
    pub clients: Vec<Client>,
    /// Clients of another library, which lock the same keys. Their numbers follow those of the clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<Foreign>,
    /// The node whose vote is compulsory, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<u8>,
    /// How many resources there are.
    pub resources: u8,
    /// The network without faults.
    pub network: NetworkProfile,
    /// The faults.
    pub faults: Vec<ScheduledFault>,
    /// When all faults have ended; from here on the system has to recover.
    pub faults_end_ms: u32,
}

/// How leases are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The time to live.
    pub ttl_ms: u32,
    /// The longest time to live that a locker may ask for.
    pub max_ttl_ms: u32,
    /// How long a round waits for silent nodes.
    pub node_timeout_ms: u32,
    /// A connection whose requests have no answer for this long is dropped.
    pub response_timeout_ms: u32,
}

/// What tasks of one process share, and for how long it keeps a resource while others wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sharing {
    /// Whether leases pass from task to task in memory.
    pub hand_over: HandOver,
    /// The most sections of one turn.
    pub sections_max: u32,
    /// The longest time of one turn.
    pub turn_max_ms: u32,
}

/// To whom leases pass in memory; the library's own setting, as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum HandOver {
    /// Leases are not handed over.
    Off,
    /// Leases pass to tasks that waited when the nodes were asked.
    #[default]
    ToWaiters,
    /// Leases pass to any task: the order of tokens depends on the assumptions of X.
    WithoutOrder,
}

/// The default of the library.
impl Default for Sharing {
    fn default() -> Self {
        Self { hand_over: HandOver::default(), sections_max: 256, turn_max_ms: 10 }
    }
}

/// What the nodes remember at the beginning of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bootstrap {
    /// They are joined and awake.
    Done,
    /// They remember nothing and have been up for long: a new installation.
    LongUptime,
    /// They remember nothing and have just been started.
    JustStarted,
}

/// One machine's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockError {
    /// How far its wall clock is off.
    pub offset_ms: i32,
    /// How much faster than true time its clocks run, in parts per million.
    pub drift_ppm: i32,
}

/// One client: a process with one locker that its tasks share, which may pause or die.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Its clocks.
    pub clock: ClockError,
    /// How many tasks run the sections. Each takes the next one that is left.
    #[serde(default = "one")]
    pub tasks: u8,
    /// What it does, in order.
    pub sections: Vec<Section>,
}

const fn one() -> u8 {
    1
}

/// One acquire and what follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// The pause before it.
    pub think_ms: u32,
    /// Which resource.
    pub resource: u8,
    /// How long to try; 0 is one attempt.
    pub wait_ms: u32,
    /// The acquire is dropped after this time.
    pub cancel_ms: Option<u32>,
    /// What is done while the lease is held.
    pub operations: Vec<Operation>,
    /// How the lease is released.
    pub end: End,
}

/// Something done while a lease is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Time passes.
    Work {
        /// How long.
        ms: u32,
    },
    /// The holder checks the lease, the process is paused, and then the holder sends a write.
    Write {
        /// How long the process is paused between check and write.
        stall_ms: u32,
        /// How long the write is on its way.
        flight_ms: u32,
    },
    /// The process is paused.
    Stall {
        /// How long.
        ms: u32,
    },
    /// The holder extends by hand.
    Extend {
        /// The call is dropped after this time.
        cancel_ms: Option<u32>,
    },
}

/// How a lease is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Released.
    Release {
        /// The call is dropped after this time.
        cancel_ms: Option<u32>,
    },
    /// The guard is dropped.
    Drop,
}

/// The network without faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkProfile {
    /// The shortest and the longest usual time of a message.
    pub latency_ms: (u32, u32),
    /// How many messages in a thousand take much longer.
    pub tail_per_mille: u32,
    /// How long those take at most.
    pub tail_ms: u32,
    /// How many messages in a thousand break their connection.
    pub loss_per_mille: u32,
}

impl NetworkProfile {
    /// How long one message takes, in milliseconds.
    pub fn latency(&self, rng: &mut SeededRng) -> u32 {
        let (low, high) = self.latency_ms;
        let tail_ms = if rng.per_mille(self.tail_per_mille) { rng.between(0, self.tail_ms) } else { 0 };
        rng.between(low, high) + tail_ms
    }
}

impl Plan {
    /// How long after the end of the faults a client must have acquired at the latest. A node that forgot rests for
    /// `max_ttl`, and a lease ends with its TTL. The bound is twice both, and some seconds for probes and timeouts.
    #[must_use]
    pub fn recovers_within_ms(&self) -> u32 {
        let back = |fault: &ScheduledFault| match fault.fault {
            // A rest is measured by the node's clock: setting the clock back prolongs it.
            Fault::NodeClock { by_ms, .. } if by_ms < 0 => by_ms.unsigned_abs(),
            _ => 0,
        };
        let set_back: u32 = self.faults.iter().map(back).sum();
        2 * (self.terms.max_ttl_ms * 11 / 10 + self.terms.ttl_ms) + 5_000 + set_back
    }

    /// The size of the plan, which shrinking makes smaller.
    #[must_use]
    pub fn size(&self) -> usize {
        let sections = || self.clients.iter().flat_map(|client| &client.sections);
        self.faults.len()
            + self.clients.len()
            + self.foreign.iter().map(|foreign| 1 + foreign.sections.len()).sum::<usize>()
            + sections().count()
            + sections().map(|section| section.operations.len()).sum::<usize>()
    }
}
