//! Leases that tasks may rely on, their renewal and their events.

pub(crate) mod active;
pub(crate) mod events;
pub(crate) mod renewer;
pub(crate) mod schedule;
