//! Every Rust block of the migration guides does on three real servers what its page says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by panicking")]

mod support;

use redfence::Redlock;
use support::redis;

#[tokio::test(flavor = "multi_thread")]
async fn every_block_of_rust_runs_on_three_servers() {
    let servers = [redis(), redis(), redis()];
    let urls = servers.each_ref().map(|server| format!("redis://127.0.0.1:{}", server.port));
    // The pages take it for granted, as `redfence bootstrap`.
    Redlock::builder().urls(&urls).new_installation(true).connect().await.unwrap();
    migration_example::run(&urls).await.unwrap();
}
