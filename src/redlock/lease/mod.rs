//! Leases while a task may rely on them.

pub(crate) mod active;
pub(crate) mod events;
pub(crate) mod renewer;
pub(crate) mod schedule;
