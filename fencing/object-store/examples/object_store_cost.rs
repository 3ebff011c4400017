//! The cost of a fence: fenced and unfenced writes by turns, in memory and on a server that speaks S3.
//!
//! ```console
//! $ cargo run -p redfence-object-store --example object_store_cost
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a figure that cannot be measured ends the program")]

#[path = "../tests/stage/mod.rs"]
mod stage;

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use redfence::FencingToken;
use redfence_object_store::FencedStore;
use stage::support::Moto;
use stage::support::stopwatch::{median, now};
use stage::wire::Wire;

const BYTES: usize = 1_000;

async fn measure(name: &str, rounds: u64, store: Arc<dyn ObjectStore>) -> Result<(), Box<dyn std::error::Error>> {
    let fenced = FencedStore::open(Arc::clone(&store), &Path::from("probe")).await?;
    let (plain_path, fenced_path, content) = (Path::from("plain"), Path::from("fenced"), vec![b'x'; BYTES]);
    let (mut plain, mut claims, mut writes) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        let start = now();
        store.put(&plain_path, content.clone().into()).await?;
        plain.push(now() - start);

        let start = now();
        let mut claim = fenced.claim(&fenced_path, FencingToken::new(round)?).await?;
        claims.push(now() - start);

        let start = now();
        claim.write(content.clone()).await?;
        writes.push(now() - start);
    }
    let (plain, claims, writes) = (median(plain), median(claims), median(writes));
    println!(
        "| {name} | {plain:.1} µs | {writes:.1} µs | {:.2} | {claims:.1} µs | {:.2} |",
        writes / plain,
        claims / plain
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("Median of puts of {BYTES} bytes in turn; the ratios are to the unfenced put.\n");
    println!("| store | unfenced put | fenced write | ratio | claim | ratio |");
    println!("|---|---|---|---|---|---|");
    measure("in memory", 10_000, Arc::new(InMemory::new())).await?;
    let server = tokio::task::spawn_blocking(Moto::start).await?;
    measure("moto, over HTTP", 500, Arc::new(Wire::to(&server).s3())).await
}
