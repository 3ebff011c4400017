//! L: after the faults have ended a client acquires within a bound. So does every client that waits that long: no
//! client waits without end behind a client that gave up or died.

use super::{Promise, Violation, at};
use crate::history::{History, Micros, Record};

/// Judges a run whose faults ended at `faults_end_us` and that was watched until `until_us`.
#[must_use]
pub fn live(history: &History, faults_end_us: Micros, until_us: Micros) -> Option<Violation> {
    let acquired = history
        .records
        .iter()
        .any(|record| matches!(record, Record::Acquired { at_us, .. } if (faults_end_us..=until_us).contains(at_us)));
    (!acquired).then(|| Violation {
        promise: Promise::L,
        at_us: until_us,
        description: format!("no client acquired since {}, when all faults had ended", at(faults_end_us)),
    })
}

/// A client has waited for `waited_ms` since the faults ended, in vain.
#[must_use]
pub fn unserved(who: &str, waited_ms: u32, at_us: Micros, error: &str) -> Violation {
    let description = format!("{who} waited for {waited_ms} ms although all faults had ended: {error}");
    Violation { promise: Promise::L, at_us, description }
}

/// The run will not end: a client asks again and again, without a pause.
#[must_use]
pub fn endless(events: u64, at_us: Micros) -> Violation {
    Violation {
        promise: Promise::L,
        at_us,
        description: format!("more than {events} events within one millisecond, and no end"),
    }
}
