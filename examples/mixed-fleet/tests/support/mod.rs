//! Real servers, from the tests of the library.
#![allow(dead_code, unused_imports, unreachable_pub, reason = "the tests use the part of the support that they need")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

#[path = "../../../../tests/support/deadline.rs"]
pub mod deadline;
#[path = "../../../../tests/support/port.rs"]
pub mod port;
#[path = "../../../../tests/support/server.rs"]
pub mod redis;
#[path = "../../../../tests/support/tls.rs"]
pub mod tls;
