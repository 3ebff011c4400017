//! The errors: one type for each call. Each variant says what happened, with the evidence.

use std::time::Duration;

use crate::protocol::{Defeat, Fault, LossCause, Quorum, Votes};
use crate::{HolderError, Occupant, ResourceError};

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
    /// The anchor is none of the nodes.
    ///
    /// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
    #[error("node {position} cannot be the anchor, because there are {nodes} nodes: name one of them")]
    NoSuchAnchor {
        /// Which node was named, from 1.
        position: usize,
        /// How many nodes there are.
        nodes: usize,
    },
    /// A URL is not an address of a server.
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
    /// Two URLs name different databases. Lockers that name them in another order would not exclude each other.
    #[error(
        "node {first} is database {first_database} and node {second} is database {second_database}: write the same number \
         behind every host, in every locker of these nodes; lockers in different databases do not exclude each other"
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
    /// A key style that keys cannot have.
    ///
    /// **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
    #[cfg(feature = "redis")]
    #[error(transparent)]
    KeyStyle(#[from] crate::node::redis::KeyStyleError),
    /// The label of holders cannot be used.
    #[error("the label cannot be used: {0}")]
    Label(HolderError),
    /// A lock that does nothing has no nodes.
    #[error(
        "a lock that does nothing (Builder::no_op) has no nodes: leave out no_op() so that leases exclude others, or leave out \
         nodes and URLs and call build()"
    )]
    NoOpWithNodes,
    /// The time to live leaves no validity.
    #[error(
        "a time to live of {ttl:?} is too short for a node timeout of {node_timeout:?}: at least {least:?}, or a shorter node timeout"
    )]
    TtlTooShort {
        /// The time to live that was asked for.
        ttl: Duration,
        /// The node timeout.
        node_timeout: Duration,
        /// The least time to live for that node timeout.
        least: Duration,
    },
    /// The time to live would block all other processes very long after a crash.
    #[error(
        "a time to live of {ttl:?} is too long, at most {most:?}: renewal keeps a short one alive for as long as you need it"
    )]
    TtlTooLong {
        /// The time to live that was asked for.
        ttl: Duration,
        /// The greatest time to live.
        most: Duration,
    },
    /// The time to live is above `max_ttl`, the time for which a node that forgot rests.
    #[error(
        "a time to live of {ttl:?} is above max_ttl, {max_ttl:?}: raise max_ttl (`--max-ttl` on the command line) in every locker of these nodes (it is how \
         long a node that forgot its locks stays out), or shorten the time to live; renewal keeps a short one alive"
    )]
    TtlAboveMax {
        /// The time to live that was asked for.
        ttl: Duration,
        /// The longest.
        max_ttl: Duration,
    },
    /// A node that forgot would rest very long.
    #[error(
        "a max_ttl of {max_ttl:?} is too long, at most {most:?}: it is how long a node that forgot its locks stays out"
    )]
    MaxTtlTooLong {
        /// The `max_ttl` that was asked for.
        max_ttl: Duration,
        /// The greatest `max_ttl`.
        most: Duration,
    },
    /// A time-out of zero.
    #[error("a {0} of no time at all makes every node fail: leave it out, or make it longer than a round trip")]
    NoTime(&'static str),
    /// Tokio's clock is paused, but servers answer in real time.
    #[error(
        "tokio's clock is paused, so every time-out falls due before a server can answer: connect after tokio::time::resume(), \
         or test with embedded nodes"
    )]
    PausedClock,
    /// No acquire could ever succeed.
    #[error("min_validity {min_validity:?} can never be met: a new lease is valid for {validity:?} at most")]
    MinValidityTooLong {
        /// The `min_validity` that was asked for.
        min_validity: Duration,
        /// The validity of a new lease.
        validity: Duration,
    },
    /// Every lease would end before it is useful.
    #[error(
        "max_hold {max_hold:?} is shorter than the validity that a new lease must have, {min_validity:?}: raise it or shorten the time to live"
    )]
    MaxHoldTooShort {
        /// The `max_hold` that was asked for.
        max_hold: Duration,
        /// The least validity.
        min_validity: Duration,
    },
    /// Only broken clocks differ so much.
    #[error("a drift of {ppm} parts per million is too large, at most {most}: set the clocks right")]
    DriftTooLarge {
        /// The drift that was asked for.
        ppm: u32,
        /// The greatest drift.
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
    /// Two URLs lead to one server under different names. Three names of one server are not a quorum.
    #[error("{first} and {second} are the same server: a quorum needs servers that fail apart")]
    SameServer {
        /// The address of the one.
        first: String,
        /// The address of the other.
        second: String,
    },
    /// Too few nodes can be reached for a quorum.
    #[error(
        "no quorum: {reached} of {nodes} nodes could be reached, {needed} are needed{}; {}", among_them(.anchor), list(.unreachable)
    )]
    NoQuorum {
        /// How many could be reached.
        reached: usize,
        /// How many there are.
        nodes: usize,
        /// How many are needed.
        needed: usize,
        /// The address of the anchor, if it could not be reached. No quorum is without it.
        anchor: Option<String>,
        /// The addresses of the other nodes, and why they could not be reached.
        unreachable: Vec<(String, Fault)>,
    },
}

fn among_them(anchor: &Option<String>) -> String {
    anchor.as_ref().map(|anchor| format!(", among them the anchor, {anchor}")).unwrap_or_default()
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
    /// Another holder has the resource, or contenders split the votes. The nodes work: try later.
    #[error("held by another after {} in {waited:.1?}: {}{}", times(*.attempts), .votes.contention(), before(.votes))]
    Contended {
        /// Every node's vote at the last attempt.
        votes: Votes,
        /// How many attempts were made.
        attempts: u32,
        /// The time from the call to the end of the last attempt.
        waited: Duration,
    },
    /// Another program holds the lock without a time to live, on so many nodes that no quorum is left. Such a lock never
    /// ends by itself. If the other program has crashed, waiting is in vain.
    #[error(
        "held without a time to live by {occupant}, it never ends by itself: after {} in {waited:.1?}; let the program that \
         holds it release it, or, if it is certain that the program has ended, delete the lock's key on every node",
        times(*.attempts)
    )]
    HeldWithoutTtl {
        /// What most of these nodes store.
        occupant: Occupant,
        /// Every node's vote at the last attempt.
        votes: Votes,
        /// How many attempts were made.
        attempts: u32,
        /// The time from the call to the end of the last attempt.
        waited: Duration,
    },
    /// Too many nodes do not answer, or answer with errors. No task can acquire until that is fixed.
    #[error("no quorum after {} in {waited:.1?}: {votes}", times(*.attempts))]
    NoQuorum {
        /// Every node's vote at the last attempt.
        votes: Votes,
        /// How many attempts were made.
        attempts: u32,
        /// The time from the call to the end of the last attempt.
        waited: Duration,
    },
    /// Too many nodes replied too late to count: they are overloaded. Ask less often, or give the nodes more
    /// resources.
    #[error(
        "overloaded: {late} of {nodes} nodes answer after {took:.1?}, and {allowed:.1?} are allowed; {} in {waited:.1?}",
        times(*.attempts), nodes = .votes.iter().count()
    )]
    Overloaded {
        /// How many nodes answered too late.
        late: usize,
        /// How long the slowest of their last replies took.
        took: Duration,
        /// How long a node may take: the node timeout.
        allowed: Duration,
        /// Every node's vote at the last attempt.
        votes: Votes,
        /// How many attempts were made.
        attempts: u32,
        /// The time from the call to the end of the last attempt.
        waited: Duration,
    },
    /// A quorum granted, but too late to rely on it.
    #[error(
        "quorum reached but too late: took {took:.1?} of {ttl:?}, {left:.1?} of validity were left and {min_validity:.1?} are required"
    )]
    TooSlow {
        /// The time from before the first request to the last reply that was needed.
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
        /// The time from the call to the end of the last attempt.
        waited: Duration,
    },
}

fn times(attempts: u32) -> String {
    if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") }
}

/// How many waiters are before the call that ends, according to most nodes.
fn before(votes: &Votes) -> String {
    match votes.place() {
        Some(place @ 1..) => format!("; {place} wait before it"),
        _ => String::new(),
    }
}

impl AcquireError {
    pub(crate) fn from_defeat(
        defeat: Defeat,
        (quorum, terms): (Quorum, crate::protocol::Terms),
        attempts: u32,
        waited: Duration,
    ) -> Self {
        match defeat {
            Defeat::Contended(votes) => match votes.occupant_without_ttl(quorum).cloned() {
                Some(occupant) => Self::HeldWithoutTtl { occupant, votes, attempts, waited },
                None => Self::Contended { votes, attempts, waited },
            },
            Defeat::NoQuorum(votes) => Self::NoQuorum { votes, attempts, waited },
            Defeat::TooSlow { took, left, votes } => {
                let crate::protocol::Terms { ttl, min_validity, .. } = terms;
                Self::TooSlow { took, ttl, left, min_validity, votes, attempts, waited }
            }
        }
    }

    /// Whether others have the lock, with or without a time to live.
    pub(crate) const fn is_held(&self) -> bool {
        matches!(self, Self::Contended { .. } | Self::HeldWithoutTtl { .. })
    }

    /// Every node's vote at the last attempt, if one was made.
    #[must_use]
    pub const fn votes(&self) -> Option<&Votes> {
        match self {
            Self::Resource(_) => None,
            Self::Contended { votes, .. }
            | Self::HeldWithoutTtl { votes, .. }
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
    /// The name of the resource cannot be used.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// The lease is over; acquire a new one, with a new token.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// Too few nodes answered to know. The lease lives as long as before; another attempt may succeed.
    #[error("not extended, no quorum: {votes}")]
    NoQuorum {
        /// Every node's vote.
        votes: Votes,
    },
    /// A quorum extended the lease, but too late to rely on it. Another attempt may succeed.
    #[error("not extended, the quorum came too late: took {took:.1?} of {ttl:?}")]
    TooSlow {
        /// The time from before the first request to the last reply that was needed.
        took: Duration,
        /// The time to live.
        ttl: Duration,
    },
}

/// Why a lease was not resumed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// The lease was acquired on other nodes, or the locker names them in another order.
    #[error(
        "the lease was acquired on other nodes, or on these in another order: name the same nodes by the same addresses, in the \
         same order, in both processes"
    )]
    OtherNodes,
    /// The nodes did not extend it: it is over, or too few of them answered.
    #[error(transparent)]
    Extend(#[from] ExtendError),
}

/// The lease is over: the program must no longer touch what it protected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the lease is lost: {cause}")]
#[non_exhaustive]
pub struct Lost {
    /// The cause.
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
    /// Some node could not be asked, and it may have a record.
    #[error(
        "{node} cannot be asked whether it remembers anything: {fault}; an installation is initialized with all of its nodes"
    )]
    Unseen {
        /// Its address.
        node: String,
        /// Why.
        fault: Fault,
    },
    /// Counters start at the clock, but neither the node's clock nor this machine's is set.
    #[error("{node} cannot take part: {fault}")]
    ClockUnset {
        /// Its address.
        node: String,
        /// What the clocks show.
        fault: Fault,
    },
    /// Some node forgot, and it or another node took part before, so this is not a new installation.
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
