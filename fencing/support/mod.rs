//! Real databases and stores for the tests of the members in this folder. Each test starts its own, and they end with
//! the test.

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

mod daemon;
mod etcd;
mod falls;
mod http;
mod mariadb;
mod moto;
// A port that the system gives out can be given to another program while its server restarts.
#[path = "../../tests/support/port.rs"]
pub mod port;
mod postgres;
mod proxy;
pub mod stopwatch;

pub use etcd::Etcd;
pub use falls::falls;
pub use mariadb::MariaDb;
pub use moto::Moto;
pub use postgres::Postgres;
pub use proxy::Proxy;
