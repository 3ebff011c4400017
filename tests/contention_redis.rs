//! Many tasks on one resource, over real servers: never two at a time, and every token greater than the one before.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redfence::verifier::{MemoryStore, Rule};
use redfence::{FencingToken, Redlock, ReleaseOutcome};
use support::set::{over, picture};
use support::{RedisServer, servers};

const PROMPT: Duration = Duration::from_secs(10);
const TASKS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_tasks_of_one_locker_take_turns() {
    let servers = servers(5);
    let locker = patient(&servers).await;
    let room = Arc::new(Room::default());
    take_turns(&room, (0..TASKS).map(|_| locker.clone()).collect(), 1).await;
    room.saw(TASKS);
    locker.drain(PROMPT).await;
    assert_eq!(picture(&servers), ".....");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_tasks_of_four_lockers_take_turns() {
    let servers = servers(3);
    let mut lockers = Vec::new();
    for _ in 0..4 {
        lockers.push(patient(&servers).await);
    }
    let room = Arc::new(Room::default());
    take_turns(&room, (0..TASKS).map(|task| lockers[task % 4].clone()).collect(), 1).await;
    room.saw(TASKS);
    for locker in &lockers {
        locker.drain(PROMPT).await;
    }
    assert_eq!(picture(&servers), "...");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn few_lockers_take_many_turns_while_a_server_comes_and_goes() {
    let mut servers = servers(3);
    let mut lockers = Vec::new();
    for _ in 0..4 {
        lockers.push(patient(&servers).await);
    }
    let room = Arc::new(Room::default());
    let turns = {
        let room = Arc::clone(&room);
        tokio::spawn(async move { take_turns(&room, lockers, 15).await })
    };
    for seen in [10, 30, 50] {
        support::eventually(PROMPT * 3, "the tasks get on", async || room.tokens() >= seen).await;
        // Frozen, not killed: other tests are about nodes that forget.
        servers[0].pause();
        servers.rotate_left(1);
        support::eventually(PROMPT * 3, "and without this server", async || room.tokens() >= seen + 5).await;
        servers.iter().for_each(RedisServer::resume);
    }
    turns.await.unwrap();
    room.saw(60);
}

/// A locker that waits long enough for a busy machine.
async fn patient(servers: &[RedisServer]) -> Redlock {
    over(servers).wait_max(Duration::from_secs(120)).connect().await.unwrap()
}

async fn take_turns(room: &Arc<Room>, lockers: Vec<Redlock>, turns: usize) {
    let tasks: Vec<_> = lockers
        .into_iter()
        .map(|locker| {
            let room = Arc::clone(room);
            tokio::spawn(async move {
                for _ in 0..turns {
                    let guard = locker.acquire("the room").await.unwrap();
                    room.enter(guard.token()).await;
                    let outcome = guard.release().await;
                    // The server that is frozen now may have been part of the lease's quorum.
                    let is_as_expected = matches!(
                        outcome,
                        ReleaseOutcome::Released { .. } | ReleaseOutcome::HandedOver | ReleaseOutcome::Unknown { .. }
                    );
                    assert!(is_as_expected, "{outcome:?}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// A room in which only one task may be at a time.
#[derive(Default)]
struct Room {
    occupied: AtomicBool,
    tokens: Mutex<Vec<FencingToken>>,
    fence: MemoryStore,
}

impl Room {
    async fn enter(&self, token: FencingToken) {
        assert!(!self.occupied.swap(true, Ordering::SeqCst), "two at a time, the second with {token}");
        tokio::task::yield_now().await;
        let room = redfence::Resource::new("the room").unwrap();
        self.fence.write(&room, token, Rule::Strict, || self.tokens.lock().unwrap().push(token)).unwrap();
        tokio::task::yield_now().await;
        assert!(self.occupied.swap(false, Ordering::SeqCst));
    }

    fn tokens(&self) -> usize {
        self.tokens.lock().unwrap().len()
    }

    fn saw(&self, visits: usize) {
        let tokens = self.tokens.lock().unwrap();
        assert_eq!(tokens.len(), visits);
        assert!(tokens.is_sorted_by(|earlier, later| earlier < later), "{tokens:?}");
    }
}
