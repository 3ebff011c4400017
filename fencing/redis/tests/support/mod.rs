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

use std::time::Duration;

use redfence::{FencingToken, Resource};
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tokio::runtime::{Builder, Runtime};

pub fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub async fn connection(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).unwrap();
    let patient = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(20)));
    client.get_multiplexed_async_connection_with_config(&patient).await.unwrap()
}

pub fn token(number: u64) -> FencingToken {
    FencingToken::new(number).unwrap()
}

pub fn order() -> Resource {
    Resource::new("orders/42").unwrap()
}
