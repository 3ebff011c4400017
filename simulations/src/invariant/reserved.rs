//! A lock is reserved only for a locker that can be woken, and not for long. Judged at the node, as it happens.

use redfence::Resource;

use super::{Micros, Promise, Violation};

/// A node reserves the lock for a locker whose connection had ended before, or for a waiter that has left.
#[must_use]
pub fn reserved_for_the_gone(node: u8, resource: &Resource, at_us: Micros) -> Violation {
    let description = format!("n{node} reserved {resource} for a waiter that had gone");
    Violation { promise: Promise::Reserved, at_us, description }
}

/// A node reserves a lock for longer than the longest grace.
#[must_use]
pub fn reserved_for_too_long(node: u8, resource: &Resource, at_us: Micros) -> Violation {
    let description = format!("n{node} reserved {resource} for longer than the longest grace");
    Violation { promise: Promise::Reserved, at_us, description }
}
