//! X with clients of another library: no two believe in their locks of one resource at one time, and no holder believes
//! in a lease while such a client believes in its lock.
//!
//! Not judged for one whose lock vanished, as in [`exclusive`](super::exclusive).

use super::{Promise, Vanished, Violation, at, name};
use crate::history::{Assumed, History, Micros, Record, Stay};

/// Something that was believed in, from when until when.
struct Belief<'a> {
    resource: &'a str,
    holder: &'a str,
    from_us: Micros,
    until_us: Micros,
    name: String,
}

pub(super) fn mixed(history: &History, stays: &[Stay]) -> Option<Violation> {
    let foreign: Vec<Belief<'_>> = history.records.iter().filter_map(foreign).collect();
    if foreign.is_empty() {
        return None;
    }
    let leases: Vec<Belief<'_>> = stays.iter().map(lease).collect();
    let vanished = Vanished::of(history);
    let void = history.void_from(Assumed::X).unwrap_or(u64::MAX);
    foreign.iter().enumerate().find_map(|(number, one)| {
        let others = foreign.iter().skip(number + 1).chain(&leases).filter(|other| other.resource == one.resource);
        others.map(|other| (other, one.from_us.max(other.from_us), one.until_us.min(other.until_us))).find_map(
            |(other, from_us, until_us)| {
                let has_vanished = |belief: &Belief<'_>| vanished.by(belief.holder, from_us);
                let excused = void <= from_us || has_vanished(one) || has_vanished(other);
                (from_us < until_us && !excused).then(|| Violation {
                    promise: Promise::X,
                    at_us: from_us,
                    description: format!(
                        "{} and {} believed in {} at one time, until {}",
                        one.name,
                        other.name,
                        one.resource,
                        at(until_us)
                    ),
                })
            },
        )
    })
}

fn foreign(record: &Record) -> Option<Belief<'_>> {
    let Record::ForeignHeld { at_us, from_us, resource, holder } = record else { return None };
    Some(Belief { resource, holder, from_us: *from_us, until_us: *at_us, name: holder.clone() })
}

fn lease(stay: &Stay) -> Belief<'_> {
    let Stay { resource, holder, returned_us, until_us, .. } = stay;
    Belief { resource, holder, from_us: *returned_us, until_us: *until_us, name: name(stay) }
}
