//! E: no extension succeeds that began after a lease with a greater token was returned.
//!
//! An extension that begins at *t* lets a lease live until *t* plus the time to live at most. So a lease that is valid
//! for longer than that after a newer one was returned was extended too late. Not judged if a lock of the lease
//! vanished before the grace of late grants was over: then another holder may have had a complete lease in that time.

use std::collections::HashMap;

use super::{Promise, Violation, at, name};
use crate::history::{History, Record, Stay};

pub(super) fn bridged(history: &History, stays: &[Stay]) -> Option<Violation> {
    // The grace is one node timeout, at most half of the time to live.
    let vanished_early = |stay: &Stay| {
        // It runs from the first section of a lease that was handed over.
        let sections = stays.iter().filter(|one| one.resource == stay.resource && one.holder == stay.holder);
        let won_us = sections.map(|one| one.returned_us).min().unwrap_or(stay.returned_us);
        let grace_ends = won_us.saturating_add(stay.ttl_us / 2);
        history.records.iter().any(
            |record| matches!(record, Record::Vanished { at_us, holder, .. } if *holder == stay.holder && *at_us <= grace_ends),
        )
    };
    let mut by_resource: HashMap<&str, Vec<&Stay>> = HashMap::new();
    for stay in stays {
        by_resource.entry(&stay.resource).or_default().push(stay);
    }
    stays.iter().find_map(|lease| {
        let extended_us = lease.extended_us?;
        // In the order of their return. Only leases that were returned while this one lived are compared.
        let rivals = by_resource.get(&*lease.resource)?;
        let from = rivals.partition_point(|other| other.returned_us < lease.returned_us);
        let overtaken = |other: &&&Stay| lease.valid_until_us > other.returned_us.saturating_add(lease.ttl_us);
        let newer = |other: &&&Stay| {
            // The sections of one lease that was handed over are no rivals.
            other.holder != lease.holder
                && other.token > lease.token
                // A holder with a slow clock believes for too long without any extension.
                && extended_us > other.returned_us
                && lease.valid_until_us > other.returned_us.saturating_add(other.ttl_us)
        };
        let other = rivals.get(from..)?.iter().take_while(overtaken).find(newer)?;
        (!vanished_early(lease)).then(|| Violation {
            promise: Promise::E,
            at_us: other.returned_us,
            description: format!(
                "{} was extended until {}, although {} was returned at {}",
                name(lease),
                at(lease.valid_until_us),
                name(other),
                at(other.returned_us)
            ),
        })
    })
}
