//! The stream level: the real Redis client and the shipped scripts over a network of bytes, with virtual servers.
//!
//! ```text
//!   Redlock ──▶ RedisNode ──▶ redis crate ──▶ Socket ──▶ Wire ──▶ Server ──▶ the shipped .lua files
//! ```
//!
//! [`StreamLevel`] is a [`Cluster`](crate::farm::Cluster): plans, clients and invariants are the farm's.

mod lane;
mod level;
mod machine;
mod mutant;
pub mod server;
mod socket;
mod wire;

pub use level::StreamLevel;
pub use machine::{Machine, run_id};
pub use socket::Road;
pub use wire::Wire;
