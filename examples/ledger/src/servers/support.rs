//! Real servers, from the tests of the library and of the fenced stores.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    missing_docs,
    reason = "the ledger uses the part of the tests' support that it needs"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "without its servers there is nothing to show, and their support says so by panicking"
)]

#[path = "../../../../tests/support/deadline.rs"]
pub mod deadline;
#[path = "../../../../tests/support/server.rs"]
pub mod redis;
#[path = "../../../../fencing/support/mod.rs"]
pub mod stores;
#[path = "../../../../tests/support/tls.rs"]
pub mod tls;

pub use redis::RedisServer;
pub use stores::{Postgres, port};
