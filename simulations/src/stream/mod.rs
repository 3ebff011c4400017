//! The stream level: the real Redis client and the shipped scripts over a network of bytes, with virtual servers.
//!
//! ```text
//!   Redlock ──▶ RedisNode ──▶ redis crate ──▶ wire ──▶ server ──▶ the shipped .lua files
//! ```

pub mod server;
