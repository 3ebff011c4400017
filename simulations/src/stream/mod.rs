//! The stream level: the real Redis client and the shipped scripts over a network of bytes, with virtual servers.
//!
//! ```text
//!   Redlock ──▶ RedisNode ──▶ redis crate ──▶ Socket ──▶ ByteNetwork ──▶ Server ──▶ the shipped .lua files
//! ```
//!
//! [`StreamLevel`] is a [`Cluster`](crate::harness::Cluster): plans, clients and invariants are those of the harness.
//!
//! | what is real | what is virtual |
//! |---|---|
//! | the locker, the courier and its reconnecting, the redis crate in both versions of the protocol, the shipped scripts | time, the network, the server around the scripts, `run_id`, uptime, wall clocks |
//!
//! The server is held to a real one by `tests/replies.rs`, and to the node state by `tests/stream_contract.rs`.
//! Randomness comes from the plan's seed alone: the rng of the world decide latency, cuts and breaks; they seed the
//! jitter of redials as well. An interpreter is used again by later runs on its thread, and nothing in it can be
//! changed by a script; `math.random`, which draws on the process, is not there. Nothing iterates over a hash map.
//!
//! Not here: TLS and name look-up; partial writes that the client notices; full buffers; a server without memory,
//! except for evictions. Replication and failover are not here either: a server with lost memory stands in for them.

mod byte_channel;
mod byte_network;
mod host;
mod level;
mod mutant;
pub mod server;
mod socket;

pub use crate::harness::run_id;
pub use byte_network::ByteNetwork;
pub use host::Host;
pub use level::StreamLevel;
pub use socket::ProcessDialer;
