//! The promises, one a file, judged from a [`History`].
//!
//! | file | promise |
//! |---|---|
//! | `unique` | T1: no two leases of a resource carry one token |
//! | `ordered` | T2: a lease whose acquire began after another was returned carries the greater token |
//! | `exclusive` | X: one holder at a time believes in its lease, while the assumptions hold |
//! | `mixed` | X with clients of another library |
//! | `bridged` | E: no extension that began after a newer lease was returned |
//! | `fenced` | F: no write below a token that was written before |
//! | `quiet` | no extension is sent after the release |
//! | `clean` | no lock without a living owner stays |
//! | `live` | L: a client acquires when the faults have ended, and so does every client that waits |
//! | `woken` | W: if nothing goes wrong, a waiter has the lease soon after the lock was released |
//! | `served` | W: if clients die and pause, a waiter has the lease soon after the lock has expired |
//! | `reserved` | no lock is reserved for a locker that is gone, nor for long |
//! | `in_turn` | if nothing goes wrong, a waiting client is not overtaken again and again |
//! | `vanished` | no promise: whose locks vanished when, which breaks an assumption of X |
//! | `sometimes` | what a range of runs must have seen to prove anything |

mod bridged;
mod clean;
mod exclusive;
mod fenced;
mod in_turn;
mod live;
mod mixed;
mod ordered;
mod quiet;
mod reserved;
mod served;
mod sometimes;
mod unique;
mod vanished;
mod woken;

use std::fmt;

use crate::history::{History, Micros, Stay};

pub use clean::{Leftover, clean};
pub use exclusive::{Overlap, overlaps};
pub use in_turn::in_turn;
pub use live::{endless, live, unserved};
pub use quiet::quiet;
pub use reserved::{reserved_for_the_gone, reserved_for_too_long};
pub use served::{Disturbance, served};
pub use sometimes::{Coverage, vacuous};
use vanished::Vanished;
pub use woken::{Wait, woken};

/// Which promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Promise {
    /// Unique tokens.
    T1,
    /// Ordered tokens.
    T2,
    /// One holder at a time.
    X,
    /// No extension over a newer lease.
    E,
    /// No stale write.
    F,
    /// No extension after a release.
    Quiet,
    /// No lock without a living owner.
    Clean,
    /// A client acquires.
    L,
    /// No client waits for a lock that is free.
    W,
    /// Locks are reserved only for living lockers, and not for long.
    Reserved,
    /// Clients that wait are served in the order in which they came, more or less.
    InTurn,
    /// What a workload of your own checks.
    Workload,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::T1 => "T1 unique",
            Self::T2 => "T2 ordered",
            Self::X => "X exclusive",
            Self::E => "E not bridged",
            Self::F => "F fenced",
            Self::Quiet => "quiet",
            Self::Clean => "clean",
            Self::L => "L live",
            Self::W => "W woken",
            Self::Reserved => "reserved",
            Self::InTurn => "in turn",
            Self::Workload => "the workload's check",
        })
    }
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// When it showed.
    pub at_us: Micros,
    /// What happened.
    pub description: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.promise, at(self.at_us), self.description)
    }
}

/// The promises that a history breaks, the strongest first, each with its first violation.
#[must_use]
pub fn judge(history: &History) -> Vec<Violation> {
    let stays = history.stays();
    let verdicts = [
        fenced::fenced(history),
        unique::unique(history, &stays),
        ordered::ordered(history, &stays),
        exclusive::exclusive(history, &stays),
        mixed::mixed(history, &stays),
        bridged::bridged(history, &stays),
    ];
    verdicts.into_iter().flatten().collect()
}

/// A time in a readable form.
pub(crate) fn at(us: Micros) -> String {
    format!("{}.{:03} ms", us / 1_000, us % 1_000)
}

/// A lease in a readable form.
fn name(stay: &Stay) -> String {
    let (id, label) = stay.holder.split_once(' ').unwrap_or((&stay.holder, ""));
    format!("{label} ({:.8}) with token {}", id, stay.token)
}
