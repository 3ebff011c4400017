//! The requests that a locker sends to a node, and the replies.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{LockView, NodeReport, Record, ScannedLock};
use crate::{Holder, Resource, Waiter, WallTime};

/// The resource, holder and waiter of a request. All requests of one attempt share it, so a fan-out copies a pointer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The resource to lock.
    pub resource: Resource,
    /// The holder that wants the lock, or has it.
    pub holder: Holder,
    /// The waiter that queues for it, if the request waits.
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
    /// The resource and who asks for it.
    pub subject: Arc<Subject>,
    /// The operation.
    pub verb: Verb,
}

/// An operation on a node. Each one is one atomic step there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Take the lock if it is free, and draw numbers from the slot's counter.
    Grant {
        /// How long the lock lives.
        ttl: Duration,
        /// Raise the counter to at least this value, so that nodes that lag catch up.
        floor: u64,
        /// How many numbers to draw, at least one. The grant returns the last of them, and owns the others too.
        block: u32,
        /// If the node refuses: join its queue with these terms. `None` for a caller that gives up at once.
        waits: Option<Waits>,
    },
    /// If the lock is still the holder's, raise the counter to at least `token`; else refuse.
    Seal {
        /// The token that the attempt got from the counters of the quorum.
        token: u64,
    },
    /// If the lock is still the holder's, let it live `ttl` from now; else refuse.
    Extend {
        /// How long the lock lives from now.
        ttl: Duration,
    },
    /// If the lock is the holder's, remove it; else refuse.
    Release {
        /// Which waiter is next.
        next: Next,
    },
    /// The waiter stops waiting: remove its entry from the queue. A lock that is free or reserved for it goes to the
    /// next waiter.
    Leave,
    /// Report who holds the lock. Changes nothing.
    Inspect,
    /// If the lock is the holder's, remove it; else refuse. In both cases let the next grant draw a greater number.
    /// Operators use it against a holder that does not release.
    Force,
    /// One step of a scan through all locks. From this verb on, the subject is ignored.
    Scan {
        /// 0 at first, then the cursor of the last reply, until that is 0 again. A lock that exists during the whole
        /// scan is reported at least once.
        cursor: u64,
        /// About how many keys to visit.
        count: u32,
        /// Whether to remove each lock that is found.
        remove: bool,
    },
    /// Report about the node itself, and store the longest time to live.
    Probe {
        /// The longest time to live that the caller may ask for.
        max_ttl: Duration,
    },
    /// If the record is still the one that was seen, write a new one, and rest. Nodes that rest have no counters. If
    /// no rest is needed, raise all counters to the clock.
    Initialize(Box<RecordUpdate>),
    /// If the rest is over, create all counters at the clock.
    Activate {
        /// The longest time to live that the caller has noted. A rest that is too short for it is prolonged.
        max_ttl: Duration,
        /// The caller's wall clock, for counters that start again.
        wall: WallTime,
    },
}

/// The terms of a grant that joins the queue if the node refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waits {
    /// How long the waiter has waited. Its place in the queue is the node's clock minus this, so no client's clock
    /// decides.
    pub waited: Duration,
    /// Whether it may take a lock that is reserved for another waiter. It never takes a held lock.
    pub overrides: bool,
}

/// What happens to a lock after its release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Next {
    /// The node reserves the lock for the first waiter in the queue, for its grace. If the queue is empty, the lock
    /// is free.
    Queue(Publish),
    /// A grant of the same locker, later in the same batch, takes the lock. If there is no such grant, this means
    /// `Queue`.
    Grant,
    /// The caller gives back a lock of a lost attempt. It joins the queue again and keeps waiting.
    Rejoin {
        /// How long it has waited.
        waited: Duration,
        /// Whether the lock then goes to the first in the queue, as with `Queue`. If not, it is free, and no waiter
        /// is woken.
        wakes: bool,
    },
    /// The lock is free, and no waiter is woken: another holder has so many nodes that a wake would be in vain.
    NoWaiter,
}

/// Which waiters receive a wake from this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Publish {
    /// None: other nodes publish.
    Nothing,
    /// The waiter that the lock is reserved for.
    ToFirst,
    /// The waiter that the lock is reserved for; and the second in the queue, at the end of the reservation. So a
    /// first waiter that stands still costs one grace at most.
    ToFirstTwo,
}

/// The kind of a verb. The reply needs nothing else about the request.
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
    /// The operations of operators: [`Verb::Force`] and [`Verb::Scan`].
    Operate,
    /// The operations on the node itself: [`Verb::Probe`], [`Verb::Initialize`] and [`Verb::Activate`].
    Join,
}

impl Verb {
    /// The kind of this verb.
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

    /// A plain release: the lock goes to the first in the queue.
    pub const RELEASE: Self = Self::Release { next: Next::Queue(Publish::ToFirst) };

    /// Whether it is a release, whichever waiter is next.
    #[must_use]
    pub const fn is_release(&self) -> bool {
        matches!(self, Self::Release { .. })
    }
}

/// What an initialization writes on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordUpdate {
    /// The record that the probe saw, if any.
    pub seen: Option<Record>,
    /// If it saw no record: the mark that it saw. If this request arrives late, after the node forgot again, the node
    /// has another mark or none, and ignores it.
    pub mark: Option<u64>,
    /// How long to rest.
    pub rest: Duration,
    /// Whether the node belongs to a new installation.
    pub new: bool,
    /// The longest time to live that the caller has noted.
    pub max_ttl: Duration,
    /// The caller's wall clock, for counters that start again.
    pub wall: WallTime,
}

impl From<RecordUpdate> for Verb {
    fn from(update: RecordUpdate) -> Self {
        Self::Initialize(Box::new(update))
    }
}

/// A node's reply. *Refused* and *failed* are kept apart: "no" is not "unknown".
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
    /// The waiter is no longer in the queue.
    Left,
    /// The node refused: the lock is not the caller's.
    Refused(LockView),
    /// The result of [`Verb::Inspect`].
    Inspected(LockView),
    /// The result of one step of [`Verb::Scan`].
    Scanned {
        /// The cursor of the next step; 0 at the end.
        cursor: u64,
        /// The locks of this step, in no order. A scan may report a lock more than once.
        locks: Vec<ScannedLock>,
    },
    /// The node's report about itself, after [`Verb::Probe`], [`Verb::Initialize`] and [`Verb::Activate`].
    Reported(Box<NodeReport>),
    /// No reply, or an error: the request may or may not have taken effect.
    Failed(Fault),
}

/// Why a node gave no proper reply.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Fault {
    /// The kind, for code that decides.
    pub kind: FaultKind,
    /// The details, for people. Never contains a password.
    pub detail: Box<str>,
}

impl Fault {
    /// A fault of `kind` with details.
    #[cfg_attr(not(feature = "unstable"), doc(hidden))]
    pub fn new(kind: FaultKind, detail: impl Into<Box<str>>) -> Self {
        Self { kind, detail: detail.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        // The detail may contain text of a server.
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", crate::Printable(&self.detail)) }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault[{self}]")
    }
}

/// The kinds of faults. Nodes answer with most of them; `Resting`, `Duplicate` and `LateGrant` are what a locker says of a
/// node in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FaultKind {
    /// No reply in time. The request may still take effect, at any later time.
    TimedOut,
    /// There is no connection, so the request was not sent.
    Unreachable,
    /// The connection ended before the reply. The request may have taken effect.
    ConnectionLost,
    /// The connection is closed permanently: its runtime has ended, or this process is a fork of the process that
    /// opened it. The request was not sent, and no further request will be.
    Closed,
    /// Too many requests already wait for this node; this one was not sent.
    Overloaded,
    /// The request was withdrawn before it was sent.
    Withdrawn,
    /// The server refused the user or the password, so nothing was sent.
    Authentication,
    /// The server refused the login for another reason, so nothing was sent. For instance it has too many clients, or
    /// does not have this database.
    LoginRefused,
    /// A key of redfence has a value of another type.
    WrongType,
    /// The server has no memory left (`maxmemory`).
    OutOfMemory,
    /// The user may not run a needed command or touch a needed key.
    NoPermission,
    /// The server still loads its data.
    Loading,
    /// A script or function of some client does not end, and the server does nothing else meanwhile.
    Busy,
    /// The server is a read-only replica.
    ReadOnly,
    /// The server refuses writes, for instance because its last snapshot failed.
    WritesRefused,
    /// The server is part of a Redis Cluster, and this key belongs to another node.
    Moved,
    /// The script failed in another way.
    Script,
    /// The node has no counters: it lost them, or it rests.
    Forgot,
    /// The node was not asked: it has not been joined over its present connection.
    NotJoined,
    /// The node was not asked: it rests, because it may have forgotten a lock.
    Resting,
    /// The node was not asked: it is the same server as another node.
    Duplicate,
    /// The lock was set on this node after the lease began, so it proves nothing about the time before.
    LateGrant,
    /// A reply that this version does not understand.
    Unexpected,
}

impl FaultKind {
    /// Whether the request certainly was not sent. Then there is nothing on the node to undo.
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
            Self::LateGrant => "granted after the lease was won, so it does not vote on extensions",
            Self::Unexpected => "unexpected answer",
        })
    }
}
