//! The cost of a fence in Redis: fenced and unfenced writes by turns, one client.
//!
//! ```console
//! $ cargo run --release -p redfence-redis --example cost -- redis://127.0.0.1:6379
//! ```

#[path = "../../support/stopwatch.rs"]
#[expect(unreachable_pub, reason = "it is a part of the support of other members")]
mod stopwatch;

use redfence::{FencingToken, Resource};
use redfence_redis::FencedRedis;
use stopwatch::{median, now};

const ROUNDS: u64 = 5_000;
const BATCH: usize = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("name a server that may be written to: redis://127.0.0.1:6379")?;
    let mut connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    let (store, order) = (FencedRedis::new(connection.clone()), Resource::new("orders/42")?);
    let (mut plain, mut newer, mut equal, mut batch, mut fenced_batch) = (vec![], vec![], vec![], vec![], vec![]);
    let first = store.highest(&order).await?.map_or(1, |highest| highest.get() + 1);
    for token in first..first + ROUNDS {
        let fenced = store.fenced(&order, FencingToken::new(token)?);
        let start = now();
        let () = redis::cmd("SET").arg("data").arg("paid").query_async(&mut connection).await?;
        plain.push(now() - start);
        for times in [&mut newer, &mut equal] {
            let start = now();
            fenced.set("data", "paid").await?;
            times.push(now() - start);
        }
        let start = now();
        let mut pipe = redis::pipe();
        pipe.atomic();
        for _ in 0..BATCH {
            pipe.cmd("SET").arg("data").arg("paid").ignore();
        }
        let () = pipe.query_async(&mut connection).await?;
        batch.push(now() - start);
        let start = now();
        (0..BATCH).fold(fenced.pipeline(), |pipeline, _| pipeline.set("data", "paid")).send().await?;
        fenced_batch.push(now() - start);
    }
    let [plain, newer, equal, batch, fenced_batch] = [plain, newer, equal, batch, fenced_batch].map(median);
    println!("Median of {ROUNDS} writes in turn, one client.");
    println!(
        "SET {plain:.0} µs; fenced, first of a lease {newer:.0} µs ({:.2}), next {equal:.0} µs ({:.2})",
        newer / plain,
        equal / plain
    );
    println!("{BATCH} SETs in MULTI {batch:.0} µs; fenced pipeline {fenced_batch:.0} µs ({:.2})", fenced_batch / batch);
    Ok(())
}
