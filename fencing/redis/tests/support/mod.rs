//! Real servers and deadlines, from the tests of the library.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "the tests here use a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot set its stage has failed, and says so by panicking"
)]

#[path = "../../../../tests/support/deadline.rs"]
pub mod deadline;
#[path = "../../../../tests/support/port.rs"]
pub mod port;
#[path = "../../../../tests/support/server.rs"]
pub mod server;
#[path = "../../../../tests/support/tls.rs"]
pub mod tls;

pub use server::RedisServer;
