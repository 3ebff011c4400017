//! T1: no two leases of a resource carry one token. O(n log n).

use super::{Promise, Violation, name};
use crate::history::{Assumed, History, Stay};

pub(super) fn unique(history: &History, stays: &[Stay]) -> Option<Violation> {
    let void = history.void_from(Assumed::T).unwrap_or(u64::MAX);
    let mut judged: Vec<&Stay> = stays.iter().filter(|stay| stay.returned_us < void).collect();
    judged.sort_by_key(|stay| (&stay.resource, stay.token, stay.returned_us));
    judged
        .iter()
        .zip(judged.iter().skip(1))
        .find(|(one, other)| one.resource == other.resource && one.token == other.token)
        .map(|(one, other)| Violation {
            promise: Promise::T1,
            at_us: other.returned_us,
            description: format!("{} has the token of {}", name(other), name(one)),
        })
}
