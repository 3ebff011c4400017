//! T2: a lease whose acquire began after another was returned carries the greater token. O(n log n). There is one
//! exception, if the user asks for it (hand-over to any task). The order of a lease that was handed over in memory to a
//! late task depends on X. Such a lease is not judged if X was void before it was returned, or if a lock of its holder
//! had vanished before on a node that did not rest. Other leases are still compared with it.

use super::{Promise, Vanished, Violation, at, name};
use crate::history::{Assumed, History, Micros, Stay};

pub(super) fn ordered(history: &History, stays: &[Stay]) -> Option<Violation> {
    let void = history.void_from(Assumed::T).unwrap_or(u64::MAX);
    let (vanished, void_x) = (Vanished::of(history), history.void_from(Assumed::X).unwrap_or(u64::MAX));
    let is_excused =
        |stay: &Stay| stay.latecomer && (void_x <= stay.returned_us || vanished.by(&stay.holder, stay.returned_us));
    // Returns and beginnings in the order of time. A beginning at the instant of a return does not count as later.
    let mut events: Vec<(&str, Micros, bool, &Stay)> = Vec::with_capacity(2 * stays.len());
    for stay in stays.iter().filter(|stay| stay.returned_us < void) {
        events.push((&stay.resource, stay.began_us, false, stay));
        events.push((&stay.resource, stay.returned_us, true, stay));
    }
    events.sort_by_key(|(resource, at_us, is_return, stay)| (*resource, *at_us, *is_return, stay.token));
    let mut highest: Option<&Stay> = None;
    for (resource, _, is_return, stay) in events {
        highest = highest.filter(|highest| highest.resource == resource);
        match highest {
            _ if is_return => highest = [highest, Some(stay)].into_iter().flatten().max_by_key(|stay| stay.token),
            Some(earlier) if stay.token <= earlier.token && !is_excused(stay) => {
                return Some(Violation {
                    promise: Promise::T2,
                    at_us: stay.returned_us,
                    description: format!(
                        "{} began at {}, after {} was returned at {}",
                        name(stay),
                        at(stay.began_us),
                        name(earlier),
                        at(earlier.returned_us)
                    ),
                });
            }
            _ => {}
        }
    }
    None
}
