//! Which nodes may be asked for grants.

#[cfg(feature = "redis")]
mod durability;
mod healths;
pub(crate) mod node_health;
pub(crate) mod roster;
