//! The first act: a holder is paused beyond its time to live, another takes over, the first wakes and writes.

use std::time::Duration;

use super::timeline::Tone::{Bad, Good, Plain};
use super::world::{TTL, World};
use crate::failure::Failure;

/// Long enough for any lease to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// From B's write to the moment when A wakes.
const BEFORE_WAKING: Duration = Duration::from_millis(80);

/// A and B, and one old read.
pub(super) async fn play(world: &World<'_>) -> Result<(), Failure> {
    let (ledger, told) = (&world.ledger, &world.chapter);
    let (a, b) = (world.locker("A")?, world.locker("B")?);

    let of_a = world.acquire(&a, PATIENCE).await.map_err(|error| Failure::acquire(&error, &a, false))?;
    told.say_with_token("A", Plain, "acquires the lock", of_a.token());
    let Ok(read_by_a) = ledger.read(of_a.token()) else { return Ok(()) };
    told.say("A", Plain, &format!("reads the balance, {read_by_a}, and checks its lease: {}", holds(&of_a)));
    told.say("A", Bad, &format!("is paused by its machine for longer than its time to live of {TTL:?}"));

    let of_b = world.acquire(&b, PATIENCE).await.map_err(|error| Failure::acquire(&error, &b, false))?;
    told.say_with_token("B", Plain, "acquires the lock: the lease of A ran out, nobody is at fault", of_b.token());
    let Ok(read_by_b) = ledger.read(of_b.token()) else { return Ok(()) };
    if ledger.write(of_b.token(), read_by_b + 1).is_ok() {
        told.say_with_token("B", Plain, &format!("reads {read_by_b} and writes {}", read_by_b + 1), of_b.token());
    }
    drop(of_b.release().await);

    tokio::time::sleep(BEFORE_WAKING).await;
    told.say("A", Plain, "wakes. It checked its lease before the pause, so it goes on");
    let text = format!("writes {}, from its old read", read_by_a + 1);
    match ledger.write(of_a.token(), read_by_a + 1) {
        Ok(_) => {
            told.say_with_token("A", Plain, &text, of_a.token());
            told.say("ledger", Bad, "accepts it: the update of B is lost, and nobody notices");
        }
        Err(stale) => {
            told.say_with_token("A", Plain, &text, of_a.token());
            told.say_with_token("ledger", Good, "refuses it: stale, it has seen a greater token", stale.highest);
            again(world, &a).await?;
        }
    }
    drop(of_a.release().await);
    Ok(())
}

/// What a refused holder does: it acquires anew, and does its work on a new read.
async fn again(world: &World<'_>, a: &redfence::Redlock) -> Result<(), Failure> {
    let guard = world.acquire(a, PATIENCE).await.map_err(|error| Failure::acquire(&error, a, false))?;
    let token = guard.token();
    if let Ok(read) = world.ledger.read(token)
        && world.ledger.write(token, read + 1).is_ok()
    {
        let text = format!("acquires again, reads {read} and writes {}: nothing is lost", read + 1);
        world.chapter.say_with_token("A", Good, &text, token);
    }
    drop(guard.release().await);
    Ok(())
}

fn holds(guard: &redfence::Guard) -> &'static str {
    if guard.check().is_ok() { "held" } else { "lost" }
}
