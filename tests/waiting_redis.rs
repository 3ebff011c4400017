//! Waiting on real servers costs no commands, and the first in the queue is woken, with every version of the protocol.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use redfence::node::redis::Prefix;
use redfence::{HandOver, QueueEntry, Redlock, Resource};
use support::set::patiently_over;
use support::{RedisServer, eventually, servers};

const PROMPT: Duration = Duration::from_secs(10);
/// How long no process may ask. A process that asked after pauses would do so several times.
const WATCHED: Duration = Duration::from_millis(1_500);

/// How to connect to a server, and the commands to configure it first.
struct Way {
    name: &'static str,
    setup: &'static [&'static str],
    url: fn(&RedisServer) -> String,
}

const WAYS: [Way; 3] = [
    Way { name: "RESP3", setup: &["PING"], url: RedisServer::url },
    Way {
        name: "RESP2, as the address wants it",
        setup: &["PING"],
        url: |server| format!("{}?protocol=resp2", server.url()),
    },
    Way {
        name: "RESP2, for HELLO is not permitted",
        setup: &["ACL", "SETUSER", "old", "on", ">pw", "~*", "&*", "+@all", "-hello"],
        url: |server| server.url().replace("://", "://old:pw@"),
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_costs_no_commands_and_a_release_wakes_the_first() {
    for Way { name, setup, url } in WAYS {
        let servers = servers(3);
        for server in &servers {
            assert!(!server.command(setup).starts_with("(error)"), "{name}");
        }
        let holder = patiently_over(&servers).connect().await.unwrap();
        let guard = holder.acquire("r").await.unwrap();
        let waiting = lockers(&servers, url, 4).await;
        let tasks: Vec<_> = waiting
            .iter()
            .map(|locker| {
                let locker = locker.clone();
                tokio::spawn(async move {
                    let guard = locker.acquire("r").await.unwrap();
                    let token = guard.token();
                    drop(guard.release().await);
                    token
                })
            })
            .collect();
        // One more node may have been asked before its subscription was active: then that node will not wake it, and
        // need not.
        eventually(PROMPT, &format!("each is in a quorum of queues, {name}"), async || in_a_quorum(&servers) == 4)
            .await;
        let quiet = quiet_for(&servers, WATCHED).await;
        assert!(quiet.is_some(), "{name}: some process asks again and again");
        let before = grants(&servers);
        drop(guard.release().await);
        for task in tasks {
            assert!(
                tokio::time::timeout(PROMPT, task)
                    .await
                    .unwrap_or_else(|_| panic!("{name}: no process was woken"))
                    .is_ok()
            );
        }
        let asked = grants(&servers) - before;
        // Four leases of three grants each. A process that a quorum has woken may ask before the last node is free.
        assert!(asked <= 3 * 4 * 4, "{name}: {asked} grants for four leases");
        for locker in &waiting {
            locker.drain(PROMPT).await;
        }
    }
}

async fn lockers(servers: &[RedisServer], url: fn(&RedisServer) -> String, count: usize) -> Vec<Redlock> {
    let mut lockers = Vec::new();
    for _ in 0..count {
        let builder =
            Redlock::builder().urls(servers.iter().map(url)).hand_over(HandOver::Off).node_timeout(PROMPT / 2);
        lockers.push(builder.wait_max(PROMPT * 6).connect().await.unwrap());
    }
    lockers
}

/// How many wait for `r` in the queues of a quorum.
fn in_a_quorum(servers: &[RedisServer]) -> usize {
    let queue = Prefix::default().queue(&Resource::new("r").unwrap());
    let mut queued_at: BTreeMap<String, usize> = BTreeMap::new();
    for server in servers {
        for entry in server.command(&["ZRANGE", &queue, "0", "-1"]).lines() {
            *queued_at.entry(entry.to_owned()).or_default() += 1;
        }
    }
    queued_at.values().filter(|nodes| **nodes > servers.len() / 2).count()
}

/// How many wait for `r`, as the server knows.
fn queued(server: &RedisServer) -> u64 {
    let queue = Prefix::default().queue(&Resource::new("r").unwrap());
    server.command(&["ZCARD", &queue]).trim_start_matches("(integer) ").parse().unwrap()
}

/// How often servers were asked for a lock: a grant is the only script that uses SET.
fn grants(servers: &[RedisServer]) -> u64 {
    servers.iter().map(|server| calls(server, "set")).sum()
}

/// How often a server ran a command, for any caller.
fn calls(server: &RedisServer, command: &str) -> u64 {
    let stats = server.command(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|line| line.split(',').next()?.parse::<u64>().ok()).unwrap_or(0)
}

/// Waits until no process has asked for `span`; `None` if that never happens.
async fn quiet_for(servers: &[RedisServer], span: Duration) -> Option<u64> {
    for _ in 0..4 {
        let before = grants(servers);
        tokio::time::sleep(span).await;
        if grants(servers) == before {
            return Some(before);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_passes_inside_a_process_wakes_no_other_until_it_is_done() {
    const SECTIONS: usize = 90;
    let servers = servers(3);
    let builder = patiently_over(&servers).hand_over(HandOver::Off).turn_max(u32::MAX, PROMPT * 6);
    let busy = builder.connect().await.unwrap();
    let first = busy.acquire("r").await.unwrap();
    let rival = lockers(&servers, RedisServer::url, 1).await.remove(0);
    let waits = {
        let rival = rival.clone();
        tokio::spawn(async move { drop(rival.acquire("r").await.unwrap().release().await) })
    };
    eventually(PROMPT, "the rival is in the queue", async || servers.iter().all(|server| queued(server) == 1)).await;
    // All of them wait from the beginning: each passes the lock on to the next.
    let (mut sections, mut lined_up) = (tokio::task::JoinSet::new(), Vec::new());
    for _ in 0..SECTIONS {
        let busy = busy.clone();
        let (waiting, is_waiting) = tokio::sync::oneshot::channel();
        sections.spawn(async move {
            let mut acquire = std::pin::pin!(busy.acquire("r"));
            // The first poll joins the local queue.
            assert!(futures::poll!(&mut acquire).is_pending());
            waiting.send(()).unwrap();
            drop(acquire.await.unwrap().release().await);
        });
        lined_up.push(is_waiting);
    }
    for one in lined_up {
        one.await.unwrap();
    }
    drop(first.release().await);
    while let Some(section) = sections.join_next().await {
        section.unwrap();
    }
    waits.await.unwrap();
    for locker in [&busy, &rival] {
        locker.drain(PROMPT).await;
    }
    let publishes = |server: &RedisServer| calls(server, "publish");
    // The last grant of the process, and the first attempt of each of the two before it waited.
    assert!(
        servers.iter().all(|server| publishes(server) <= 4),
        "{:?}",
        servers.iter().map(publishes).collect::<Vec<_>>()
    );
}

/// Any client of a server may write to a queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_entry_reserves_a_lock_for_longer_than_ten_seconds() {
    let servers = servers(1);
    let (queue, lock) = {
        let resource = Resource::new("r").unwrap();
        (Prefix::default().queue(&resource), Prefix::default().lock(&resource))
    };
    let holder = patiently_over(&servers).connect().await.unwrap();
    let guard = holder.acquire("r").await.unwrap();
    let waiting = patiently_over(&servers).connect().await.unwrap();
    let task = {
        let waiting = waiting.clone();
        tokio::spawn(async move { drop(waiting.acquire("r").await) })
    };
    eventually(PROMPT, "it is in the queue", async || queued(&servers[0]) == 1).await;
    let entry = servers[0].command(&["ZRANGE", &queue, "0", "-1"]);
    let waiter = QueueEntry::parse(&entry).unwrap().waiter();
    task.abort();
    eventually(PROMPT, "it has left the queue", async || queued(&servers[0]) == 0).await;
    // Wakes still reach this locker, but no task of it wants the lock.
    let meddled = format!("{}:1:86400000 x", waiter.locker);
    assert_eq!(servers[0].command(&["ZADD", &queue, "0", &meddled]), "1");
    drop(guard.release().await);
    let left = servers[0].command(&["PTTL", &lock]);
    assert!(left.parse::<i64>().unwrap() < 10_000, "reserved for {left} ms");
    assert!(holder.try_acquire("r").await.is_ok());
    drop(waiting);
}
