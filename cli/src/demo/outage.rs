//! The third act: one node too many dies, nobody can acquire, and the nodes come back.

use std::time::Duration;

use redfence::AcquireError;

use super::timeline::Tone::{Bad, Good, Plain};
use super::world::World;
use crate::failure::Failure;

/// How long A tries while there is no quorum.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long A tries when the nodes are back.
const PATIENCE_AFTER: Duration = Duration::from_secs(5);

/// What came of it.
pub(super) struct Outage {
    /// Without a quorum the acquire failed, and said why.
    pub(super) refused: bool,
    /// With the nodes back it succeeded.
    pub(super) recovered: bool,
}

/// A tries without a quorum and with one.
pub(super) async fn play(world: &World<'_>) -> Result<Outage, Failure> {
    let (nodes, told) = (world.nodes, &world.chapter);
    let a = world.locker("A")?;
    while nodes.alive() >= nodes.needed() {
        let Some(name) = nodes.kill_one() else { break };
        let (alive, all, needed) = (nodes.alive(), nodes.names.len(), nodes.needed());
        told.say(name, Bad, &format!("dies: {alive} of {all} nodes are left, {needed} are needed"));
    }
    let refused = match world.acquire(&a, PATIENCE).await {
        Err(error @ AcquireError::NoQuorum { .. }) => {
            told.say("A", Good, &format!("acquires nothing, and is told why: {error}"));
            true
        }
        Err(error) => {
            told.say("A", Bad, &format!("is told something else than the truth: {error}"));
            false
        }
        Ok(guard) => {
            told.say_with_token("A", Bad, "acquires the lock without a quorum", guard.token());
            drop(guard.release().await);
            false
        }
    };
    nodes.revive_all();
    told.say("nodes", Plain, "are all back");
    let recovered = match world.acquire(&a, PATIENCE_AFTER).await {
        Ok(guard) => {
            let token = guard.token();
            let written = world.ledger.read(token).and_then(|read| world.ledger.write(token, read + 1));
            told.say_with_token("A", Good, "acquires the lock, reads, and writes", token);
            drop(guard.release().await);
            written.is_ok()
        }
        Err(error) => {
            told.say("A", Bad, &format!("still acquires nothing: {error}"));
            false
        }
    };
    Ok(Outage { refused, recovered })
}
