//! Connections that reset, go silent, or refuse, between lockers and real servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redfence::node::redis::{Address, RedisNode, RedisNodeOptions};
use redfence::node::{Node, ReplySink, Responder, ask};
use redfence::protocol::{FaultKind, Reply, Request, Verb, VerbKind};
use redfence::{Builder, ExtendError, Guard, NodeId, Redlock, ReleaseOutcome};
use support::fault_node::{holder, subject};
use support::set::{locks, picture, proxies, through};
use support::{Events, Proxy, RedisServer, eventually, servers};

const PROMPT: Duration = Duration::from_secs(10);
/// So long that no test sees a lock end by itself.
const TTL: Duration = Duration::from_secs(30);
/// How long dials are counted; with the pauses there are about nine.
const WATCHED: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_connection_reset_in_the_middle_of_a_held_lease_does_not_lose_it() {
    let servers = servers(3);
    let proxies = proxies(&servers);
    let redlock = prompt(&proxies).ttl(Duration::from_secs(2)).connect().await.unwrap();
    let guard = redlock.acquire("r").await.unwrap();
    let (token, first_end) = (guard.token(), guard.lease().valid_until);
    for _ in 0..3 {
        let ends_at = guard.lease().valid_until;
        proxies.iter().for_each(Proxy::reset_all);
        eventually(PROMPT, "renewal goes on over new connections", async || guard.lease().valid_until > ends_at).await;
        assert_eq!((guard.check(), guard.token()), (Ok(()), token));
    }
    assert!(guard.lease().valid_until > first_end);
    assert!(!matches!(guard.release().await, ReleaseOutcome::AlreadyExpired | ReleaseOutcome::TakenByOther { .. }));
}

#[tokio::test]
async fn a_connection_that_goes_silent_is_dropped_and_not_kept() {
    let events = Events::captured();
    let servers = servers(3);
    let proxies = proxies(&servers);
    let redlock = prompt(&proxies).connect().await.unwrap();
    drop(redlock.acquire("r").await.unwrap().release().await);
    redlock.drain(PROMPT).await;
    let before = connection(&servers[0]).expect("a connection in use");

    proxies[0].blackhole(true);
    drop(redlock.acquire("r").await.unwrap().release().await);
    eventually(PROMPT, "the silence is noticed", async || !events.lines_with("connection dropped").is_empty()).await;
    proxies[0].blackhole(false);
    eventually(PROMPT, "the node votes again, over another connection", async || {
        let guard = redlock.acquire("r").await.unwrap();
        redlock.drain(PROMPT).await;
        let voted = picture(&servers) == "xxx";
        drop(guard.release().await);
        voted && connection(&servers[0]) > Some(before)
    })
    .await;
    redlock.drain(PROMPT).await;
    eventually(PROMPT, "and nothing is left", async || picture(&servers) == "...").await;
}

#[tokio::test]
async fn an_outage_is_logged_once_and_not_at_each_dial() {
    let events = Events::captured();
    let servers = servers(3);
    let proxies = proxies(&servers);
    let redlock = prompt(&proxies).connect().await.unwrap();
    proxies[0].refuse(true);
    proxies[0].reset_all();
    let node = format!("node=\"127.0.0.1:{}\"", proxies[0].port());
    let warnings = || events.lines_with("cannot connect").iter().filter(|line| line.contains(&node)).count();
    let mut attempts = 0;
    eventually(PROMPT, "the outage is noticed", async || {
        attempts += 1;
        drop(redlock.acquire("r").await.unwrap().release().await);
        attempts > 50 && warnings() > 0
    })
    .await;
    assert_eq!(warnings(), 1, "{}", events.text());
}

#[tokio::test]
async fn l15_a_release_that_met_a_reset_is_repeated_long_before_the_lock_would_end() {
    let servers = servers(3);
    let proxies = proxies(&servers);
    let redlock = prompt(&proxies).connect().await.unwrap();
    let guard = held_everywhere(&redlock, &servers).await;
    for proxy in &proxies[1..] {
        proxy.refuse(true);
        proxy.reset_all();
    }
    let outcome = guard.release().await;
    assert!(matches!(&outcome, ReleaseOutcome::Unknown { faults, .. } if faults.len() >= 2), "{outcome:?}");
    proxies.iter().for_each(|proxy| proxy.refuse(false));
    eventually(PROMPT, "the releases are repeated", async || picture(&servers) == "...").await;
}

#[tokio::test]
async fn l15_the_retry_survives_the_locker_that_started_it() {
    let servers = servers(3);
    let proxies = proxies(&servers);
    let redlock = prompt(&proxies).connect().await.unwrap();
    let guard = held_everywhere(&redlock, &servers).await;
    drop(redlock);
    proxies[2].refuse(true);
    proxies[2].reset_all();
    drop(guard);
    eventually(PROMPT, "the others let go", async || picture(&servers) == "..x").await;
    proxies[2].refuse(false);
    eventually(PROMPT, "and then the last", async || picture(&servers) == "...").await;
}

#[tokio::test]
async fn l7_an_extension_that_fails_leaves_the_lock_and_a_later_one_succeeds() {
    let servers = servers(3);
    let proxies = proxies(&servers);
    let redlock = prompt(&proxies).renewed(false).connect().await.unwrap();
    let guard = held_everywhere(&redlock, &servers).await;
    let (token, ends_at) = (guard.token(), guard.lease().valid_until);
    for proxy in &proxies[1..] {
        proxy.refuse(true);
        proxy.reset_all();
    }
    let outcome = guard.extend().await;
    assert!(matches!(outcome, Err(ExtendError::NoQuorum { .. })), "{outcome:?}");
    assert_eq!((picture(&servers).as_str(), guard.lease().valid_until), ("xxx", ends_at));
    assert_eq!(guard.check(), Ok(()));

    proxies.iter().for_each(|proxy| proxy.refuse(false));
    eventually(PROMPT, "the blip is over", async || guard.extend().await.is_ok()).await;
    assert_eq!(guard.token(), token);
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
}

#[tokio::test]
async fn a_late_grant_of_a_slow_server_is_rolled_back() {
    let servers = servers(3);
    let proxies = proxies(&servers);
    let redlock = prompt(&proxies).connect().await.unwrap();
    for polls in 0..3 {
        proxies[2].blackhole(true);
        let guard = redlock.acquire("r").await.unwrap();
        redlock.try_acquire("r").await.unwrap_err();
        let outcome = guard.release().await;
        assert!(matches!(outcome, ReleaseOutcome::Released { nodes } if nodes.len() == 2), "{polls}: {outcome:?}");
        assert_eq!(locks(&servers[2]), [""; 0]);
        // The grants arrive now; their releases are behind them, on the same connection or repeated on the next.
        proxies[2].blackhole(false);
        redlock.drain(PROMPT).await;
        eventually(PROMPT, "nothing is left", async || picture(&servers) == "...").await;
    }
}

/// A lease that every server has granted: on a busy machine one may be late at first.
async fn held_everywhere(redlock: &Redlock, servers: &[RedisServer]) -> Guard {
    let mut guard = None;
    eventually(PROMPT, "every server grants", async || {
        drop(guard.take());
        guard = redlock.acquire("r").await.ok();
        redlock.drain(PROMPT).await;
        picture(servers) == "xxx"
    })
    .await;
    guard.unwrap()
}

/// A locker that notices faults soon.
fn prompt(proxies: &[Proxy]) -> Builder {
    let soon = Duration::from_millis(250);
    through(proxies).ttl(TTL).node_timeout(soon).response_timeout(soon)
}

/// The server's id of the newest connection that runs our scripts.
fn connection(server: &RedisServer) -> Option<u64> {
    let list = server.command(&["CLIENT", "LIST"]);
    let ours = list.lines().filter(|line| line.contains("cmd=eval"));
    ours.filter_map(|line| line.split_whitespace().find_map(|word| word.strip_prefix("id="))?.parse().ok()).max()
}

/// Counts requests that are refused at once as overloaded.
#[derive(Default)]
struct Refusals(AtomicUsize);

impl ReplySink for Refusals {
    fn deliver(&self, _: NodeId, _: VerbKind, reply: Reply) {
        let refused = matches!(&reply, Reply::Failed(fault) if fault.kind == FaultKind::Overloaded);
        self.0.fetch_add(usize::from(refused), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn requests_that_wait_for_a_hung_server_are_bounded_and_releases_never_refused() {
    const HANDED_IN: usize = RedisNode::QUEUE_MAX + 1_000;
    let server = &servers(1)[0];
    let address = Address::parse(&server.url()).unwrap();
    let options = RedisNodeOptions { response_timeout: PROMPT * 6, dial_timeout: PROMPT * 6, ..Default::default() };
    let node = RedisNode::open(address, options).unwrap();
    let subject = subject("r", &holder("somebody", 1));
    let request = |verb| Request { subject: Arc::clone(&subject), verb };
    assert!(matches!(ask(&node, request(Verb::Inspect)).await, Reply::Inspected(_)));
    server.pause();
    let grant = Verb::Grant { ttl: TTL, floor: 0, block: 1, waits: None };
    // The first requests are on their way. The requests behind them wait, up to the bound.
    for (verb, waiting_max) in [(Verb::Extend { ttl: TTL }, RedisNode::QUEUE_MAX / 8), (grant, RedisNode::QUEUE_MAX)] {
        let refusals = Arc::new(Refusals::default());
        for _ in 0..HANDED_IN {
            let sink = Arc::clone(&refusals) as Arc<dyn ReplySink>;
            node.send(request(verb.clone()), Responder::to(sink, NodeId::new(0).unwrap(), verb.kind()));
        }
        let waiting = HANDED_IN - refusals.0.load(Ordering::SeqCst);
        assert!(waiting <= waiting_max + 256, "{verb:?}: {waiting} wait");
        assert!(waiting >= waiting_max / 2, "{verb:?}: {waiting} wait");
    }
    let refusals = Arc::new(Refusals::default());
    let sink = Arc::clone(&refusals) as Arc<dyn ReplySink>;
    node.send(request(Verb::RELEASE), Responder::to(sink, NodeId::new(0).unwrap(), Verb::RELEASE.kind()));
    assert_eq!(refusals.0.load(Ordering::SeqCst), 0, "a release is queued, however many requests wait");
}

/// A server that accepts every login and hangs up at the first script.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successful_login_does_not_remove_the_pause_between_dials() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let dials = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&dials);
    let server = tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = client.read(&mut bytes).await {
                    let said = String::from_utf8_lossy(&bytes[..count]).into_owned();
                    if said.contains("SCRIPT") || said.contains("EVAL") {
                        return;
                    }
                    // An answer to each command of the login.
                    let answers = if said.contains("HELLO") { "%1\r\n+proto\r\n:3\r\n" } else { "" };
                    let others = said.matches("CLIENT").count();
                    let _ = client.write_all(format!("{answers}{}", "+OK\r\n".repeat(others)).as_bytes()).await;
                }
            });
        }
    });
    let url = format!("redis://127.0.0.1:{port}");
    let node = RedisNode::open(Address::parse(&url).unwrap(), RedisNodeOptions::default()).unwrap();
    let redlock = Redlock::builder().node(node).build().unwrap();
    assert!(redlock.try_acquire("r").await.is_err());
    let count = || dials.load(Ordering::SeqCst);
    // The probe of each new connection is a script, so the server ends the connection.
    eventually(PROMPT, "it dials again", async || count() >= 2).await;
    tokio::time::sleep(WATCHED).await;
    assert!(count() <= 40, "{} dials, {WATCHED:?} after the second", count());
    server.abort();
}

/// Rubbish does not count as an answer; nor does one answer before the server hangs up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r3_neither_rubbish_nor_a_single_answer_removes_the_pause_between_dials() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = &servers(1)[0];
    for is_rubbish in [true, false] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, real) = (listener.local_addr().unwrap().port(), server.url().rsplit_once(':').unwrap().1.to_owned());
        let dials = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&dials);
        let between = tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                let real = format!("127.0.0.1:{real}");
                tokio::spawn(async move {
                    let mut real = tokio::net::TcpStream::connect(real).await.unwrap();
                    let (mut said, mut answered) = ([0; 65_536], [0; 65_536]);
                    while let Ok(count @ 1..) = client.read(&mut said).await {
                        let is_script = String::from_utf8_lossy(&said[..count]).contains("EVAL");
                        if is_script && is_rubbish {
                            let _ = client.write_all("+hello there\r\n".repeat(50).as_bytes()).await;
                            continue;
                        }
                        real.write_all(&said[..count]).await.unwrap();
                        let Ok(count @ 1..) = real.read(&mut answered).await else { return };
                        if client.write_all(&answered[..count]).await.is_err() || is_script {
                            return;
                        }
                    }
                });
            }
        });
        let node =
            RedisNode::open(Address::parse(&format!("redis://127.0.0.1:{port}")).unwrap(), RedisNodeOptions::default());
        let redlock = Redlock::builder().node(node.unwrap()).build().unwrap();
        drop(redlock.try_acquire("r").await);
        let count = || dials.load(Ordering::SeqCst);
        eventually(PROMPT, "it dials again", async || count() >= 2).await;
        tokio::time::sleep(WATCHED).await;
        assert!(count() <= 100, "{} dials, {WATCHED:?} after the second, rubbish: {is_rubbish}", count());
        between.abort();
    }
}
