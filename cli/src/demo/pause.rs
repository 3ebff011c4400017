//! The first act: a holder is paused beyond its time to live, another one takes over, and the first one wakes and
//! writes.

use std::time::Duration;

use super::fact::Fact;
use super::world::{TTL, World};
use crate::failure::Failure;

/// Long enough for any lease to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time from B's write to the moment when A wakes.
const BEFORE_WAKING: Duration = Duration::from_millis(80);

/// Plays the act with A and B.
pub(super) async fn play(world: &World<'_>) -> Result<(), Failure> {
    let (ledger, chapter) = (&world.ledger, &world.chapter);
    let (a, b) = (world.locker("A")?, world.locker("B")?);

    let of_a = world.acquire(&a, PATIENCE).await.map_err(|error| Failure::acquire(&error, &a, false))?;
    chapter.happened(Fact::Acquires { token: of_a.token() });
    let Ok(read_by_a) = ledger.read(of_a.token()) else { return Ok(()) };
    chapter.happened(Fact::Reads { balance: read_by_a, is_held: of_a.check().is_ok() });
    chapter.happened(Fact::Pauses { ttl: TTL });

    let of_b = world.acquire(&b, PATIENCE).await.map_err(|error| Failure::acquire(&error, &b, false))?;
    chapter.happened(Fact::TakesOver { token: of_b.token() });
    let Ok(read) = ledger.read(of_b.token()) else { return Ok(()) };
    if ledger.write(of_b.token(), read + 1).is_ok() {
        chapter.happened(Fact::Updates { read, token: of_b.token() });
    }
    drop(of_b.release().await);

    tokio::time::sleep(BEFORE_WAKING).await;
    chapter.happened(Fact::Wakes);
    let balance = read_by_a + 1;
    let written = ledger.write(of_a.token(), balance);
    chapter.happened(Fact::WritesOldRead { balance, token: of_a.token() });
    match written {
        Ok(_) => chapter.happened(Fact::Accepts { balance }),
        Err(stale) => {
            chapter.happened(Fact::Refuses { highest: stale.highest });
            again(world, &a).await?;
        }
    }
    drop(of_a.release().await);
    Ok(())
}

/// What a refused holder does: it acquires again, and repeats its work on a new read.
async fn again(world: &World<'_>, a: &redfence::Redlock) -> Result<(), Failure> {
    let guard = world.acquire(a, PATIENCE).await.map_err(|error| Failure::acquire(&error, a, false))?;
    let token = guard.token();
    if let Ok(read) = world.ledger.read(token)
        && world.ledger.write(token, read + 1).is_ok()
    {
        world.chapter.happened(Fact::UpdatesAgain { read, token });
    }
    drop(guard.release().await);
    Ok(())
}
