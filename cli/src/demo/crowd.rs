//! The second act: many workers acquire the lock while nodes die.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::try_join_all;
use redfence::verifier::StaleToken;
use redfence::{Clock as _, Entropy, FencingToken, Moment, SystemClock};

use super::fact::Fact;
use super::fact::Tone::{Bad, Good, Plain};
use super::timeline::Chapter;
use super::world::{OVERLONG, World};
use crate::failure::Failure;

const WORKERS: usize = 6;
/// How long the workers work.
const WORK: Duration = Duration::from_millis(2_700);
/// The time between the deaths of two nodes.
const CALM: Duration = Duration::from_millis(800);
/// The most nodes that die in this act.
const DEATHS_MAX: usize = 2;
/// When a worker is paused for too long: the next one that acquires the lock.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(1_400)];
/// The longest normal pause within a section.
const SHORT_PAUSE_MS_MAX: u32 = 4;

/// How many sections began after each death, which shows that acquires still succeed.
pub(super) struct Deaths {
    pub(super) sections_after: Vec<usize>,
}

/// The state that the workers share.
struct Shift<'a> {
    world: &'a World<'a>,
    began: Moment,
    pauses: Mutex<Vec<Duration>>,
    entropy: Entropy,
}

/// Lets the workers work until the time is over, and lets nodes die as long as a quorum remains.
pub(super) async fn play(world: &World<'_>) -> Result<Deaths, Failure> {
    let many = format!("{WORKERS} workers raise the balance by one, again and again, each under the lock");
    world.chapter.say("workers", Plain, &many);
    let pauses = Mutex::new(PAUSES.into_iter().rev().collect());
    let shift = Shift { world, began: SystemClock.now(), pauses, entropy: Entropy::from_system() };
    let work = try_join_all((1..=WORKERS).map(|number| shift.work(number)));
    let (worked, deaths) = tokio::join!(work, deaths(world));
    worked.map(|_| deaths)
}

impl Shift<'_> {
    async fn work(&self, number: usize) -> Result<(), Failure> {
        let name = format!("worker {number}");
        let redlock = self.world.locker(&name)?;
        loop {
            let left = WORK.saturating_sub(SystemClock.now().since(self.began));
            if left.is_zero() {
                return Ok(());
            }
            // Other workers may have the lock until the time is over. The figures show whether acquires still
            // succeed.
            if let Ok(guard) = self.world.acquire(&redlock, left).await {
                self.section(&name, guard.token()).await;
                drop(guard.release().await);
                // Gives other workers a chance to acquire.
                tokio::task::yield_now().await;
            }
        }
    }

    /// One section: reads, pauses, writes.
    async fn section(&self, name: &str, token: FencingToken) {
        let (ledger, chapter) = (&self.world.ledger, &self.world.chapter);
        let Ok(read) = ledger.read(token) else { return };
        if self.is_time_for_a_pause() {
            chapter.say_with_token(name, Bad, "is paused beyond its time to live, in mid-section", token);
            tokio::time::sleep(OVERLONG).await;
            say(chapter, name, ledger.write(token, read + 1), read + 1, token);
        } else {
            let pause_ms = 1 + self.entropy.u32() % SHORT_PAUSE_MS_MAX;
            tokio::time::sleep(Duration::from_millis(pause_ms.into())).await;
            // The ledger counts the write, accepted or refused.
            let _ = ledger.write(token, read + 1);
        }
    }

    /// Returns true once for each of the pauses.
    fn is_time_for_a_pause(&self) -> bool {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let since = SystemClock.now().since(self.began);
        pauses.pop_if(|at| since >= *at).is_some()
    }
}

/// Prints what happened to the write of a worker that woke too late.
fn say(chapter: &Chapter<'_>, name: &str, written: Result<u64, StaleToken>, balance: u64, token: FencingToken) {
    match written {
        Ok(replaced) if replaced < balance => {
            chapter.say_with_token(name, Plain, "wakes and writes: no other write came in between", token);
        }
        Ok(replaced) => {
            let text = format!("wakes and writes {balance} over {replaced}: accepted, though stale");
            chapter.say_with_token(name, Bad, &text, token);
        }
        Err(_) => chapter.say_with_token(name, Good, "wakes and writes: refused as stale", token),
    }
}

async fn deaths(world: &World<'_>) -> Deaths {
    let (nodes, chapter) = (world.nodes, &world.chapter);
    let mut sections_after = Vec::new();
    for _ in 0..nodes.spare().min(DEATHS_MAX) {
        tokio::time::sleep(CALM).await;
        let before = world.sections();
        let Some(name) = nodes.kill_one() else { break };
        let (alive, all, needed) = (nodes.alive(), nodes.names.len(), nodes.needed());
        chapter.happened(Fact::Dies { node: name.to_owned(), alive, all, needed });
        sections_after.push(before);
    }
    tokio::time::sleep(CALM).await;
    let end = world.sections();
    let after: Vec<usize> = sections_after.iter().map(|before| end - before).collect();
    if let Some(after) = after.first() {
        chapter.say("workers", Good, &format!("went on: {after} sections since the first node died"));
    }
    Deaths { sections_after: after }
}
