//! The third act: one node too many dies, so no acquire succeeds. Then the nodes come back.

use std::time::Duration;

use redfence::AcquireError;

use super::fact::Fact;
use super::fact::Tone::{Bad, Good};
use super::world::World;
use crate::failure::Failure;

/// How long A tries while there is no quorum.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long A tries after the nodes are back.
const PATIENCE_AFTER: Duration = Duration::from_secs(5);

/// The result of the act.
pub(super) struct Outage {
    /// Whether the acquire without a quorum failed, with the right error.
    pub(super) refused: bool,
    /// Whether the acquire succeeded after the nodes came back.
    pub(super) recovered: bool,
}

/// Lets A try without a quorum and with one.
pub(super) async fn play(world: &World<'_>) -> Result<Outage, Failure> {
    let (nodes, chapter) = (world.nodes, &world.chapter);
    let a = world.locker("A")?;
    while nodes.alive() >= nodes.needed() {
        let Some(name) = nodes.kill_one() else { break };
        let (alive, all, needed) = (nodes.alive(), nodes.names.len(), nodes.needed());
        chapter.happened(Fact::Dies { node: name.to_owned(), alive, all, needed });
    }
    let refused = match world.acquire(&a, PATIENCE).await {
        Err(error @ AcquireError::NoQuorum { .. }) => {
            chapter.say("A", Good, &format!("acquires nothing, and the error says why: {error}"));
            true
        }
        Err(error) => {
            chapter.say("A", Bad, &format!("gets a wrong error: {error}"));
            false
        }
        Ok(guard) => {
            chapter.say_with_token("A", Bad, "acquires the lock without a quorum", guard.token());
            drop(guard.release().await);
            false
        }
    };
    nodes.revive_all();
    chapter.happened(Fact::AreBack);
    let recovered = match world.acquire(&a, PATIENCE_AFTER).await {
        Ok(guard) => {
            let token = guard.token();
            let written = world.ledger.read(token).and_then(|read| world.ledger.write(token, read + 1));
            chapter.say_with_token("A", Good, "acquires the lock, reads, and writes", token);
            drop(guard.release().await);
            written.is_ok()
        }
        Err(error) => {
            chapter.say("A", Bad, &format!("still acquires nothing: {error}"));
            false
        }
    };
    Ok(Outage { refused, recovered })
}
