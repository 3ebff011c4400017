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
//! `tests/replies.rs` compares the server with a real one, and `tests/stream_contract.rs` with the node state.
//! Randomness comes only from the plan's seed: the rng of the world decides latency, cuts and breaks, and seeds the
//! jitter of redials. Later runs on a thread use the same Lua interpreter, and scripts cannot change anything in it;
//! `math.random`, which uses the state of the process, is removed. Nothing iterates over a hash map.
//!
//! Not here: TLS and name look-up; partial writes that the client notices; full buffers; a server without memory,
//! except for evictions. Replication and failover are not here either: a server with lost memory represents them.

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
