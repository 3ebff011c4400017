//! The disasters themselves, and what a careless operator or client does after each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use redfence::{Builder, Redlock};
use tokio::task::block_in_place;

use super::clockwork::{step_clock, timed_server};
use super::scene::{MAX_TTL, RESOURCE, Scene};
use crate::support::deadline::poll_until;
use crate::support::set::counter_of;
use crate::support::{Proxy, RedisServer};

const LIMIT: Duration = Duration::from_secs(10);
/// How long to wait for a late grant, and how often to make one: the first may not have been sent at all.
const LATE_MAX: Duration = Duration::from_millis(800);
const LATE_ATTEMPTS_MAX: usize = 10;
const HOUR_S: i64 = 3_600;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    RestartEmpty,
    OldSnapshot,
    AofTail,
    MajorityOneByOne,
    AllAtOnce,
    Promotion,
    FlushAll,
    FlushAllNodes,
    FlushDb,
    DelCounter,
    Eviction,
    Replaced,
    ClockForward { majority: bool },
    ClockBack { majority: bool },
    Resets,
    Delays,
    LateGrant,
}

impl Fault {
    /// The protection compares two looks at a clock: a locker that looked only once has no protection.
    pub const fn has_to_be_seen(self) -> bool {
        matches!(self, Self::ClockForward { .. })
    }

    /// Nothing goes wrong while the holder's lock is there: others acquire after it is gone.
    pub const fn shows_afterwards(self) -> bool {
        matches!(self, Self::DelCounter)
    }

    pub fn server(self) -> RedisServer {
        match self {
            Self::ClockForward { .. } | Self::ClockBack { .. } => timed_server(),
            Self::AofTail => RedisServer::with(&["--appendonly", "yes", "--appendfsync", "everysec"]),
            Self::Replaced => RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]),
            _ => RedisServer::with(&[]),
        }
    }

    /// The nodes that the disaster hits: the node that the two majorities share, if it hits only one.
    pub fn victims(self, scene: &Scene) -> Vec<usize> {
        let all = scene.servers.len();
        match self {
            Self::MajorityOneByOne | Self::ClockForward { majority: true } | Self::ClockBack { majority: true } => {
                (scene.middle()..all).collect()
            }
            Self::AllAtOnce | Self::FlushAllNodes => (0..all).collect(),
            Self::Resets | Self::Delays | Self::LateGrant => Vec::new(),
            _ => vec![scene.middle()],
        }
    }

    /// Runs before the lease that lives through the disaster.
    pub fn prepare(self, scene: &mut Scene) {
        let middle = scene.middle();
        match self {
            Self::OldSnapshot => assert_eq!(scene.servers[middle].command(&["SAVE"]), "OK"),
            Self::AofTail => {
                let file = append_only_file(&scene.servers[middle]);
                let length = std::fs::metadata(&file).expect("the log's length").len();
                scene.tail = Some((file, length));
            }
            Self::Promotion => {
                let line = Proxy::in_front_of(scene.servers[middle].port());
                let replica = RedisServer::with(&["--repl-diskless-sync-delay", "0"]);
                replica.command(&["REPLICAOF", "127.0.0.1", &line.port().to_string()]);
                let (there, counter) = (&scene.servers[middle], counter_of(RESOURCE));
                let follows = || {
                    let linked = replica.command(&["INFO", "replication"]).contains("master_link_status:up");
                    linked && replica.command(&["GET", &counter]) == there.command(&["GET", &counter])
                };
                poll_until(LIMIT, || follows().then_some(())).expect("the replica to follow");
                // From here on writes are acknowledged but do not reach the replica.
                line.blackhole(true);
                scene.replica = Some((replica, line));
            }
            _ => {}
        }
    }

    /// The disaster.
    pub async fn strike(self, scene: &mut Scene) {
        let middle = scene.middle();
        match self {
            Self::RestartEmpty | Self::OldSnapshot => scene.servers[middle].restart(),
            Self::AofTail => {
                scene.servers[middle].kill();
                let (file, length) = scene.tail.clone().expect("the length before");
                let log = std::fs::OpenOptions::new().write(true).open(file).expect("the log");
                assert!(log.metadata().expect("its length").len() > length, "something was written since");
                log.set_len(length).expect("to cut the log");
                scene.servers[middle].restart();
            }
            Self::MajorityOneByOne => self.victims(scene).into_iter().for_each(|at| scene.servers[at].restart()),
            Self::AllAtOnce => {
                scene.servers.iter_mut().for_each(RedisServer::kill);
                scene.servers.iter_mut().for_each(RedisServer::restart);
            }
            Self::Promotion => promote(scene),
            Self::FlushAll => drop(scene.servers[middle].command(&["FLUSHALL"])),
            Self::FlushAllNodes => scene.servers.iter().for_each(|server| drop(server.command(&["FLUSHALL"]))),
            Self::FlushDb => drop(scene.servers[middle].command(&["FLUSHDB"])),
            Self::DelCounter => {
                assert_eq!(scene.servers[middle].command(&["DEL", &counter_of(RESOURCE)]), "1");
            }
            Self::Eviction => evict(&scene.servers[middle]),
            Self::Replaced => {
                let dir = directory(&scene.servers[middle]);
                scene.servers[middle].kill();
                let taken = std::fs::remove_dir_all(dir.join("appendonlydir"));
                // Servers before Redis 7 have one file.
                taken.or_else(|_| std::fs::remove_file(dir.join("appendonly.aof"))).expect("to take the data away");
                scene.servers[middle].restart();
            }
            Self::ClockForward { .. } => {
                self.victims(scene).into_iter().for_each(|at| step_clock(&scene.servers[at], HOUR_S));
            }
            Self::ClockBack { .. } => {
                for at in self.victims(scene) {
                    step_clock(&scene.servers[at], -HOUR_S);
                    scene.servers[at].restart();
                }
            }
            Self::LateGrant => deliver_late(scene).await,
            Self::Resets | Self::Delays => {}
        }
    }

    /// What a careless operator does instead of the protection.
    pub fn careless(self, scene: &Scene) {
        match self {
            // The snapshot brings its own counters.
            Self::OldSnapshot | Self::AofTail | Self::Promotion => vote_at_once(&scene.servers[scene.middle()], None),
            Self::LateGrant => {
                // Releases are not bound to one attempt: a late release removes any lock.
                scene.servers.iter().for_each(|server| drop(server.command(&["DEL", &lock_key()])));
            }
            Self::ClockBack { .. } => {
                for at in self.victims(scene) {
                    let server = &scene.servers[at];
                    let seconds: u64 = server.command(&["TIME"]).lines().next().unwrap().parse().unwrap();
                    vote_at_once(server, Some(seconds * 1_000_000));
                }
            }
            Self::ClockForward { .. } | Self::Resets | Self::Delays => {}
            _ => self
                .victims(scene)
                .into_iter()
                .for_each(|at| vote_at_once(&scene.servers[at], Some(scene.counters_before[at]))),
        }
    }
}

/// Initializes a server as new: the first step of an installation.
pub fn found(server: &RedisServer) {
    let script = include_str!("../../src/node/redis/join.lua");
    let max_ttl = MAX_TTL.as_millis().to_string();
    server.command(&["FLUSHALL"]);
    let answer = server.command(&[
        "EVAL",
        script,
        "1",
        "redfence:node",
        "initialize",
        "redfence",
        max_ttl.as_str(),
        "0",
        "",
        "0",
        "1",
    ]);
    assert!(!answer.starts_with("(error)"), "{answer}");
}

/// The node takes part at once: its record says that it never stopped, and missing counters start at `counter`.
fn vote_at_once(server: &RedisServer, counter: Option<u64>) {
    const SCRIPT: &str = "
        local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
        redis.call('HSET', 'redfence:node', 'format', 1, 'run_id', run_id, 'ready_at_ms', 0, 'max_ttl_ms', ARGV[1],
            'awake', 1, 'new', 0)
        if ARGV[2] ~= '' then
            for slot = 0, 1023 do
                redis.call('SET', '{redfence:' .. slot .. '}:token', ARGV[2], 'NX')
            end
        end
        return 'OK'";
    let max_ttl = MAX_TTL.as_millis().to_string();
    let counter = counter.map_or_else(String::new, |counter| counter.to_string());
    assert_eq!(server.command(&["EVAL", SCRIPT, "0", &max_ttl, &counter]), "OK");
}

pub fn lock_key() -> String {
    let resource = redfence::Resource::new(RESOURCE).unwrap();
    redfence::node::redis::Prefix::default().lock(&resource)
}

fn directory(server: &RedisServer) -> PathBuf {
    let answer = server.command(&["CONFIG", "GET", "dir"]);
    Path::new(answer.lines().last().expect("a directory")).to_owned()
}

/// The append-only file that grows: one of many since Redis 7, the only one before.
fn append_only_file(server: &RedisServer) -> PathBuf {
    let dir = directory(server);
    let files = std::fs::read_dir(dir.join("appendonlydir")).into_iter().flatten();
    let files = files.map(|entry| entry.expect("a log").path());
    let newest = files.filter(|file| file.to_string_lossy().ends_with(".incr.aof")).max();
    newest.unwrap_or_else(|| dir.join("appendonly.aof"))
}

/// The master dies, and the replica takes its place and its address.
fn promote(scene: &mut Scene) {
    let middle = scene.middle();
    scene.servers[middle].kill();
    let (replica, line) = scene.replica.as_ref().expect("a replica");
    line.reset_all();
    replica.command(&["REPLICAOF", "NO", "ONE"]);
    let port = scene.servers[middle].port().to_string();
    assert_eq!(replica.command(&["CONFIG", "SET", "port", &port]), "OK");
}

/// Fills the memory until the lock and the counter are gone, and then gives the server memory again.
fn evict(server: &RedisServer) {
    let info = server.command(&["INFO", "memory"]);
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("the memory in use");
    for (name, value) in [("maxmemory-samples", "16"), ("maxmemory-policy", "allkeys-lru"), ("maxmemory", used.trim())]
    {
        assert_eq!(server.command(&["CONFIG", "SET", name, value]), "OK");
    }
    const FILL: &str = "for i = 1, 50 do redis.call('SET', 'cache:' .. ARGV[1] .. ':' .. i, string.rep('x', 1000)) end";
    let mut wave = 0;
    poll_until(LIMIT, || {
        wave += 1;
        server.command(&["EVAL", FILL, "0", &wave.to_string()]);
        let left = server.command(&["EXISTS", &lock_key(), &counter_of(RESOURCE)]);
        (left == "0").then_some(())
    })
    .expect("the cache to push the lock out");
    assert_eq!(server.command(&["CONFIG", "SET", "maxmemory", "0"]), "OK");
}

/// An attempt times out. Its releases arrive over new connections, and after them its grants over the old ones.
async fn deliver_late(scene: &Scene) {
    let ports = scene.servers.iter().map(RedisServer::port);
    let slow: Vec<Proxy> = ports.map(Proxy::in_front_of).collect();
    let ghost = ghost(Redlock::builder().urls(slow.iter().map(Proxy::url))).connect().await.expect("all are well");
    // Its probes begin with its first attempt, and would go out before the grants.
    drop(ghost.try_acquire(RESOURCE).await);
    ghost.look().await;
    // No other locker draws from the last node: the holder is cut off from it, and the others wait.
    let last = scene.servers.last().expect("servers");
    let drawn = || last.command(&["GET", &counter_of(RESOURCE)]);
    let before = block_in_place(drawn);
    for _ in 0..LATE_ATTEMPTS_MAX {
        slow.iter().for_each(|proxy| proxy.set_delay_to_server(Duration::from_millis(500)));
        let given_up = tokio::time::timeout(Duration::from_millis(20), ghost.acquire(RESOURCE)).await;
        assert!(given_up.is_err(), "nothing gets through in time");
        slow.iter().for_each(|proxy| proxy.set_delay_to_server(Duration::ZERO));
        // If a probe was under way, the grant waited behind it and was never sent.
        let arrived = block_in_place(|| poll_until(LATE_MAX, || (drawn() != before).then_some(())));
        if arrived.is_ok() {
            return;
        }
        ghost.look().await;
    }
    panic!("no late grant arrived in {LATE_ATTEMPTS_MAX} attempts");
}

fn ghost(builder: Builder) -> Builder {
    builder
        .ttl(super::scene::TTL)
        .max_ttl(MAX_TTL)
        .response_timeout(Duration::from_millis(60))
        .node_timeout(Duration::from_millis(60))
        .label("ghost")
}
