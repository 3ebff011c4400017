//! Sometimes: what must happen now and then in a range of runs, or the range proves nothing.

use crate::plan::Profile;

/// How often something happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Runs.
    pub runs: u64,
    /// Leases that were acquired.
    pub acquired: u64,
    /// Acquires that failed.
    pub failed: u64,
    /// Acquires that were cancelled before they ended.
    pub cancelled: u64,
    /// Leases that were lost before they were released.
    pub lost: u64,
    /// Leases that lived longer than their first validity.
    pub extended: u64,
    /// Seals that a node was asked for.
    pub seals: u64,
    /// Nodes that were sent to rest.
    pub rests: u64,
    /// Nodes that were activated after their rest.
    pub activations: u64,
    /// Grants that arrived after their round was over.
    pub late_grants: u64,
    /// Writes that were admitted.
    pub written: u64,
    /// Writes that were refused as stale.
    pub stale: u64,
    /// Pairs of holders that believed at one time, whether or not X applied.
    pub overlaps: u64,
    /// Locks that vanished, so that X is not promised.
    pub vanished: u64,
    /// Leases that were handed over in memory.
    pub handed_over: u64,
    /// Locks that were released and asked for again in one message to a node.
    pub asked_again: u64,
    /// Acquires that waited behind others and were cancelled.
    pub gave_up_waiting: u64,
    /// Waiters that were woken.
    pub wakes: u64,
    /// Processes that died.
    pub died: u64,
    /// Locks that a client of another library believed in.
    pub foreign_held: u64,
    /// Attempts of such clients that failed.
    pub foreign_failed: u64,
}

impl Coverage {
    /// Adds what another run saw.
    pub fn add(&mut self, other: &Self) {
        let Self { runs, acquired, failed, cancelled, lost, extended, seals, rests, activations, .. } = other;
        let Self { late_grants, written, stale, overlaps, vanished, .. } = other;
        let Self { handed_over, asked_again, gave_up_waiting, wakes, died, foreign_held, foreign_failed, .. } = other;
        self.runs += runs;
        self.acquired += acquired;
        self.failed += failed;
        self.cancelled += cancelled;
        self.lost += lost;
        self.extended += extended;
        self.seals += seals;
        self.rests += rests;
        self.activations += activations;
        self.late_grants += late_grants;
        self.written += written;
        self.stale += stale;
        self.overlaps += overlaps;
        self.vanished += vanished;
        self.handed_over += handed_over;
        self.asked_again += asked_again;
        self.gave_up_waiting += gave_up_waiting;
        self.wakes += wakes;
        self.died += died;
        self.foreign_held += foreign_held;
        self.foreign_failed += foreign_failed;
    }
}

/// From this many runs on, everything that the profile is about must have happened.
const ENOUGH_RUNS: u64 = 1_000;

/// What never happened although it should have.
#[must_use]
pub fn vacuous(seen: &Coverage, profile: Profile) -> Vec<&'static str> {
    let always = [("a lease was acquired", seen.acquired), ("a write was admitted", seen.written)];
    let often = [
        ("a lease was extended", seen.extended),
        ("an acquire failed", seen.failed),
        ("a seal was needed", seen.seals),
        ("a lease was handed over", seen.handed_over),
        ("a lock was released and asked for again in one message", seen.asked_again),
    ];
    let wild = [
        ("an acquire was cancelled", seen.cancelled),
        ("a waiter gave up", seen.gave_up_waiting),
        ("a waiter was woken", seen.wakes),
        ("a lease was lost", seen.lost),
        ("a grant arrived late", seen.late_grants),
        ("a stale write was refused", seen.stale),
        ("a node rested", seen.rests),
        ("a node was activated", seen.activations),
    ];
    let hellish =
        [("a lock vanished", seen.vanished), ("two holders believed at one time while X did not apply", seen.overlaps)];
    let mut due: Vec<_> = always.to_vec();
    let crowded = [
        ("an acquire was cancelled", seen.cancelled),
        ("a waiter was woken", seen.wakes),
        ("a process died", seen.died),
        ("a lease was lost", seen.lost),
    ];
    let mixed = [
        ("a client of another library had the lock", seen.foreign_held),
        ("such a client was refused", seen.foreign_failed),
        ("an acquire failed", seen.failed),
        ("a waiter was woken", seen.wakes),
        ("a lease was lost", seen.lost),
        ("a lock vanished", seen.vanished),
    ];
    if seen.runs >= ENOUGH_RUNS && profile == Profile::Contention {
        due.extend(crowded);
    } else if seen.runs >= ENOUGH_RUNS && profile == Profile::MixedFleet {
        due.extend(mixed);
    } else if seen.runs >= ENOUGH_RUNS {
        due.extend(often);
        if profile != Profile::Healthy {
            due.extend(wild);
        }
        if profile == Profile::ManyFaults {
            due.extend(hellish);
        }
    }
    due.into_iter().filter(|(_, count)| *count == 0).map(|(what, _)| what).collect()
}
