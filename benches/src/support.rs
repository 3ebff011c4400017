//! Real servers, from the tests of the library.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "the bench uses the part of the tests' support that it needs"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "without its servers a bench has nothing to measure, and their support says so by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "the support waits for its servers with deadlines")]

#[path = "../../tests/support/deadline.rs"]
pub mod deadline;
#[path = "../../tests/support/port.rs"]
pub mod port;
#[path = "../../tests/support/proxy.rs"]
pub mod proxy;
#[path = "../../tests/support/server.rs"]
pub mod server;
#[path = "../../tests/support/tls.rs"]
pub mod tls;

pub(crate) use proxy::Proxy;
pub(crate) use server::{RedisServer, servers};
