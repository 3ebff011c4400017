//! What a locker and a node say to each other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{NodeReport, Record};
use crate::{Holder, Resource, Waiter, WallTime};

/// Whom a request is about: shared by all requests of one attempt, so that a fan-out copies a pointer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// What is to be held.
    pub resource: Resource,
    /// Who is to hold it.
    pub holder: Holder,
    /// Who waits for it, where the request waits.
    pub waiter: Waiter,
}

impl Subject {
    /// A subject of requests that never wait.
    #[must_use]
    pub fn new(resource: Resource, holder: Holder) -> Self {
        Self { resource, holder, waiter: Waiter::default() }
    }
}

/// One request to one node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    /// Whom it is about.
    pub subject: Arc<Subject>,
    /// What is asked.
    pub verb: Verb,
}

/// What is asked of a node. Each is one atomic step there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Take the lock if nobody has it, and draw numbers from the slot's counter.
    Grant {
        /// How long the lock lives.
        ttl: Duration,
        /// The counter is raised to at least this: it levels nodes that lag.
        floor: u64,
        /// How many numbers to draw, at least one: the grant stands for the last of them and owns those before.
        block: u32,
        /// Whether the caller waits where it is refused, and as whom; `None` for one that gives up at once.
        waits: Option<Waits>,
    },
    /// If the lock is still the holder's, raise the counter to at least `token`; else refuse.
    Seal {
        /// The token that the quorum's counters entitle this attempt to.
        token: u64,
    },
    /// If the lock is still the holder's, let it live `ttl` from now; else refuse.
    Extend {
        /// How long the lock lives from now.
        ttl: Duration,
    },
    /// If the lock is the holder's, remove it; else refuse.
    Release {
        /// Who is next.
        next: Next,
    },
    /// The waiter waits no longer: its entry leaves the queue, and a lock that is free or reserved for it goes to the next.
    Leave,
    /// Tell who holds the lock. Changes nothing.
    Inspect,
    /// If the lock is the holder's, remove it, else refuse; in any case let the next grant draw a greater number. What
    /// an operator does to a holder that will not let go.
    Force,
    /// One step through all locks. The subject does not matter here and below.
    Scan {
        /// 0 to begin, then what the last step answered, until that is 0 again. A lock that is there from beginning to
        /// end is told at least once.
        cursor: u64,
        /// About how many keys to look at.
        count: u32,
        /// Whether to remove what is found.
        remove: bool,
    },
    /// Tell about the node itself, and remember the longest time to live.
    Probe {
        /// The longest time to live that the caller may ask for.
        max_ttl: Duration,
    },
    /// If the record is still the one that was seen: write a new one, and rest. Resting nodes have no counters; where
    /// there is no need to rest, all counters are raised to the clock.
    Initialize(Box<RecordUpdate>),
    /// If the rest is over: create all counters at the clock.
    Activate {
        /// The longest time to live that the caller knows of: a rest that was too short for it is prolonged.
        max_ttl: Duration,
        /// The caller's wall clock, for counters that start anew.
        wall: WallTime,
    },
}

/// A grant that waits where it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waits {
    /// For how long it has waited. The node's clock minus this is its place in the queue, so no client's clock decides.
    pub waited: Duration,
    /// Whether it takes a lock that is reserved for another, too. Never one that is held.
    pub overrides: bool,
}

/// What becomes of a lock that was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Next {
    /// The lock is reserved for the first in the queue for its grace; where nobody waits it is free.
    Queue(Publish),
    /// A grant of the same locker behind it in the same batch takes it; without one, as `Queue`.
    Grant,
    /// The caller, which gave back what was too little to win, is in the queue again, and waits on.
    Rejoin {
        /// For how long it has waited.
        waited: Duration,
        /// Whether the lock goes to the first in the queue then, as with `Queue`; else it is free, and nobody is woken.
        wakes: bool,
    },
    /// It is free, and nobody is woken: somebody else has the lock on so many nodes that waking would be in vain.
    Nobody,
}

/// To which waiters a node publishes that the lock is reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Publish {
    /// To no waiter: other nodes publish.
    Nothing,
    /// The one that it is reserved for.
    ToFirst,
    /// The one that it is reserved for; and the second in the queue, when the reservation ends, so that a first one that
    /// stands still costs its grace once and no more.
    ToFirstTwo,
}

/// What kind of verb a request has: all that matters about it when its reply comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VerbKind {
    /// [`Verb::Grant`].
    Grant,
    /// [`Verb::Seal`].
    Seal,
    /// [`Verb::Extend`].
    Extend,
    /// [`Verb::Release`].
    Release,
    /// [`Verb::Leave`].
    Leave,
    /// [`Verb::Inspect`].
    Inspect,
    /// What operators ask: [`Verb::Force`] and [`Verb::Scan`].
    Operate,
    /// What is about the node itself: [`Verb::Probe`], [`Verb::Initialize`] and [`Verb::Activate`].
    Join,
}

impl Verb {
    /// What kind of verb it is.
    #[must_use]
    pub const fn kind(&self) -> VerbKind {
        match self {
            Self::Grant { .. } => VerbKind::Grant,
            Self::Seal { .. } => VerbKind::Seal,
            Self::Extend { .. } => VerbKind::Extend,
            Self::Release { .. } => VerbKind::Release,
            Self::Leave => VerbKind::Leave,
            Self::Inspect => VerbKind::Inspect,
            Self::Force | Self::Scan { .. } => VerbKind::Operate,
            Self::Probe { .. } | Self::Initialize(_) | Self::Activate { .. } => VerbKind::Join,
        }
    }

    /// A plain release: the first in the queue is next.
    pub const RELEASE: Self = Self::Release { next: Next::Queue(Publish::ToFirst) };

    /// Whether it is a release, with any next one.
    #[must_use]
    pub const fn is_release(&self) -> bool {
        matches!(self, Self::Release { .. })
    }
}

/// What a node is to remember of being joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordUpdate {
    /// The record that was seen, if any.
    pub seen: Option<Record>,
    /// Where none was: the mark that was seen instead. A settlement that arrives late, after the node forgot once more,
    /// finds another mark, or none.
    pub mark: Option<u64>,
    /// How long to rest.
    pub rest: Duration,
    /// Whether it is initialized with a new installation.
    pub new: bool,
    /// The longest time to live that the caller knows of.
    pub max_ttl: Duration,
    /// The caller's wall clock, for counters that start anew.
    pub wall: WallTime,
}

impl From<RecordUpdate> for Verb {
    fn from(update: RecordUpdate) -> Self {
        Self::Initialize(Box::new(update))
    }
}

/// A node's answer. *Refused* and *failed* are never folded together: no is not "don't know".
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The lock was taken; `counter` is the number drawn.
    Granted {
        /// The slot's counter after this grant: the last of the numbers that were drawn.
        counter: u64,
    },
    /// The lock was still the holder's and the counter is at least the token.
    Sealed,
    /// The lock was still the holder's and lives on.
    Extended,
    /// The lock was the holder's and is gone now.
    Released,
    /// The waiter is in the queue no longer.
    Left,
    /// The node answered no: the lock is not the caller's.
    Refused(LockView),
    /// What [`Verb::Inspect`] found.
    Inspected(LockView),
    /// One step through all locks, after [`Verb::Scan`].
    Scanned {
        /// Where to go on; 0 at the end.
        cursor: u64,
        /// What was found, in no order, perhaps more than once.
        locks: Vec<ScannedLock>,
    },
    /// What the node says of itself, after [`Verb::Probe`], [`Verb::Initialize`] and [`Verb::Activate`].
    Reported(Box<NodeReport>),
    /// No answer, or an error in place of one: the request may or may not have taken effect.
    Failed(Fault),
}

/// What a node knows of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct LockView {
    /// The stored holder value as it is, or `None` when nobody holds the lock. It may be another program's.
    pub occupant: Option<Box<str>>,
    /// How long the lock lives on; `None` when there is no lock, or one that never ends.
    pub ttl_left: Option<Duration>,
    /// The slot's counter; 0 when there is none.
    pub counter: u64,
    /// How many wait before the caller in this node's queue; `None` for one that is not in it.
    pub place: Option<u32>,
    /// How many wait: after [`Verb::Inspect`] only.
    pub waiting: u32,
    /// The entry of the first that waits: after [`Verb::Inspect`] only.
    pub first: Option<Box<str>>,
}

impl LockView {
    /// The value of the one that holds the lock, if it is held: a lock that is reserved is nobody's yet.
    #[must_use]
    pub fn held_by(&self) -> Option<&str> {
        self.occupant.as_deref().filter(|value| Waiter::reserved(value).is_none())
    }
}

/// One lock that a step through all locks found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ScannedLock {
    /// What is held.
    pub resource: Resource,
    /// The stored holder value as it is. It may be another program's.
    pub occupant: Box<str>,
    /// How long the lock lives on; `None` for one that never ends.
    pub ttl_left: Option<Duration>,
}

/// Why a node gave no proper answer.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Fault {
    /// The kind, to decide by.
    pub kind: FaultKind,
    /// The rest of the story, for people. Never contains a password.
    pub detail: Box<str>,
}

impl Fault {
    /// A fault of `kind`, with what else is known.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn new(kind: FaultKind, detail: impl Into<Box<str>>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        // A server's own words may be in it.
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", crate::Printable(&self.detail)) }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault[{self}]")
    }
}

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FaultKind {
    /// No answer in time. The request may still take effect, at any later time.
    TimedOut,
    /// There is no connection, so the request was not sent.
    Unreachable,
    /// The connection ended before the answer. The request may have taken effect.
    ConnectionLost,
    /// The connection is closed for good: the runtime that it was opened on has ended, or this process is a fork of the one that
    /// opened it. Nothing was sent, and nothing ever will be.
    Closed,
    /// Too many requests wait for this node already; this one was not sent.
    Overloaded,
    /// It was withdrawn before it was sent.
    Withdrawn,
    /// User or password were refused, so nothing was sent.
    Authentication,
    /// The server turned the login away for another reason, so nothing was sent: it has as many clients as it may, or no such
    /// database.
    LoginRefused,
    /// A key of redfence holds a value of another type.
    WrongType,
    /// The server has no memory left (`maxmemory`).
    OutOfMemory,
    /// The user may not run a needed command or touch a needed key.
    NoPermission,
    /// The server still loads its data.
    Loading,
    /// The server runs somebody's script or function that does not end, and does nothing else.
    Busy,
    /// The server is a read-only replica.
    ReadOnly,
    /// The server refuses writes, for instance because its last snapshot failed.
    WritesRefused,
    /// The server is part of a Redis Cluster and this key lives elsewhere.
    Moved,
    /// The script failed in another way.
    Script,
    /// The node has no counters: it lost them, or it rests.
    Forgot,
    /// The node has not been joined over its present connection, so it was not asked.
    NotJoined,
    /// The node rests, because it may have forgotten a lock; it was not asked.
    Resting,
    /// The node is a server that another node is already; it was not asked.
    Duplicate,
    /// The lock came to be there after the lease began, so it says nothing about the time before.
    LateGrant,
    /// An answer that this version does not understand.
    Unexpected,
}

impl FaultKind {
    /// Whether the request certainly never left: then there is nothing on the node to undo.
    #[must_use]
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub const fn never_sent(self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::Closed
                | Self::Overloaded
                | Self::Withdrawn
                | Self::Authentication
                | Self::LoginRefused
                | Self::NotJoined
                | Self::Resting
                | Self::Duplicate
        )
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "timed out",
            Self::Unreachable => "unreachable",
            Self::ConnectionLost => "connection lost",
            Self::Closed => "closed for good",
            Self::Overloaded => "too many requests waiting",
            Self::Withdrawn => "withdrawn",
            Self::Authentication => "authentication failed",
            Self::LoginRefused => "login refused",
            Self::WrongType => "wrong type of key",
            Self::OutOfMemory => "out of memory",
            Self::NoPermission => "no permission",
            Self::Loading => "loading its data",
            Self::Busy => "busy with a script that does not end",
            Self::ReadOnly => "read-only replica",
            Self::WritesRefused => "refuses writes",
            Self::Moved => "key lives on another cluster node",
            Self::Script => "script error",
            Self::Forgot => "has no counters",
            Self::NotJoined => "not asked, it has not been joined yet",
            Self::Resting => "resting",
            Self::Duplicate => "the same server as another node",
            Self::LateGrant => "granted late",
            Self::Unexpected => "unexpected answer",
        })
    }
}
