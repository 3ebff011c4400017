//! One error a verb; each variant answers "what now?" and carries the evidence.

use std::time::Duration;

use crate::protocol::{Defeat, Fault, LossCause, Votes};
use crate::{HolderError, ResourceError};

/// Why a locker cannot be built from its configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No node was named.
    #[error("no node was named: give at least one URL, five for a lock that survives two failures")]
    NoNodes,
    /// More nodes than a set may have.
    #[error("{count} nodes are too many: a set has at most {most}", most = crate::NodeId::COUNT_MAX)]
    TooManyNodes {
        /// How many were named.
        count: usize,
    },
    /// A URL names no server.
    #[cfg(feature = "redis")]
    #[error("node {position}: {reason}")]
    Address {
        /// Which of the URLs, from 1.
        position: usize,
        /// What is wrong with it.
        reason: crate::node::redis::AddressError,
    },
    /// Two URLs name one server: that is one node, not two.
    #[error("nodes {first} and {second} are the same server, {address}: a quorum needs servers that fail apart")]
    SameServer {
        /// The one, from 1.
        first: usize,
        /// The other, from 1.
        second: usize,
        /// The server's address.
        address: String,
    },
    /// Two URLs name different databases. A locker that names them the other way round would exclude nobody here.
    #[error(
        "node {first} is database {first_database} and node {second} is database {second_database}: write the same number \
         behind every host, in every locker of these nodes; lockers in different databases exclude nobody"
    )]
    Databases {
        /// The one, from 1.
        first: usize,
        /// Its database.
        first_database: i64,
        /// The other, from 1.
        second: usize,
        /// Its database.
        second_database: i64,
    },
    /// A node could not be opened.
    #[cfg(feature = "redis")]
    #[error(transparent)]
    Open(#[from] crate::node::redis::OpenError),
    /// A prefix that keys cannot begin with.
    #[error("the prefix {0:?} cannot be used: 1 to 64 letters, digits, '_', '-', '.' or ':'")]
    Prefix(String),
    /// The label of holders cannot be used.
    #[error("the label cannot be used: {0}")]
    Label(HolderError),
    /// The time to live leaves nothing to rely on.
    #[error(
        "a time to live of {ttl:?} is too short for a node timeout of {node_timeout:?}: at least {least:?}, or a shorter node timeout"
    )]
    TtlTooShort {
        /// What was asked for.
        ttl: Duration,
        /// The node timeout.
        node_timeout: Duration,
        /// The least that makes sense with it.
        least: Duration,
    },
    /// The time to live would block everybody for very long after a crash.
    #[error(
        "a time to live of {ttl:?} is too long, at most {most:?}: renewal keeps a short one alive for as long as you need it"
    )]
    TtlTooLong {
        /// What was asked for.
        ttl: Duration,
        /// The most.
        most: Duration,
    },
    /// The time to live is above the longest that a node which forgot rests for.
    #[error(
        "a time to live of {ttl:?} is above max_ttl, {max_ttl:?}: raise max_ttl (`--max-ttl` on the command line) in every locker of these nodes (it is how \
         long a node that forgot its locks stays out), or shorten the time to live; renewal keeps a short one alive"
    )]
    TtlAboveMax {
        /// What was asked for.
        ttl: Duration,
        /// The longest.
        max_ttl: Duration,
    },
    /// A node that forgot would stay out for very long.
    #[error(
        "a max_ttl of {max_ttl:?} is too long, at most {most:?}: it is how long a node that forgot its locks stays out"
    )]
    MaxTtlTooLong {
        /// What was asked for.
        max_ttl: Duration,
        /// The most.
        most: Duration,
    },
    /// A time-out of no length.
    #[error("a {0} of no time at all makes every node fail: leave it out, or make it longer than a round trip")]
    NoTime(&'static str),
    /// Servers answer in real time, and the program's time stands still.
    #[error(
        "tokio's clock is paused, so every time-out falls due before a server can answer: connect after tokio::time::resume(), \
         or test with embedded nodes"
    )]
    PausedClock,
    /// No acquire could ever succeed.
    #[error("min_validity {min_validity:?} can never be met: a new lease is valid for {validity:?} at most")]
    MinValidityTooLong {
        /// What was asked for.
        min_validity: Duration,
        /// What a lease has.
        validity: Duration,
    },
    /// Every lease would end before it is of use.
    #[error(
        "max_hold {max_hold:?} is shorter than the validity that a new lease must have, {min_validity:?}: raise it or shorten the time to live"
    )]
    MaxHoldTooShort {
        /// What was asked for.
        max_hold: Duration,
        /// The least validity.
        min_validity: Duration,
    },
    /// Clocks that differ so much are broken.
    #[error("a drift of {ppm} parts per million is too large, at most {most}: set the clocks right")]
    DriftTooLarge {
        /// What was asked for.
        ppm: u32,
        /// The most.
        most: u32,
    },
}

/// Why a locker could not be connected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The configuration contradicts itself.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Two URLs lead to one server, whatever they are called: three names of one server are no quorum.
    #[error("{first} and {second} are the same server: a quorum needs servers that fail apart")]
    SameServer {
        /// The address of the one.
        first: String,
        /// The address of the other.
        second: String,
    },
    /// So few nodes can be reached that no quorum is there.
    #[error("no quorum: {reached} of {nodes} nodes could be reached, {needed} are needed; {}", list(.unreachable))]
    NoQuorum {
        /// How many could be reached.
        reached: usize,
        /// How many there are.
        nodes: usize,
        /// How many are needed.
        needed: usize,
        /// The others' addresses, and why.
        unreachable: Vec<(String, Fault)>,
    },
}

fn list(unreachable: &[(String, Fault)]) -> String {
    let parts: Vec<_> = unreachable.iter().map(|(address, fault)| format!("{address}: {fault}")).collect();
    parts.join("; ")
}

/// Why no lease was acquired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// The name of the resource cannot be used.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// Somebody else holds the resource, or contenders split the votes. The nodes are well: try later.
    #[error("held by another after {} in {waited:.1?}: {}{}", times(*.attempts), .votes.contention(), before(.votes))]
    Contended {
        /// Every node's vote at the last attempt.
        votes: Votes,
        /// How many attempts were made.
        attempts: u32,
        /// From the call to the end of the last attempt.
        waited: Duration,
    },
    /// Too many nodes do not answer or answer with errors. No task can acquire until that is put right.
    #[error("no quorum after {} in {waited:.1?}: {votes}", times(*.attempts))]
    NoQuorum {
        /// Every node's vote at the last attempt.
        votes: Votes,
        /// How many attempts were made.
        attempts: u32,
        /// From the call to the end of the last attempt.
        waited: Duration,
    },
    /// Too many nodes answered too late to count: they have too much to do. Ask less often, or give them more to work with.
    #[error(
        "overloaded: {late} of {nodes} nodes answer after {took:.1?}, and {allowed:.1?} are allowed; {} in {waited:.1?}",
        times(*.attempts), nodes = .votes.iter().count()
    )]
    Overloaded {
        /// How many nodes answered too late.
        late: usize,
        /// How long the slowest of their last answers took.
        took: Duration,
        /// How long nodes may take: the node timeout.
        allowed: Duration,
        /// Every node's vote at the last attempt.
        votes: Votes,
        /// How many attempts were made.
        attempts: u32,
        /// From the call to the end of the last attempt.
        waited: Duration,
    },
    /// A quorum granted, too late to rely on it.
    #[error(
        "quorum reached but too late: took {took:.1?} of {ttl:?}, {left:.1?} of validity were left and {min_validity:.1?} are required"
    )]
    TooSlow {
        /// From before the first request to the last reply that was needed.
        took: Duration,
        /// The time to live that was asked for.
        ttl: Duration,
        /// The validity that was left.
        left: Duration,
        /// The validity that must be left.
        min_validity: Duration,
        /// Every node's vote.
        votes: Votes,
        /// How many attempts were made.
        attempts: u32,
        /// From the call to the end of the last attempt.
        waited: Duration,
    },
}

fn times(attempts: u32) -> String {
    if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") }
}

/// How many wait before the call that ends, as most nodes know.
fn before(votes: &Votes) -> String {
    match votes.place() {
        Some(place @ 1..) => format!("; {place} wait before it"),
        _ => String::new(),
    }
}

impl AcquireError {
    pub(crate) fn from_defeat(defeat: Defeat, terms: crate::protocol::Terms, attempts: u32, waited: Duration) -> Self {
        match defeat {
            Defeat::Contended(votes) => Self::Contended { votes, attempts, waited },
            Defeat::NoQuorum(votes) => Self::NoQuorum { votes, attempts, waited },
            Defeat::TooSlow { took, left, votes } => {
                let crate::protocol::Terms { ttl, min_validity, .. } = terms;
                Self::TooSlow { took, ttl, left, min_validity, votes, attempts, waited }
            }
        }
    }

    /// Every node's vote at the last attempt, if one was made.
    #[must_use]
    pub const fn votes(&self) -> Option<&Votes> {
        match self {
            Self::Resource(_) => None,
            Self::Contended { votes, .. }
            | Self::NoQuorum { votes, .. }
            | Self::Overloaded { votes, .. }
            | Self::TooSlow { votes, .. } => Some(votes),
        }
    }
}

/// Why a lease was not extended.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ExtendError {
    /// The lease is over; acquire a new one, with a new token.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// Too few nodes answered to know. The lease lives as long as it did; another try may succeed.
    #[error("not extended, no quorum: {votes}")]
    NoQuorum {
        /// Every node's vote.
        votes: Votes,
    },
    /// A quorum extended, too late to rely on it. Another try may succeed.
    #[error("not extended, the quorum came too late: took {took:.1?} of {ttl:?}")]
    TooSlow {
        /// From before the first request to the last reply that was needed.
        took: Duration,
        /// The time to live.
        ttl: Duration,
    },
}

/// The lease is over: whatever it protected must not be touched any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the lease is lost: {cause}")]
#[non_exhaustive]
pub struct Lost {
    /// Why.
    pub cause: LossCause,
}

/// Why a protected body did not run to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WithLockError {
    /// The body never ran.
    #[error(transparent)]
    Acquire(#[from] AcquireError),
    /// The lease was lost and the body was cancelled at its current await point.
    #[error("the body was cancelled: {0}")]
    Lost(#[from] Lost),
}

/// Why nodes were not initialized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// Some node could not be asked, and it may remember something.
    #[error(
        "{node} cannot be asked whether it remembers anything: {fault}; an installation is initialized with all of its nodes"
    )]
    Unseen {
        /// Its address.
        node: String,
        /// Why.
        fault: Fault,
    },
    /// Counters start at the clock, and neither the node's nor this machine's is set.
    #[error("{node} cannot take part: {fault}")]
    ClockUnset {
        /// Its address.
        node: String,
        /// What the clocks show.
        fault: Fault,
    },
    /// Some node lost its memory, and it or another took part before, so this is no new installation.
    #[error(
        "{node} took part before, or others did, and may have forgotten locks: this is no new installation. Wait: it takes \
         part by itself in {} at most",
        crate::printable::whole_seconds(*.rest)
    )]
    NotNew {
        /// Its address.
        node: String,
        /// How long a node that forgot rests.
        rest: Duration,
    },
}
