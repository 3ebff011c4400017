//! [`Mutant`]: wrong ways to wait.

/// A wrong way to wait. Each differs from the right one in a single place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mutant {
    /// Nodes wake no waiter.
    WakeIsLost,
    /// A node reserves the lock for the first in its queue, although its process is gone.
    DeadHeadIsNext,
    /// A reservation does not end.
    ReservationWithoutEnd,
    /// Every second node has its queue in reverse order.
    OrdersDiffer,
    /// A node ignores a process that leaves.
    LeaveIgnored,
    /// An attempt that lost releases its grants, and no waiter is woken.
    SilentRollback,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::WakeIsLost,
        Self::DeadHeadIsNext,
        Self::ReservationWithoutEnd,
        Self::OrdersDiffer,
        Self::LeaveIgnored,
        Self::SilentRollback,
    ];

    /// What is wrong with it, in a few words.
    #[must_use]
    pub const fn short_cut(self) -> &'static str {
        match self {
            Self::WakeIsLost => "nodes wake no waiter",
            Self::DeadHeadIsNext => "the lock is reserved for the first in the queue, although its process is gone",
            Self::ReservationWithoutEnd => "a reservation does not end",
            Self::OrdersDiffer => "every second node has its queue in reverse order",
            Self::LeaveIgnored => "a node ignores a process that leaves",
            Self::SilentRollback => "an attempt that lost releases its grants, and no node wakes a waiter",
        }
    }
}
