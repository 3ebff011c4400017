//! The program of the README.

use etcd_client::{Client, KvClient, Txn, TxnOp};
use redfence::{EmbeddedNode, Redlock, Resource};
use redfence_etcd::{Error, claim};

/// Adds one, under the lock. No older holder writes between the claim and the commit.
pub(crate) async fn add_one(
    redlock: &Redlock,
    kv: &mut KvClient,
    count: &Resource,
) -> Result<u64, Box<dyn std::error::Error>> {
    loop {
        let guard = redlock.acquire(count).await?;
        let mut mine = claim(kv, count, guard.token()).await?;
        let before = read(kv).await?;
        let committed = loop {
            let txn = Txn::new().and_then([TxnOp::put("count", (before + 1).to_string(), None)]);
            match mine.commit(kv, txn).await {
                // Not answered: claim again, which keeps it out if it comes late, and see
                // whether it is there. No other task writes under this token here.
                Err(Error::Unknown(_)) => {
                    mine.again(kv).await?;
                    if read(kv).await? == before + 1 {
                        break Ok(());
                    }
                }
                committed => break committed.map(|_| ()),
            }
        };
        drop(guard.release().await);
        match committed {
            // A newer holder has claimed while this one stood still: a new lease, a new token.
            Err(Error::Stale { .. }) => {}
            committed => return Ok(committed.map(|()| before + 1)?),
        }
    }
}

async fn read(kv: &mut KvClient) -> Result<u64, Box<dyn std::error::Error>> {
    match kv.get("count", None).await?.kvs().first() {
        Some(found) => Ok(found.value_str()?.parse()?),
        None => Ok(0),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In your program: Redlock::connect([…]).
    let nodes = [EmbeddedNode::new(), EmbeddedNode::new(), EmbeddedNode::new()];
    let redlock = nodes.into_iter().fold(Redlock::builder(), redfence::Builder::node).build()?;
    let mut kv = Client::connect([std::env::var("ETCD")?], None).await?.kv_client();
    println!("{}", add_one(&redlock, &mut kv, &Resource::new("count")?).await?);
    Ok(())
}
