//! Nodes that may have forgotten locks are recognized, rest, and take part again, on real servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::time::Duration;

use redfence::admin::BootstrapError;
use redfence::protocol::{FaultKind, Vote};
use redfence::{AcquireError, Builder, ConnectError, NodeCondition, Redlock, ReleaseOutcome, SystemClock};
use support::set::{counter_of, levelled, over, patiently_over, through};
use support::{Events, Hands, Proxy, RedisServer, eventually, servers};

const PROMPT: Duration = Duration::from_secs(10);
/// Short enough to wait for, long enough for a busy machine.
const SHORT: Duration = Duration::from_secs(1);
/// So long that no test sees a rest end.
const LONG: Duration = Duration::from_secs(600);

fn bare(count: usize) -> Vec<RedisServer> {
    (0..count).map(|_| RedisServer::bare()).collect()
}

/// Leases and rests of a second.
fn briefly_over(servers: &[RedisServer]) -> Builder {
    over(servers).ttl(SHORT).max_ttl(SHORT).node_timeout(SHORT / 4)
}

fn conditions(redlock: &Redlock) -> Vec<NodeCondition> {
    redlock.nodes().iter().map(|node| node.condition).collect()
}

/// In seconds.
fn uptime(server: &RedisServer) -> u64 {
    let info = server.command(&["INFO", "server"]);
    info.lines().find_map(|line| line.strip_prefix("uptime_in_seconds:")?.trim().parse().ok()).unwrap()
}

async fn pair(redlock: &Redlock) {
    let guard = redlock.acquire("r").await.unwrap();
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
}

#[tokio::test]
async fn young_servers_rest_and_waiters_get_the_reason() {
    let servers = bare(5);
    let redlock = over(&servers).max_ttl(LONG).connect().await.unwrap();
    let error = redlock.try_acquire("r").await.unwrap_err();
    assert!(matches!(error, AcquireError::NoQuorum { .. }), "{error}");
    let story = error.to_string();
    let told = [
        "5 of 5 nodes: resting",
        "started less than max_ttl ago and remembers nothing",
        "takes part in",
        "redfence bootstrap",
    ];
    assert!(told.iter().all(|part| story.contains(part)), "{story}");
    assert!(
        redlock.nodes().iter().all(|node| node.rests_for.is_some_and(|rest| rest > LONG / 2)),
        "{:?}",
        redlock.nodes()
    );
}

#[tokio::test]
async fn young_servers_take_part_by_themselves_when_they_have_rested() {
    let servers = bare(3);
    let redlock = briefly_over(&servers).connect().await.unwrap();
    // A quorum has rested; a server that started a little later may rest a little longer.
    eventually(PROMPT, "all take part", async || {
        pair(&redlock).await;
        conditions(&redlock) == [NodeCondition::Ready; 3]
    })
    .await;
}

#[tokio::test]
async fn a_new_installation_starts_at_once_when_it_is_declared_new() {
    let servers = bare(3);
    let resting = over(&servers).max_ttl(LONG).connect().await.unwrap();
    assert!(resting.try_acquire("r").await.is_err());
    // The operator declares it, after the nodes were initialized to rest.
    resting.admin().bootstrap().await.unwrap();
    pair(&resting).await;
    // A second declaration does no harm, and another locker finds the nodes ready.
    resting.admin().bootstrap().await.unwrap();
    pair(&over(&servers).max_ttl(LONG).connect().await.unwrap()).await;

    let servers = bare(3);
    pair(&over(&servers).max_ttl(LONG).new_installation(true).connect().await.unwrap()).await;
}

#[tokio::test]
async fn nodes_that_are_not_new_are_not_bootstrapped() {
    let mut servers = servers(3);
    servers[1].restart();
    let redlock = over(&servers).max_ttl(LONG).new_installation(true).connect().await.unwrap();
    assert_eq!(conditions(&redlock)[1], NodeCondition::Resting);
    let error = redlock.admin().bootstrap().await.unwrap_err();
    assert!(matches!(&error, BootstrapError::NotNew { .. }), "{error}");
    servers[2].kill();
    let error = redlock.admin().bootstrap().await.unwrap_err();
    assert!(error.to_string().contains(&servers[2].port().to_string()), "{error}");
}

#[tokio::test]
async fn two_lockers_that_bootstrap_at_the_same_moment_agree() {
    for _ in 0..5 {
        let servers = bare(5);
        let founder = || over(&servers).max_ttl(LONG).new_installation(true).connect();
        let (one, other) = tokio::join!(founder(), founder());
        for redlock in [one.unwrap(), other.unwrap()] {
            pair(&redlock).await;
            eventually(PROMPT, "all are ready", async || {
                redlock.look().await;
                conditions(&redlock) == [NodeCondition::Ready; 5]
            })
            .await;
        }
    }
}

#[tokio::test]
async fn one_server_behind_two_urls_is_refused_with_both() {
    let server = RedisServer::start();
    let (one, other) = (format!("127.0.0.1:{}", server.port()), format!("localhost:{}", server.port()));
    let urls = [format!("redis://{one}/1"), format!("redis://{other}/1")];
    let error = Redlock::connect(urls).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::SameServer { first, second } if *first == one && *second == other),
        "{error}"
    );
}

#[tokio::test]
async fn a_flush_under_a_live_connection_is_noticed_by_the_next_grant() {
    for command in ["FLUSHALL", "FLUSHDB"] {
        let servers = servers(3);
        let redlock = over(&servers).max_ttl(LONG).connect().await.unwrap();
        pair(&redlock).await;
        servers[1].command(&[command]);
        // Two of three carry on, and the third rests.
        pair(&redlock).await;
        eventually(PROMPT, "the node rests", async || conditions(&redlock)[1] == NodeCondition::Resting).await;
        pair(&redlock).await;
    }
}

#[tokio::test]
async fn a_majority_that_forgot_grants_nothing_before_it_has_rested() {
    let servers = servers(3);
    let redlock = briefly_over(&servers).connect().await.unwrap();
    let other = briefly_over(&servers).connect().await.unwrap();
    let held = redlock.acquire("r").await.unwrap();
    let first = held.token();
    for server in &servers[..2] {
        server.command(&["FLUSHALL"]);
    }
    // The holder believes in its lease until its validity ends; no other holder may acquire until then.
    let guard = other.acquire_within("r", PROMPT).await.unwrap();
    assert!(held.check().is_err(), "two holders");
    assert!(guard.token() > first);
}

#[tokio::test]
async fn all_nodes_flushed_at_one_moment_are_no_new_installation() {
    let servers = servers(3);
    // Long enough: a server that was only started, and not flushed, would not need to rest any more.
    eventually(PROMPT, "the servers are older than a lease", async || {
        servers.iter().all(|server| uptime(server) > 2 * SHORT.as_secs())
    })
    .await;
    for says_it_is_new in [false, true] {
        let redlock = briefly_over(&servers).renewed(false).connect().await.unwrap();
        let held = redlock.acquire_within("r", PROMPT).await.unwrap();
        let first = held.token();
        servers.iter().for_each(|server| drop(server.command(&["FLUSHALL"])));
        // A new process, whose settings still declare the set new, which was right once.
        let other = briefly_over(&servers).new_installation(says_it_is_new).connect().await.unwrap();
        assert!(conditions(&other).iter().all(|condition| *condition == NodeCondition::Resting), "{:?}", other.nodes());
        let error = other.admin().bootstrap().await.unwrap_err();
        assert!(matches!(error, BootstrapError::NotNew { .. }), "{error}");
        let guard = other.acquire_within("r", PROMPT).await.unwrap();
        assert!(held.check().is_err(), "two holders");
        assert!(guard.token() > first);
        drop(guard.release().await);
    }
}

#[tokio::test]
async fn a_flush_is_recognized_although_the_servers_were_restarted_since_the_grant() {
    let durable = || RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut servers = [durable(), durable(), durable()];
    let redlock = briefly_over(&servers).ttl(SHORT * 4).max_ttl(SHORT * 4).connect().await.unwrap();
    let held = redlock.acquire("r").await.unwrap();
    servers.iter_mut().for_each(RedisServer::restart);
    // There are no more grants: only renewals keep the lease alive.
    eventually(PROMPT * 2, "the servers are older than the longest lease", async || {
        servers.iter().all(|server| uptime(server) > 4 * SHORT.as_secs())
    })
    .await;
    assert!(held.check().is_ok(), "the lease outlives the restarts");
    servers.iter().for_each(|server| drop(server.command(&["FLUSHALL"])));
    let other = briefly_over(&servers).ttl(SHORT * 4).max_ttl(SHORT * 4).connect().await.unwrap();
    assert!(conditions(&other).iter().all(|condition| *condition == NodeCondition::Resting), "{:?}", other.nodes());
    drop(held);
}

#[tokio::test]
async fn uptime_is_not_used_if_no_trace_can_be_left() {
    let servers = servers(3);
    for server in &servers {
        // Redis 6.2 cannot take one subcommand away.
        let rule = ["ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all", "-script", "+script|exists"];
        assert_eq!(server.command(&rule), "OK");
    }
    eventually(PROMPT, "the servers are older than a lease", async || {
        servers.iter().all(|server| uptime(server) > 2 * SHORT.as_secs())
    })
    .await;
    servers.iter().for_each(|server| drop(server.command(&["FLUSHALL"])));
    let urls = servers.iter().map(|server| format!("redis://app:secret@127.0.0.1:{}", server.port()));
    let redlock = briefly_over(&[]).urls(urls).connect().await.unwrap();
    assert!(conditions(&redlock).iter().all(|condition| *condition == NodeCondition::Resting), "{:?}", redlock.nodes());
}

#[tokio::test]
async fn each_prefix_is_a_separate_installation() {
    let servers = servers(3);
    pair(&over(&servers).max_ttl(LONG).connect().await.unwrap()).await;
    let other = over(&servers).prefix("other").max_ttl(LONG).connect().await.unwrap();
    other.admin().bootstrap().await.unwrap();
    pair(&other).await;
}

#[tokio::test]
async fn waiting_for_resting_nodes_is_logged_at_once() {
    let events = Events::captured();
    let servers = bare(3);
    let redlock = briefly_over(&servers).connect().await.unwrap();
    drop(redlock.acquire_within("r", PROMPT).await.unwrap().release().await);
    let told = events.lines_with("waiting for nodes");
    assert!(told.len() == 1 && told[0].contains("redfence bootstrap"), "{told:?}");
}

#[tokio::test]
async fn a_node_that_follows_another_server_for_a_moment_is_probed_and_rests() {
    let servers = servers(4);
    let redlock = over(&servers[..3]).max_ttl(LONG).connect().await.unwrap();
    pair(&redlock).await;
    let (follower, other) = (&servers[2], &servers[3]);
    follower.command(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]);
    eventually(PROMPT, "it has what the other knows", async || {
        follower.command(&["INFO", "replication"]).contains("master_link_status:up")
    })
    .await;
    pair(&redlock).await;
    follower.command(&["REPLICAOF", "NO", "ONE"]);
    eventually(PROMPT, "the node rests", async || conditions(&redlock)[2] == NodeCondition::Resting).await;
    pair(&redlock).await;
}

#[tokio::test]
async fn one_hung_node_delays_nothing_if_a_quorum_takes_part() {
    let servers = servers(3);
    pair(&over(&servers).connect().await.unwrap()).await;
    servers[2].pause();
    let redlock = patiently_over(&servers).connect().await.unwrap();
    pair(&redlock).await;
    let hung = &redlock.nodes()[2];
    assert!(hung.last_fault.is_none(), "a call waited for its timeout: {hung:?}");
    eventually(PROMPT, "it is given up", async || redlock.nodes()[2].last_fault.is_some()).await;
    servers[2].resume();
    eventually(PROMPT, "it takes part", async || conditions(&redlock)[2] == NodeCondition::Ready).await;
}

#[tokio::test]
async fn a_counter_that_was_deleted_sends_its_node_to_rest() {
    let servers = servers(3);
    let redlock = over(&servers).max_ttl(LONG).connect().await.unwrap();
    assert_eq!(servers[2].command(&["DEL", &counter_of("r")]), "1");
    pair(&redlock).await;
    eventually(PROMPT, "the node rests", async || conditions(&redlock)[2] == NodeCondition::Resting).await;
    // The rest removed its other counters too, so that no locker can draw from it by mistake.
    assert!(!servers[2].keys().iter().any(|key| key.ends_with(":token")));
    pair(&redlock).await;
}

#[tokio::test]
async fn a_node_that_restarts_empty_rests_and_comes_back_by_itself() {
    let mut servers = servers(3);
    let redlock = briefly_over(&servers).connect().await.unwrap();
    pair(&redlock).await;
    servers[0].restart();
    eventually(PROMPT, "the node rests", async || conditions(&redlock)[0] == NodeCondition::Resting).await;
    pair(&redlock).await;
    eventually(PROMPT, "the node is back", async || conditions(&redlock)[0] == NodeCondition::Ready).await;
    pair(&redlock).await;
}

#[tokio::test]
async fn a_resting_node_extends_and_releases_what_it_holds() {
    let servers = servers(3);
    let redlock = over(&servers).max_ttl(LONG).connect().await.unwrap();
    redlock.drain(PROMPT).await;
    let guard = redlock.acquire("r").await.unwrap();
    redlock.drain(PROMPT).await;
    // Another resource meets the missing counter; the lock of this one is still there.
    assert_eq!(servers[2].command(&["DEL", &counter_of("other")]), "1");
    drop(redlock.acquire("other").await.unwrap().release().await);
    eventually(PROMPT, "the node rests", async || conditions(&redlock)[2] == NodeCondition::Resting).await;
    let mut servers = servers;
    servers[0].kill();
    // One of the two ready nodes is gone; the resting one still counts for the lease.
    guard.extend().await.unwrap();
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { nodes } if nodes.len() == 2));
    assert!(redlock.try_acquire("r").await.is_err(), "but it grants nothing");
}

#[tokio::test]
async fn durable_nodes_need_no_rest_after_a_restart() {
    let durable = || RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut servers = [durable()];
    let redlock = over(&servers).max_ttl(LONG).durable(true).connect().await.unwrap();
    let guard = redlock.acquire("r").await.unwrap();
    servers[0].restart();
    eventually(PROMPT, "the lock has outlived the restart", async || guard.extend().await.is_ok()).await;
    let first = guard.token();
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
    assert!(redlock.acquire("r").await.unwrap().token() > first);
    drop(redlock);
    // The same restart without the declaration.
    let redlock = over(&servers).max_ttl(LONG).connect().await.unwrap();
    servers[0].restart();
    eventually(PROMPT, "the node rests", async || conditions(&redlock)[0] == NodeCondition::Resting).await;
}

#[tokio::test]
async fn a_declaration_of_durability_is_not_believed_where_the_server_contradicts_it() {
    let events = Events::captured();
    for (args, doubt) in [
        (&["--appendonly", "yes", "--appendfsync", "everysec"][..], "appendfsync is not always"),
        (&["--appendonly", "no"], "keeps no append-only file"),
    ] {
        let mut servers = [RedisServer::with(args)];
        let redlock = over(&servers).max_ttl(LONG).durable(true).connect().await.unwrap();
        assert!(!events.lines_with(doubt).is_empty(), "{}", events.text());
        servers[0].command(&["SAVE"]);
        servers[0].restart();
        eventually(PROMPT, "the node rests", async || conditions(&redlock)[0] == NodeCondition::Resting).await;
    }
}

#[tokio::test]
async fn a_promoted_replica_rests_though_it_was_declared_durable() {
    let durable = || RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let (mut master, replica) = (durable(), durable());
    replica.command(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    eventually(PROMPT, "it follows", async || {
        let linked = replica.command(&["INFO", "replication"]).contains("master_link_status:up");
        linked && replica.command(&["GET", &counter_of("r")]) == master.command(&["GET", &counter_of("r")])
    })
    .await;
    master.kill();
    replica.command(&["REPLICAOF", "NO", "ONE"]);
    let redlock = over(&[replica]).max_ttl(LONG).durable(true).connect().await.unwrap();
    assert_eq!(conditions(&redlock), [NodeCondition::Resting]);
}

#[tokio::test]
async fn without_permission_for_info_only_the_record_counts() {
    let server = RedisServer::start();
    server.command(&["ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-info"]);
    let url = format!("redis://app:secret@127.0.0.1:{}", server.port());
    let events = Events::captured();
    let redlock = Redlock::builder().urls([url]).max_ttl(LONG).connect().await.unwrap();
    assert_eq!(events.lines_with("INFO is not permitted").len(), 1, "{}", events.text());
    pair(&redlock).await;
    assert!(redlock.nodes()[0].run_id.is_none());
    server.command(&["FLUSHALL"]);
    assert!(redlock.try_acquire("r").await.is_err(), "a flush is noticed all the same");
}

#[tokio::test]
async fn a_rest_grows_when_a_locker_with_a_larger_max_ttl_joins() {
    let servers = bare(3);
    let short = briefly_over(&servers).connect().await.unwrap();
    // Initialized to rest for a second. The other locker may have had a lease of ten minutes when these servers forgot.
    let long = over(&servers).max_ttl(LONG).connect().await.unwrap();
    for redlock in [&long, &short] {
        eventually(PROMPT, "all nodes have the longer rest", async || {
            redlock.look().await;
            redlock.nodes().iter().all(|node| node.rests_for.is_some_and(|rest| rest > LONG / 2))
        })
        .await;
        assert!(redlock.try_acquire("r").await.is_err());
    }
}

#[tokio::test]
async fn one_counter_written_by_hand_is_outvoted_and_not_carried_to_the_others() {
    let servers = servers(5);
    let redlock = over(&servers).max_ttl(LONG).connect().await.unwrap();
    let counter = counter_of("r");
    let poison = "9007199254740900";
    assert_eq!(servers[3].command(&["SET", &counter, poison]), "OK");
    for _ in 0..120 {
        // Neither an inspection nor a grant believes it.
        let seen = redlock.admin().inspect("r").await.unwrap();
        assert!(seen.rows[3].view.as_ref().unwrap().counter >= 9_007_199_254_740_900);
        pair(&redlock).await;
    }
    redlock.drain(PROMPT).await;
    for server in [0, 1, 2, 4] {
        assert!(&*servers[server].command(&["GET", &counter]) < "2000000000000000", "carried to {server}");
    }
    // The operator fixes it: without the bad key the node counts again.
    assert_eq!(servers[3].command(&["SET", &counter, "1700000000000000"]), "OK");
    let guard = levelled(over(&servers).max_ttl(LONG), "r").await.acquire("r").await.unwrap();
    assert!(matches!(guard.release().await, ReleaseOutcome::Released { .. }));
}

#[tokio::test]
async fn a_locker_whose_clock_is_centuries_ahead_leaves_tokens_for_all() {
    let servers = bare(3);
    let hands = Hands::over(SystemClock);
    hands.set_wall_ahead_ms(240 * 365 * 24 * 3_600_000);
    let redlock = over(&servers).max_ttl(LONG).new_installation(true).clock(hands).connect().await.unwrap();
    pair(&redlock).await;
    for _ in 0..20 {
        pair(&over(&servers).max_ttl(LONG).connect().await.unwrap()).await;
    }
    for server in &servers {
        assert!(&*server.command(&["GET", &counter_of("r")]) < "8000000000001000");
    }
}

#[tokio::test]
async fn nodes_remember_the_largest_max_ttl_of_their_lockers() {
    let mut servers = servers(3);
    drop(patiently_over(&servers).max_ttl(LONG).connect().await.unwrap());
    let redlock = briefly_over(&servers).connect().await.unwrap();
    servers[1].restart();
    eventually(PROMPT, "the node rests as long as a lease may live", async || {
        redlock.nodes()[1].rests_for.is_some_and(|rest| rest > LONG / 2)
    })
    .await;
}

#[tokio::test]
async fn r7_a_set_whose_urls_name_different_databases_is_refused() {
    let servers = servers(3);
    let url = |at: usize, rest: &str| format!("{}{rest}", servers[at].url());
    let error = Redlock::connect([url(0, "/3"), url(1, "/3"), url(2, "")]).await.unwrap_err().to_string();
    assert!(error.starts_with("node 1 is database 3 and node 3 is database 0: write the same number"), "{error}");
    let error = Redlock::connect([url(0, "?db=3"), url(1, "?db=3"), url(2, "?db=3")]).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "node 1: the database goes into the path: write redis://host:port/3 and not ?db=3, which is for unix:// only"
    );
}

#[tokio::test]
async fn r7_lockers_in_another_database_of_the_same_servers_are_noticed() {
    let servers = servers(3);
    let over = |rest: &str| {
        let urls = servers.iter().map(|server| format!("{}{rest}", server.url()));
        Redlock::builder().urls(urls).new_installation(true)
    };
    let first = over("").connect().await.unwrap();
    pair(&first).await;
    let events = Events::captured();
    let _same = over("/0").connect().await.unwrap();
    let _with_a_prefix_of_its_own = over("/3").prefix("other").connect().await.unwrap();
    let _second = over("/3").connect().await.unwrap();
    let said = || events.lines_with("lockers with the same prefix use database 0 of this server");
    eventually(PROMPT, "every node is named", async || said().len() >= 3).await;
    assert_eq!(said().len(), 3, "{}", events.text());
}

#[tokio::test]
async fn one_server_under_three_names_is_recognized_without_info() {
    let server = RedisServer::start();
    assert_eq!(server.command(&["ACL", "SETUSER", "default", "-info"]), "OK");
    let names: Vec<Proxy> = (0..3).map(|_| Proxy::in_front_of(server.port())).collect();
    let redlock = through(&names).connect().await.unwrap();
    let error = redlock.acquire_within("r", Duration::from_secs(1)).await.unwrap_err();
    let AcquireError::NoQuorum { votes, attempts, .. } = &error else { panic!("{error}") };
    let is_duplicate = |vote: &Vote| matches!(vote, Vote::Failed(fault) if fault.kind == FaultKind::Duplicate);
    assert_eq!(votes.iter().filter(|(_, vote)| is_duplicate(vote)).count(), 2, "{votes:?}");
    assert!(error.to_string().contains("the same server as another node"), "{error}");
    assert!(*attempts < 100, "{attempts} attempts in a second");
}
