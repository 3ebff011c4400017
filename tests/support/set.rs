//! Lockers over real servers, and the state of the servers.

use std::time::Duration;

use redfence::node::redis::Prefix;
use redfence::{Builder, Redlock, Resource};

use super::{Proxy, RedisServer};

const PROMPT: Duration = Duration::from_secs(10);

/// A builder over servers, with timeouts that a busy machine does not reach.
pub fn patiently_over(servers: &[RedisServer]) -> Builder {
    let limit = Duration::from_secs(3);
    over(servers).ttl(Duration::from_secs(30)).node_timeout(limit).response_timeout(limit).dial_timeout(limit)
}

/// A builder over servers, in their order.
pub fn over(servers: &[RedisServer]) -> Builder {
    Redlock::builder().urls(servers.iter().map(RedisServer::url))
}

/// A builder over the proxies of servers.
pub fn through(proxies: &[Proxy]) -> Builder {
    Redlock::builder().urls(proxies.iter().map(Proxy::url))
}

/// Connects to all servers and levels the counters of `resource`, so that every server votes for a lease from then on.
/// The first lease of a slot starts its counters, each at a different time.
pub async fn levelled(builder: Builder, resource: &str) -> Redlock {
    let redlock = builder.connect().await.unwrap();
    redlock.drain(PROMPT).await;
    let guard = redlock.acquire(resource).await.unwrap();
    redlock.drain(PROMPT).await;
    drop(guard.release().await);
    redlock.drain(PROMPT).await;
    redlock
}

/// The key of the counter that `resource` draws from.
pub fn counter_of(resource: &str) -> String {
    Prefix::default().counter(&Resource::new(resource).unwrap())
}

/// A proxy in front of every server.
pub fn proxies(servers: &[RedisServer]) -> Vec<Proxy> {
    servers.iter().map(|server| Proxy::in_front_of(server.port())).collect()
}

/// The lock keys of a server.
pub fn locks(server: &RedisServer) -> Vec<String> {
    server.keys().into_iter().filter(|key| key.contains(":lock:")).collect()
}

/// One letter per server: `.` no lock at all, `x` some.
pub fn picture(servers: &[RedisServer]) -> String {
    servers.iter().map(|server| if locks(server).is_empty() { '.' } else { 'x' }).collect()
}

/// Deletes every lock and leaves the counters.
pub fn delete_locks(server: &RedisServer) {
    for key in locks(server) {
        server.command(&["DEL", &key]);
    }
}

/// The time left of the only lock on a server, by the server's clock.
pub fn lock_left(server: &RedisServer) -> Option<Duration> {
    let key = locks(server).pop()?;
    server.command(&["PTTL", &key]).parse().ok().map(Duration::from_millis)
}

/// The name of the lock key of `r`. Leaves the lock free.
pub async fn key_of_a_lock(redlock: &Redlock, server: &RedisServer) -> String {
    let guard = redlock.acquire("r").await.unwrap();
    redlock.drain(PROMPT).await;
    let key = locks(server).pop().unwrap();
    drop(guard.release().await);
    redlock.drain(PROMPT).await;
    key
}
