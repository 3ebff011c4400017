//! X: at most one holder believes in its lease at any instant.
//!
//! Judged only while its assumptions hold. Not judged for a holder that lost a lock on a node that did not rest: by
//! eviction, by an operator, or by a step of that node's clock. Not judged once every node had forgotten everything
//! without a restart.

use std::collections::HashMap;

use super::{Promise, Vanished, Violation, at, name};
use crate::history::{Assumed, History, Micros, Stay};

/// Two holders that believed in their leases at one time.
#[derive(Debug, Clone, Copy)]
pub struct Overlap<'a> {
    /// Who believed first.
    pub first: &'a Stay,
    /// Who acquired during that time.
    pub second: &'a Stay,
    /// Whether an assumption was already broken.
    pub excused: bool,
}

/// All holders that believed at one time. O(n log n) as long as there are few.
#[must_use]
pub fn overlaps<'a>(history: &History, stays: &'a [Stay]) -> Vec<Overlap<'a>> {
    let vanished = Vanished::of(history);
    let void = history.void_from(Assumed::X).unwrap_or(u64::MAX);
    let has_vanished = |stay: &Stay, by: Micros| vanished.by(&stay.holder, by);
    // `stays` are in the order of their returns: leases that are still believed in are kept.
    let mut believers: HashMap<&str, Vec<&Stay>> = HashMap::new();
    let mut found = Vec::new();
    // A lease may be over when it is returned. A lease that is given up at once was believed in for an instant.
    for second in stays.iter().filter(|stay| stay.valid_until_us > stay.returned_us) {
        let at_us = second.returned_us;
        let believers = believers.entry(&second.resource).or_default();
        believers.retain(|stay| stay.until_us > at_us);
        for first in believers.iter().copied() {
            let excused = void <= at_us || has_vanished(first, at_us) || has_vanished(second, at_us);
            found.push(Overlap { first, second, excused });
        }
        believers.push(second);
    }
    found
}

pub(super) fn exclusive(history: &History, stays: &[Stay]) -> Option<Violation> {
    overlaps(history, stays).into_iter().find(|overlap| !overlap.excused).map(|Overlap { first, second, .. }| {
        Violation {
            promise: Promise::X,
            at_us: second.returned_us,
            description: format!(
                "{} believed until {}, and {} was returned at {}",
                name(first),
                at(first.until_us),
                name(second),
                at(second.returned_us)
            ),
        }
    })
}
