//! The cost of a fence: fenced and unfenced transactions by turns, on an etcd that waits for the disk.
//!
//! ```console
//! $ cargo run -p redfence-etcd --example etcd_cost
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a figure that cannot be measured ends the program")]

#[path = "../../support/mod.rs"]
mod support;

use etcd_client::{Client, Txn, TxnOp};
use redfence::{FencingToken, Resource};
use redfence_etcd::claim;
use support::stopwatch::{median, now};

const ROUNDS: u64 = 1_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = tokio::task::spawn_blocking(support::Etcd::start).await?;
    let mut kv = Client::connect([server.url()], None).await?.kv_client();
    let (orders, write) = (Resource::new("orders")?, || Txn::new().and_then([TxnOp::put("invoice", "paid", None)]));
    let (mut plain, mut claims, mut writes) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let start = now();
        kv.txn(write()).await?;
        plain.push(now() - start);

        let start = now();
        let mine = claim(&mut kv, &orders, FencingToken::new(round)?).await?;
        claims.push(now() - start);

        let start = now();
        mine.commit(&mut kv, write()).await?;
        writes.push(now() - start);
    }
    let (plain, claims, writes) = (median(plain), median(claims), median(writes));
    println!("Median of {ROUNDS} transactions of one put in turn; the ratios are to the unfenced transaction.\n");
    println!("| | unfenced | fenced | ratio | claim | ratio |");
    println!("|---|---|---|---|---|---|");
    println!(
        "| etcd | {plain:.0} µs | {writes:.0} µs | {:.2} | {claims:.0} µs | {:.2} |",
        writes / plain,
        claims / plain
    );
    Ok(())
}
