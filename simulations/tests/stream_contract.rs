//! The virtual server is a node like any other: through the real client it keeps the contract, and its scripts give the
//! same answers as the shipped state. All in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use redfence::node::redis::{Link, Prefix, RedisNode, RedisNodeOptions};
use redfence::node::{Node as _, NodeState, ask, contract};
use redfence::protocol::{Next, Publish, Record, RecordUpdate, Reply, Request, Subject, Verb, Waits};
use redfence::{Clock as _, Entropy, FencingToken, Holder, HolderId, Label, LockerId, Resource, Waiter, WallTime};
use redis::{ProtocolVersion, RedisConnectionInfo};
use simulations::harness::{MachineClock, Process, ProcessSpawner, World};
use simulations::plan::{ClockError, NetworkProfile};
use simulations::stream::server::{Memory, Server};
use simulations::stream::{ByteNetwork, ProcessDialer, run_id};

const FAST: NetworkProfile = NetworkProfile { latency_ms: (0, 1), tail_per_mille: 0, tail_ms: 0, loss_per_mille: 0 };
/// Answers take a time between these, and rarely much longer; they are always in order. The suite scans a thousand keys
/// one by one while its locks live for ten seconds.
const UNEVEN: NetworkProfile =
    NetworkProfile { latency_ms: (0, 4), tail_per_mille: 10, tail_ms: 60, loss_per_mille: 0 };

/// One server, the network to it, and a node over that network.
struct Stage {
    world: Arc<World>,
    clock: Arc<MachineClock>,
    server: Server,
    node: RedisNode,
    byte_network: Arc<ByteNetwork>,
    started: WallTime,
}

impl Stage {
    async fn new(seed: u64, network: NetworkProfile, login: RedisConnectionInfo, password: Option<&str>) -> Self {
        let world = World::new(seed, false);
        let clock = MachineClock::new(&world, ClockError { offset_ms: 0, drift_ppm: 0 }, false);
        let started = clock.wall();
        let server = Server::new(Arc::<MachineClock>::clone(&clock), run_id(1, 0), started);
        // As the state reports too.
        server.log_writes();
        if let Some(password) = password {
            server.require_password(password);
        }
        let byte_network = ByteNetwork::new(&world, vec![server.clone()], (network, u64::MAX), |_| {});
        let process = Process::start(&world, 0, 0);
        let dialer = ProcessDialer { network: Arc::clone(&byte_network), process: Arc::clone(&process), node: 0 };
        let options = RedisNodeOptions {
            entropy: Arc::new(Entropy::from_seed(seed)),
            spawner: Arc::new(ProcessSpawner(process)),
            ..RedisNodeOptions::default()
        };
        let time = Arc::clone(&world);
        tokio::spawn(async move { time.run().await });
        let node = RedisNode::over(Arc::new(dialer), "virtual".to_owned(), login, options).unwrap();
        node.dialled().await.unwrap();
        Self { world, clock, server, node, byte_network, started }
    }
}

fn speaking(version: ProtocolVersion) -> RedisConnectionInfo {
    RedisConnectionInfo::default().set_protocol(version)
}

fn in_virtual_time<T>(story: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(story)
}

#[test]
fn the_virtual_server_keeps_the_contract_in_both_versions_of_the_protocol() {
    for version in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        for (seed, network) in [(1, FAST), (2, UNEVEN), (3, UNEVEN)] {
            in_virtual_time(async {
                let stage = Stage::new(seed, network, speaking(version), None).await;
                contract::check(&stage.node, "virtual").await.unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
            });
        }
    }
}

#[test]
fn the_contract_holds_behind_a_password_and_in_another_database() {
    in_virtual_time(async {
        let login = speaking(ProtocolVersion::RESP3).set_password("open sesame").set_db(3);
        let stage = Stage::new(4, FAST, login, Some("open sesame")).await;
        contract::check(&stage.node, "virtual").await.unwrap();
        assert_eq!(stage.server.execute(&["EXISTS", "redfence:node"]), b":0\r\n", "the first database is untouched");
    });
}

#[test]
fn a_server_that_hangs_is_noticed_and_dialled_anew() {
    in_virtual_time(async {
        let stage = Stage::new(5, FAST, speaking(ProtocolVersion::RESP3), None).await;
        let mut sessions = stage.node.sessions().unwrap();
        let before = *sessions.borrow_and_update();
        stage.server.hang();
        let reply = ask(&stage.node, request(0, 0, Verb::Inspect)).await;
        assert!(matches!(reply, Reply::Failed(_)), "{reply:?}");
        drop(stage.server.go_on());
        sessions.changed().await.unwrap();
        assert!(*sessions.borrow() > before);
        let reply = ask(&stage.node, request(0, 0, Verb::Inspect)).await;
        assert!(matches!(reply, Reply::Inspected(_)), "{reply:?}");
        assert_eq!(stage.node.link(), Link::Up);
    });
}

#[test]
fn a_node_that_is_made_joined_equals_one_that_the_join_script_left() {
    in_virtual_time(async {
        let initialized = Stage::new(6, FAST, speaking(ProtocolVersion::RESP2), None).await;
        let joined = Stage::new(6, FAST, speaking(ProtocolVersion::RESP2), None).await;
        initialized.server.found(30_000);
        let (rest, wall) = (Duration::ZERO, WallTime::default());
        let max_ttl = Duration::from_secs(30);
        let settle = RecordUpdate { seen: None, mark: None, rest, new: true, max_ttl, wall }.into();
        assert!(matches!(ask(&joined.node, request(0, 0, settle)).await, Reply::Reported(_)));
        for question in [
            &["HGET", "redfence:node", "format"][..],
            &["HMGET", "redfence:node", "run_id", "max_ttl_ms", "awake", "new"],
        ] {
            assert_eq!(initialized.server.execute(question), joined.server.execute(question), "{question:?}");
        }
        let fields = |stage: &Stage| stage.server.execute(&["HGETALL", "redfence:node"]).len();
        assert_eq!(fields(&initialized), fields(&joined));
        for slot in 0..Resource::SLOTS {
            let counter = format!("{{redfence:{slot}}}:token");
            let length = |stage: &Stage| stage.server.execute(&["GET", &counter]).len();
            assert_eq!(length(&initialized), length(&joined), "slot {slot}");
        }
        assert_eq!(initialized.server.execute(&["EXISTS", "{redfence:1024}:token"]), b":0\r\n");
    });
}

/// One step: who, what, and what is done.
#[derive(Debug, Clone)]
struct Step {
    resource: u8,
    holder: u8,
    act: Operation,
}

#[derive(Debug, Clone)]
enum Operation {
    Ask(Verb),
    TimePasses(Duration),
    ClockSteps(i32),
    LockVanishes,
    CounterIsSet(u64),
    /// With the current record, or with a record that the node does not have.
    Initialize {
        rest: Duration,
        stale: bool,
    },
    Restarts,
}

const CASES: u32 = 250;
const STEPS_MAX: usize = 40;
/// A counter below this did not start at the clock.
const COUNTER_MIN: u64 = 1_000_000_000_000_000;
/// More than all keys, so that a scan takes one step.
const SCAN_ALL: u32 = 100_000;

#[test]
fn the_scripts_on_it_answer_as_the_state_does_down_to_the_millisecond() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(step(), 1..=STEPS_MAX);
    let kinds = RefCell::new(BTreeSet::new());
    let agree = |steps: Vec<Step>| in_virtual_time(agree(&steps, &kinds));
    TestRunner::new_with_rng(config, rng).run(&steps, agree).unwrap_or_else(|error| panic!("{error}"));
    let kinds: Vec<String> = kinds.into_inner().into_iter().collect();
    let all =
        ["Extended", "Failed", "Granted", "Inspected", "Left", "Refused", "Released", "Reported", "Scanned", "Sealed"];
    assert_eq!(kinds, all, "a kind of reply was never compared");
}

/// Takes every step on both sides, at the same time on the same clock.
async fn agree(steps: &[Step], kinds: &RefCell<BTreeSet<String>>) -> Result<(), TestCaseError> {
    // Without latency both see the same microsecond.
    let network = NetworkProfile { latency_ms: (0, 0), ..FAST };
    let stage = Stage::new(7, network, speaking(ProtocolVersion::RESP3), None).await;
    let mut state = NodeState::started(run_id(1, 0), stage.started);
    let mut life = 0;
    let look = Step { resource: 0, holder: 0, act: Operation::Ask(Verb::Probe { max_ttl: Duration::ZERO }) };
    both(&stage, &mut state, &look, Verb::Probe { max_ttl: Duration::ZERO }).await;
    for (at, step) in steps.iter().enumerate() {
        let (of_server, of_state) = match &step.act {
            Operation::Ask(verb) => both(&stage, &mut state, step, verb.clone()).await,
            Operation::Initialize { rest, stale } => {
                let (seen, _) = both(&stage, &mut state, step, Verb::Probe { max_ttl: Duration::ZERO }).await;
                let Reply::Reported(report) = seen else { panic!("{seen:?}") };
                let seen = match (report.record, stale) {
                    (record, false) => record,
                    (Some(record), true) => Some(Record { awake: !record.awake, ..record }),
                    (None, true) => continue,
                };
                let (max_ttl, wall) = (Duration::from_secs(30), stage.clock.wall());
                let settle = RecordUpdate { seen, mark: report.mark, rest: *rest, new: *stale, max_ttl, wall }.into();
                both(&stage, &mut state, step, settle).await
            }
            other => {
                disturb(&stage, &mut state, &mut life, step, other).await;
                continue;
            }
        };
        let kind = format!("{of_state:?}").split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned();
        kinds.borrow_mut().insert(kind);
        prop_assert!(same(&of_server, &of_state), "step {at}, {step:?}: {of_server:?} and {of_state:?}");
    }
    stage.world.stop();
    Ok(())
}

async fn both(stage: &Stage, state: &mut NodeState, step: &Step, verb: Verb) -> (Reply, Reply) {
    let request = request(step.resource, step.holder, verb);
    let of_state = state.apply(stage.clock.wall(), &request);
    let of_server = ask(&stage.node, request).await;
    if let Reply::Reported(report) = &of_server {
        stage.node.admit(report.session);
    }
    (of_server, of_state)
}

async fn disturb(stage: &Stage, state: &mut NodeState, life: &mut u32, step: &Step, act: &Operation) {
    let resource = resource(step.resource);
    match act {
        Operation::TimePasses(time) => tokio::time::sleep(*time).await,
        Operation::ClockSteps(by_ms) => stage.clock.step(*by_ms),
        Operation::LockVanishes => {
            stage.server.execute(&["DEL", &Prefix::default().lock(&resource)]);
            state.drop_lock(&resource);
        }
        Operation::CounterIsSet(number) => {
            stage.server.execute(&["SET", &Prefix::default().counter(&resource), &number.to_string()]);
            state.set_counter(resource.slot(), *number);
        }
        Operation::Restarts => {
            *life += 1;
            let mut sessions = stage.node.sessions().unwrap();
            sessions.borrow_and_update();
            stage.server.crash();
            stage.server.start(Memory::Kept, run_id(1, *life));
            state.restart(run_id(1, *life), stage.clock.wall(), true);
            stage.byte_network.server_crashed(0);
            sessions.changed().await.unwrap();
            // The new connection is joined before it carries grants.
            let (of_server, of_state) = both(stage, state, step, Verb::Probe { max_ttl: Duration::ZERO }).await;
            assert!(same(&of_server, &of_state), "{of_server:?} and {of_state:?}");
        }
        Operation::Ask(_) | Operation::Initialize { .. } => {}
    }
}

/// Whether the replies are equal, except for the wording of faults, the session number, and the order of a scan.
fn same(of_server: &Reply, of_state: &Reply) -> bool {
    match (of_server, of_state) {
        (Reply::Failed(one), Reply::Failed(other)) => one.kind == other.kind,
        (Reply::Reported(one), Reply::Reported(other)) => {
            let mut other = **other;
            (other.session, other.arrived) = (one.session, one.arrived);
            **one == other
        }
        (Reply::Scanned { cursor: 0, locks: one }, Reply::Scanned { cursor: 0, locks: other }) => {
            one.len() == other.len() && one.iter().all(|lock| other.contains(lock))
        }
        (one, other) => one == other,
    }
}

fn step() -> impl Strategy<Value = Step> {
    let ttl = || (10_u64..3_000).prop_map(Duration::from_millis);
    let wall = 1_767_225_600_000_000_u64;
    let number = move || {
        prop_oneof![
            Just(0),
            0..20_u64,
            COUNTER_MIN - 3..COUNTER_MIN + 3,
            wall..wall + 60_000_000,
            FencingToken::MAX - 1_050..FencingToken::MAX - 1_000,
        ]
    };
    let rest = prop_oneof![2 => Just(Duration::ZERO), 1 => ttl()];
    let wake = (ttl(), wall..wall + 60_000_000)
        .prop_map(|(max_ttl, wall)| Verb::Activate { max_ttl, wall: WallTime::from_unix_us(wall) });
    let act = prop_oneof![
        8 => (ttl(), number(), 1_u32..4, waits()).prop_map(|(ttl, floor, block, waits)| {
            Operation::Ask(Verb::Grant { ttl, floor, block, waits })
        }),
        2 => Just(Operation::Ask(Verb::Leave)),
        3 => number().prop_map(|token| Operation::Ask(Verb::Seal { token })),
        3 => ttl().prop_map(|ttl| Operation::Ask(Verb::Extend { ttl })),
        4 => next().prop_map(|next| Operation::Ask(Verb::Release { next })),
        2 => Just(Operation::Ask(Verb::Inspect)),
        1 => Just(Operation::Ask(Verb::Force)),
        1 => any::<bool>().prop_map(|remove| Operation::Ask(Verb::Scan { cursor: 0, count: SCAN_ALL, remove })),
        2 => wake.prop_map(Operation::Ask),
        1 => ttl().prop_map(|max_ttl| Operation::Ask(Verb::Probe { max_ttl })),
        4 => (rest, any::<bool>()).prop_map(|(rest, stale)| Operation::Initialize { rest, stale }),
        3 => ttl().prop_map(Operation::TimePasses),
        1 => (-3_000..3_000).prop_map(Operation::ClockSteps),
        1 => Just(Operation::LockVanishes),
        1 => number().prop_map(Operation::CounterIsSet),
        1 => Just(Operation::Restarts),
    ];
    (0..3_u8, 0..4_u8, act).prop_map(|(resource, holder, act)| Step { resource, holder, act })
}

/// A third of the grants do not wait.
fn waits() -> impl Strategy<Value = Option<Waits>> {
    let some = (0..5_u64, any::<bool>())
        .prop_map(|(waited_s, overrides)| Some(Waits { waited: Duration::from_secs(waited_s), overrides }));
    prop_oneof![1 => Just(None), 2 => some]
}

fn next() -> impl Strategy<Value = Next> {
    prop_oneof![
        prop_oneof![Just(Publish::Nothing), Just(Publish::ToFirst), Just(Publish::ToFirstTwo)].prop_map(Next::Queue),
        Just(Next::Grant),
        (0..5_u64, any::<bool>())
            .prop_map(|(waited_s, wakes)| Next::Rejoin { waited: Duration::from_secs(waited_s), wakes }),
        Just(Next::NoWaiter),
    ]
}

fn request(resource_number: u8, holder: u8, verb: Verb) -> Request {
    let label = Label::new(["app", "app", "app and more", ""][usize::from(holder)]).unwrap();
    let waiter = Waiter::new(LockerId::from_random(u64::from(holder) + 1), 1, Duration::from_millis(40));
    let holder = Holder::new(HolderId::from_random(u128::from(holder) + 1), label);
    Request { subject: Arc::new(Subject { waiter, ..Subject::new(resource(resource_number), holder) }), verb }
}

fn resource(number: u8) -> Resource {
    Resource::new(format!("resource {number}")).unwrap()
}
