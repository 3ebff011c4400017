//! What the doctor says of healthy servers, and of those that are not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use redfence::doctor::{Outcome, Report, minimal_rule};
use redfence::node::contract;
use redfence::node::redis::{Address, Prefix, RedisNode, RedisNodeOptions};
use redfence::{Builder, Redlock};
use support::set::over;
use support::{RedisServer, servers};

/// Nodes without a locker, as in the binary: connecting would refuse the very sets that the doctor must examine.
async fn examine(urls: &[String], set: impl FnOnce(Builder) -> Builder) -> Report {
    let mut builder = set(Redlock::builder());
    for url in urls {
        let node = RedisNode::open(Address::parse(url).unwrap(), RedisNodeOptions::default()).unwrap();
        let _ = node.dialled().await;
        builder = builder.node(node);
    }
    builder.build().unwrap().doctor().await
}

fn urls(servers: &[RedisServer]) -> Vec<String> {
    servers.iter().map(RedisServer::url).collect()
}

/// The names of the checks that found something bad about a node.
fn bad_of<'a>(report: &'a Report, server: &RedisServer) -> Vec<&'a str> {
    let port = format!(":{}", server.port());
    report.bad().filter(|f| f.node.as_ref().is_some_and(|node| node.ends_with(&port))).map(|f| f.check).collect()
}

fn could_not_check(report: &Report) -> Vec<&str> {
    let unknown = report.findings.iter().filter(|finding| matches!(finding.outcome, Outcome::Unknown { .. }));
    unknown.map(|finding| finding.check).collect()
}

#[tokio::test]
async fn five_healthy_servers_are_healthy() {
    let servers = servers(5);
    let report = over(&servers).connect().await.unwrap().doctor().await;
    assert!(report.is_healthy(), "{report}: {:?}", report.bad().collect::<Vec<_>>());
    // Servers before Redis 7 cannot be asked what a user may do.
    let (said, unknown) = match servers[0].is_redis_7() {
        true => ("healthy", vec![]),
        false => ("healthy, 5 could not be checked", vec!["permissions"; 5]),
    };
    assert_eq!((&*report.to_string(), could_not_check(&report)), (said, unknown));
    assert!(report.findings.len() > 40, "{report:?}");
}

#[tokio::test]
async fn an_eviction_policy_a_duplicate_and_a_replica_are_each_named_with_their_fix() {
    let servers = servers(4);
    servers[1].command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    servers[3].command(&["REPLICAOF", "127.0.0.1", &servers[2].port().to_string()]);
    support::eventually(std::time::Duration::from_secs(10), "the replica follows", async || {
        servers[2].command(&["INFO", "replication"]).contains("connected_slaves:1")
    })
    .await;
    let mut urls = urls(&servers);
    urls.push(format!("redis://localhost:{}", servers[0].port()));
    let report = examine(&urls, |builder| builder).await;
    assert!(!report.is_healthy() && report.has_quorum);
    assert_eq!(bad_of(&report, &servers[1]), ["eviction"]);
    assert!(bad_of(&report, &servers[2]).contains(&"replicas"), "{report:?}");
    assert!(bad_of(&report, &servers[3]).contains(&"role"), "{report:?}");
    let duplicate = report.bad().find(|finding| finding.check == "distinct").unwrap();
    assert!(duplicate.node.as_ref().unwrap().starts_with("localhost"), "{duplicate:?}");
    assert!(
        report
            .bad()
            .all(|f| matches!(&f.outcome, Outcome::Bad { risk, fix, .. } if !risk.is_empty() && !fix.is_empty()))
    );
}

#[tokio::test]
async fn numbers_of_nodes_that_make_no_sense_are_reported() {
    let servers = servers(4);
    for (count, bad) in [(1, true), (2, true), (3, false), (4, true)] {
        let report = examine(&urls(&servers[..count]), |builder| builder).await;
        assert_eq!(report.bad().any(|finding| finding.check == "count"), bad, "{count}: {report:?}");
    }
}

#[tokio::test]
async fn without_a_quorum_the_doctor_still_reports_what_it_sees() {
    let mut servers = servers(3);
    servers[0].kill();
    servers[2].kill();
    let report = examine(&urls(&servers), |builder| builder).await;
    assert!(!report.has_quorum && report.to_string().starts_with("no quorum"), "{report}");
    assert_eq!(bad_of(&report, &servers[0]), ["reach"]);
    assert!(report.bad().any(|finding| finding.check == "canary"));
}

#[tokio::test]
async fn each_way_not_to_be_reached_has_its_own_fix() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let servers = servers(2);
    let mut client = std::net::TcpStream::connect(("127.0.0.1", servers[0].port())).unwrap();
    client.write_all(b"CONFIG SET maxclients 1\r\nCLIENT KILL TYPE normal SKIPME yes\r\n").unwrap();
    assert_eq!(BufReader::new(&client).lines().take(2).filter(|line| line.as_ref().unwrap() != "").count(), 2);
    servers[1].command(&["CONFIG", "SET", "requirepass", "secret"]);
    let report = examine(&urls(&servers), |builder| builder).await;
    let fixes = report.bad().filter(|finding| finding.check == "reach").map(|finding| match &finding.outcome {
        Outcome::Bad { fix, .. } => *fix,
        other => panic!("{other:?}"),
    });
    let fixes: Vec<_> = fixes.collect();
    assert!(fixes[0].contains("raise its maxclients"), "{report:?}");
    assert!(fixes[1].contains("password"), "{report:?}");
}

#[tokio::test]
async fn whether_there_is_a_quorum_is_judged_by_values() {
    // Everything is ready and answers, but nothing can be written.
    let servers = servers(3);
    let redlock = over(&servers).connect().await.unwrap();
    for server in &servers[..2] {
        server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    }
    let report = redlock.doctor().await;
    assert!(!report.has_quorum && !report.is_healthy(), "{report:?}");
    for server in &servers[..2] {
        server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    }
    // Another doctor at the same time is no fault of the nodes.
    let other = over(&servers).connect().await.unwrap();
    let (one, other) = tokio::join!(redlock.doctor(), other.doctor());
    assert!(one.is_healthy() && other.is_healthy(), "{one:?} {other:?}");
}

#[tokio::test]
async fn r5_an_impossible_clock_of_this_machine_is_not_ok() {
    #[derive(Debug)]
    struct Unset(redfence::SystemClock);
    impl redfence::Clock for Unset {
        fn now(&self) -> redfence::Moment {
            self.0.now()
        }
        fn wall(&self) -> redfence::WallTime {
            redfence::WallTime::from_unix_ms(86_400_000)
        }
    }
    let servers = servers(1);
    let clock = std::sync::Arc::new(Unset(redfence::SystemClock));
    let report = over(&servers).clock(clock).connect().await.unwrap().doctor().await;
    let clock = report.bad().find(|finding| finding.check == "clock").unwrap_or_else(|| panic!("{report:?}"));
    let Outcome::Bad { what, fix, .. } = &clock.outcome else { panic!("{clock:?}") };
    assert_eq!(what, "this machine's clock shows a time before September 2001");
    assert_eq!(*fix, "set this machine's clock");
}

#[tokio::test]
async fn a_declaration_of_durability_is_checked_and_doubts_are_reported() {
    let servers = servers(1);
    let report = examine(&urls(&servers), |builder| builder.durable(true)).await;
    assert!(bad_of(&report, &servers[0]).contains(&"persistence"), "{report:?}");
    let logged = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let report = examine(&[logged.url()], |builder| builder.durable(true)).await;
    assert!(!bad_of(&report, &logged).contains(&"persistence"), "{report:?}");
    let (url, _) = user(&logged, "-config");
    let report = examine(&[url], |builder| builder.durable(true)).await;
    assert!(could_not_check(&report).contains(&"persistence"), "{report:?}");
}

#[tokio::test]
async fn where_config_is_forbidden_as_on_managed_servers_eviction_is_read_from_info() {
    let servers = servers(1);
    servers[0].command(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
    let (url, _) = user(&servers[0], "-config");
    let report = examine(&[url], |builder| builder).await;
    assert!(bad_of(&report, &servers[0]).contains(&"eviction"), "{report:?}");
}

#[tokio::test]
async fn the_rest_of_a_young_set_is_reported() {
    let servers = [RedisServer::bare()];
    let report = examine(&urls(&servers), |builder| builder).await;
    let bad = bad_of(&report, &servers[0]);
    assert!(bad.contains(&"resting"), "{report:?}");
}

#[tokio::test]
async fn a_user_with_the_minimal_rule_passes_the_whole_contract() {
    let server = RedisServer::start();
    let rule = minimal_rule("locker", &Prefix::default()).replace(">PASSWORD", ">secret");
    let words: Vec<_> = rule.split(' ').collect();
    assert_eq!(server.command(&words), "OK", "{rule}");
    let url = format!("redis://locker:secret@127.0.0.1:{}", server.port());
    let node = RedisNode::open(Address::parse(&url).unwrap(), RedisNodeOptions::default()).unwrap();
    node.dialled().await.unwrap();
    contract::check(&node, "minimal").await.unwrap();
    // And no more than that: other keys and other commands are refused.
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for words in [&["GET", "another:key"][..], &["FLUSHALL"], &["CONFIG", "GET", "*"], &["KEYS", "*"]] {
        let mut command = redis::cmd(words[0]);
        let answer: redis::RedisResult<redis::Value> = command.arg(&words[1..]).query_async(&mut connection).await;
        assert_eq!(answer.unwrap_err().code(), Some("NOPERM"), "{words:?}");
    }
}

/// Creates a user with all permissions but `rule`; returns the URL to log in with.
fn user(server: &RedisServer, but: &str) -> (String, String) {
    let name = "managed".to_owned();
    assert_eq!(server.command(&["ACL", "SETUSER", &name, "on", ">secret", "~*", "&*", "+@all", but]), "OK");
    (format!("redis://{name}:secret@127.0.0.1:{}", server.port()), name)
}
