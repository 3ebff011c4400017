//! Foreign values at a key, and bytes from a server, may have any size and form: memory stays flat, and the leases on
//! the other nodes live on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::time::Duration;

use redfence::{AcquireError, LockView, Occupant, Redlock, Vote};
use support::set::{key_of_a_lock, locks, patiently_over};
use support::{RedisServer, eventually, servers};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const PROMPT: Duration = Duration::from_secs(20);
/// Growth below this counts as flat: it is less than one foreign value.
const FLAT_KB: usize = 15_000;
/// The size of a foreign value.
const FOREIGN: usize = 20_000_000;
/// One test at a time, because all tests share the memory of the process.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn r6_a_large_foreign_value_at_a_lock_is_another_programs_and_costs_nothing() {
    let _alone = ALONE.lock().await;
    let servers = servers(3);
    let redlock = patiently_over(&servers).connect().await.unwrap();
    let key = key_of_a_lock(&redlock, &servers[0]).await;
    let guard = redlock.acquire("another").await.unwrap();
    servers.iter().for_each(|server| foreign(server, &["SET", &key], FOREIGN));
    let before = resident_kb();
    for _ in 0..20 {
        let error = redlock.try_acquire("r").await.unwrap_err();
        let AcquireError::HeldWithoutTtl { votes, .. } = &error else { panic!("{error}") };
        let is_cut =
            |view: &LockView| matches!(view.lock.held_by(), Some(Occupant::Foreign(value)) if value.len() == 256);
        let is_short = |vote: &Vote| matches!(vote, Vote::Refused(view) if is_cut(view));
        assert!(votes.iter().filter(|(_, vote)| is_short(vote)).count() >= 2, "{votes:?}");
        assert!(error.to_string().len() < 1_000, "{error}");
        let inspection = redlock.admin().inspect("r").await.unwrap();
        assert!(inspection.rows.iter().all(|row| row.view.as_ref().is_ok_and(is_cut)));
        assert_eq!(redlock.admin().list("", 10).await.locks.len(), 2);
    }
    assert!(resident_kb() < before + FLAT_KB, "{} kB became {}", before, resident_kb());
    assert_eq!(guard.check(), Ok(()));
    // The cut value could be a part of a holder's value, and must not be read as that holder.
    servers.iter().for_each(|server| drop(server.command(&["SET", &key, ""])));
    let error = redlock.try_acquire("r").await.unwrap_err();
    assert!(matches!(&error, AcquireError::HeldWithoutTtl { .. }), "an empty value holds a lock as well: {error}");
    servers.iter().for_each(|server| drop(server.command(&["DEL", &key])));
    drop(redlock.try_acquire("r").await.unwrap());
}

#[tokio::test]
async fn r6_large_foreign_values_at_the_other_keys_are_bounded_as_well() {
    let _alone = ALONE.lock().await;
    let server = RedisServer::start();
    let redlock = patiently_over(std::slice::from_ref(&server)).connect().await.unwrap();
    let key = key_of_a_lock(&redlock, &server).await;
    let (counter, queue) = (key.replace(":lock:r", ":token"), key.replace(":lock:", ":queue:"));
    let count = server.command(&["GET", &counter]);
    let before = resident_kb();

    // A queue whose first entry begins like one of ours.
    foreign(&server, &["ZADD", &queue, "0"], FOREIGN);
    let view = redlock.admin().inspect("r").await.unwrap().rows.remove(0).view.unwrap();
    assert_eq!((view.waiting, view.first.map(|first| first.to_string().len())), (1, Some(256)));
    drop(redlock.acquire("r").await.unwrap().release().await);
    redlock.drain(PROMPT).await;
    assert_eq!(locks(&server), [""; 0], "it is not woken and holds nothing");

    foreign(&server, &["SET", &counter], FOREIGN);
    for _ in 0..5 {
        let error = redlock.try_acquire("r").await.unwrap_err().to_string();
        assert!(error.contains("wrong type of key") && error.len() < 1_000, "{error}");
        assert_eq!(redlock.admin().inspect("r").await.unwrap().rows.remove(0).view.unwrap().counter, 0);
    }
    server.command(&["SET", &counter, &count]);

    // Not the name of a lock.
    let long = format!("{}{}", key, "x".repeat(1_000_000));
    server.command(&["SET", &long, "v"]);
    assert!(redlock.admin().list("", 10).await.locks.is_empty());
    server.command(&["DEL", &long]);

    let joined = server.command(&["HGET", "redfence:node", "run_id"]);
    foreign(&server, &["HSET", "redfence:node", "run_id"], FOREIGN);
    redlock.look().await;
    let found = redlock.try_acquire("r").await.map(drop).map_err(|error| error.to_string());
    assert!(found.is_err(), "a record of another run: it rests");
    assert!(joined.len() < 100 && resident_kb() < before + FLAT_KB, "{} kB became {}", before, resident_kb());
}

/// What a hostile server does, during the login or after it.
#[derive(Debug, Clone, Copy)]
enum Hostility {
    PoursBytes,
    PoursMessages,
    PoursWithinAText,
    Nests,
    AnnouncesParts,
    AnnouncesBytes,
    NeverEnds,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r6_memory_stays_flat_against_a_server_that_pours_nests_or_never_ends() {
    let _alone = ALONE.lock().await;
    use Hostility::*;
    let servers = servers(2);
    let before = resident_kb();
    for hostility in [PoursBytes, PoursMessages, PoursWithinAText, Nests, AnnouncesParts, AnnouncesBytes, NeverEnds] {
        for at_login in [true, false] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let hostile = format!("redis://{}", listener.local_addr().unwrap());
            let server = tokio::spawn(async move {
                let mut clients = tokio::task::JoinSet::new();
                loop {
                    let (client, _) = listener.accept().await.unwrap();
                    clients.spawn(serve(client, hostility, at_login));
                }
            });
            let urls = servers.iter().map(RedisServer::url).chain([hostile]);
            let brief = Duration::from_millis(300);
            let builder = Redlock::builder().urls(urls).node_timeout(brief).response_timeout(brief).dial_timeout(brief);
            let redlock = builder.ttl(Duration::from_secs(2)).connect().await.unwrap();
            let guard = redlock.acquire("r").await.unwrap();
            let ends_at = guard.lease().valid_until;
            let mut most = 0;
            eventually(PROMPT, "the lease is renewed on the good nodes", async || {
                most = most.max(resident_kb());
                guard.lease().valid_until > ends_at
            })
            .await;
            assert_eq!(guard.check(), Ok(()), "{hostility:?} {at_login}");
            drop(guard.release().await);
            assert!(most < before + FLAT_KB, "{hostility:?} {at_login}: {before} kB became {most}");
            server.abort();
        }
    }
}

/// Answers a login first, or not. Then is hostile until the client hangs up.
async fn serve(mut client: TcpStream, hostility: Hostility, at_login: bool) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = client.read(&mut bytes).await {
        let said = String::from_utf8_lossy(&bytes[..count]).into_owned();
        if at_login || said.contains("SCRIPT") || said.contains("EVAL") {
            break;
        }
        let hello = if said.contains("HELLO") { "%1\r\n+proto\r\n:3\r\n" } else { "" };
        let others = "+OK\r\n".repeat(said.matches("CLIENT").count());
        let _ = client.write_all(format!("{hello}{others}").as_bytes()).await;
    }
    let (begin, more): (&[u8], &[u8]) = match hostility {
        Hostility::PoursBytes => (b"", b"xxxxxxxxxxxxxxxx"),
        Hostility::PoursMessages => (b"", b">2\r\n+invalidate\r\n_\r\n"),
        Hostility::PoursWithinAText => (b"$500000000\r\n", b"xxxxxxxxxxxxxxxx"),
        Hostility::Nests => (b"", b"*1\r\n*1\r\n*1\r\n*1\r\n"),
        Hostility::AnnouncesParts => (b"*4611686018427387904\r\n", b":1\r\n:1\r\n:1\r\n"),
        Hostility::AnnouncesBytes => (b"$4611686018427387904\r\n", b"x"),
        Hostility::NeverEnds => (b"*3\r\n:1\r\n", b""),
    };
    let _ = client.write_all(begin).await;
    let more = more.repeat(4_096);
    while !more.is_empty() && client.write_all(&more).await.is_ok() {}
    while let Ok(1..) = client.read(&mut bytes).await {}
}

/// Lets the server append `size` bytes to a command.
fn foreign(server: &RedisServer, words: &[&str], size: usize) {
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let script =
        format!("return redis.call({}, string.rep('0123456789abcdef:1:20 ', {}))", quoted.join(", "), size / 21);
    let answer = server.command(&["EVAL", &script, "0"]);
    assert!(!answer.starts_with("(error)"), "{answer}");
}

/// How much memory this process has in use, in kB.
fn resident_kb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
