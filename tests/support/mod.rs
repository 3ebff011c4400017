//! Helpers of the integration tests: real servers, broken networks, and deadlines instead of sleeps.

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

pub mod bad_server;
pub mod deadline;
pub mod events;
pub mod faketime;
pub mod fault_node;
pub mod polls;
pub mod port;
pub mod proxy;
pub mod server;
pub mod set;
pub mod stage;
pub mod tls;

pub use bad_server::{BadServer, Manner};
pub use deadline::eventually;
pub use events::Events;
pub use fault_node::{Delivery, FaultNode};
pub use proxy::Proxy;
pub use server::{RedisServer, servers};
pub use stage::{Hands, Stage};
pub use tls::TestCa;
