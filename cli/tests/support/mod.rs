//! Real servers and deadlines, from the tests of the library.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "every test binary compiles this module and uses the part that it needs"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot set its stage has failed, and says so by panicking"
)]

#[path = "../../../tests/support/bad_server.rs"]
pub mod bad_server;
#[path = "../../../tests/support/deadline.rs"]
pub mod deadline;
#[path = "../../../tests/support/faketime.rs"]
pub mod faketime;
#[path = "../../../tests/support/port.rs"]
pub mod port;
#[path = "../../../tests/support/proxy.rs"]
pub mod proxy;
#[path = "../../../tests/support/server.rs"]
pub mod server;
#[path = "../../../tests/support/tls.rs"]
pub mod tls;

pub use bad_server::{BadServer, Manner};
pub use proxy::Proxy;
pub use server::{RedisServer, servers};
