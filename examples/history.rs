//! Keeps a history of leases and writes, for a check afterwards whether every promise held.
//!
//! ```console
//! $ cargo run --example history --features history
//! $ cargo run -p simulations --release -- check history.jsonl
//! ```

use std::fs::File;

use redfence::history::{self, HistoryLayer};
use redfence::verifier::{MemoryStore, Verifier};
use redfence::{EmbeddedNode, Redlock};
use tracing_subscriber::layer::SubscriberExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = File::options().create(true).append(true).open("history.jsonl")?;
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(HistoryLayer::new(file)))?;

    // Servers: Redlock::connect(["redis://a:6379", "redis://b:6379", "redis://c:6379"]).await?
    let nodes = [EmbeddedNode::new(), EmbeddedNode::new(), EmbeddedNode::new()];
    let redlock = nodes.into_iter().fold(Redlock::builder(), redfence::Builder::node).build()?;
    let verifier = Verifier::new(MemoryStore::new());
    for _ in 0..3 {
        let guard = redlock.acquire("ledger").await?;
        // The resource server's side: it knows the token and no lock.
        let verdict = verifier.admit(guard.resource(), guard.token()).await?;
        history::write(guard.resource(), guard.token(), verdict);
        println!("{}: token {} {verdict}", guard.resource(), guard.token());
        drop(guard.release().await);
    }
    println!("written to history.jsonl; now: cargo run -p simulations --release -- check history.jsonl");
    Ok(())
}
