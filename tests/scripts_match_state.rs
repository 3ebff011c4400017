//! The Lua scripts on a real server and [`NodeState`] give the same replies to the same requests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use redfence::node::redis::{Address, Prefix, RedisNode, RedisNodeOptions};
use redfence::node::{Node as _, NodeState, ask};
use redfence::protocol::{
    LockView, Next, NodeReport, Publish, Record, RecordUpdate, Reply, Request, RunId, ScannedLock, Subject, Verb, Waits,
};
use redfence::{Clock as _, FencingToken, Holder, LockerId, Resource, SystemClock, Waiter, WallTime};
use support::RedisServer;
use support::fault_node::holder;
use tokio::runtime::Runtime;

const CASES: u32 = 150;
const STEPS_MAX: usize = 40;
/// Server and state read the clock one after the other, and the machine may be busy in between.
const TTL_LEFT_APART: Duration = Duration::from_secs(2);
/// A counter below this did not start at the clock.
const COUNTER_MIN: u64 = 1_000_000_000_000_000;
/// Above every real clock, so that the caller decides where a counter starts.
const WALL_US: u64 = 3 * COUNTER_MIN;
/// The greatest token; beyond it, no script has to be exact.
const COUNTER_MAX: u64 = FencingToken::MAX - 1_000;

/// More than all keys, so that a scan takes one step.
const SCAN_ALL: u32 = 100_000;

/// One step: who, what, and what is done.
#[derive(Debug, Clone)]
struct Step {
    resource: usize,
    holder: usize,
    act: Act,
}

#[derive(Debug, Clone)]
enum Act {
    Ask(Verb),
    LockVanishes,
    CounterIsSet(u64),
    CounterVanishes,
    /// With the current record, or with a record that the node does not have.
    Initialize {
        rest: Duration,
        stale: bool,
    },
}

#[test]
fn the_scripts_answer_as_the_state_does() {
    let pair = Pair::new();
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(step(), 1..=STEPS_MAX);
    TestRunner::new_with_rng(config, rng).run(&steps, |steps| pair.agrees_on(&steps)).unwrap_or_else(|e| panic!("{e}"));
}

/// One act after another, each by the holder of this number, and how the reply begins.
fn story() -> Vec<(usize, Act, &'static str)> {
    let grant = |floor| Act::Ask(Verb::Grant { ttl: Duration::from_secs(30), floor, block: 1, waits: None });
    let initialize = |rest_s, stale| Act::Initialize { rest: Duration::from_secs(rest_s), stale };
    let activate = || Act::Ask(Verb::Activate { max_ttl: Duration::ZERO, wall: WallTime::from_unix_us(WALL_US + 500) });
    let seal = |token| Act::Ask(Verb::Seal { token });
    let scan = |remove| Act::Ask(Verb::Scan { cursor: 0, count: SCAN_ALL, remove });
    let waits = |overrides| {
        let waits = Some(Waits { waited: Duration::ZERO, overrides });
        Act::Ask(Verb::Grant { ttl: Duration::from_secs(30), floor: 0, block: 1, waits })
    };
    let release = |next| Act::Ask(Verb::Release { next });
    vec![
        (0, Act::Ask(Verb::Inspect), "Inspected"),
        (0, seal(9), "Refused"),
        (0, grant(0), "Granted"),
        (0, grant(0), "Refused"),
        (1, Act::Ask(Verb::Extend { ttl: Duration::from_secs(40) }), "Refused"),
        (0, Act::Ask(Verb::Extend { ttl: Duration::from_secs(40) }), "Extended"),
        (0, seal(WALL_US + 77), "Sealed"),
        (0, seal(5), "Sealed"),
        (1, Act::Ask(Verb::RELEASE), "Refused"),
        (0, Act::CounterVanishes, ""),
        (0, seal(WALL_US + 99), "Failed"),
        (0, Act::CounterIsSet(12), ""),
        (0, seal(WALL_US + 99), "Failed"),
        (0, Act::Ask(Verb::RELEASE), "Released"),
        (1, grant(0), "Failed"), // and undone
        (1, Act::Ask(Verb::Inspect), "Inspected"),
        (0, initialize(0, true), "Reported"),
        (1, grant(0), "Failed"),
        (0, initialize(0, false), "Reported"),
        (1, grant(0), "Granted"),
        (0, initialize(3_600, false), "Reported"),
        (1, Act::Ask(Verb::Extend { ttl: Duration::from_secs(40) }), "Extended"), // a node that rests does extend
        (0, grant(0), "Refused"),
        (0, activate(), "Reported"), // too early
        (2, Act::Ask(Verb::Inspect), "Inspected"),
        (0, initialize(0, false), "Reported"),
        (0, Act::Ask(Verb::Probe { max_ttl: Duration::from_secs(90) }), "Reported"),
        (1, Act::LockVanishes, ""),
        (1, Act::Ask(Verb::RELEASE), "Refused"),
        (1, grant(COUNTER_MAX - 9), "Granted"),
        (0, scan(false), "Scanned { cursor: 0, locks: [ScannedLock"),
        (0, Act::Ask(Verb::Force), "Refused"),
        (1, Act::Ask(Verb::Force), "Released"),
        (1, Act::Ask(Verb::Force), "Refused"),
        (0, scan(false), "Scanned { cursor: 0, locks: [] }"),
        (2, grant(COUNTER_MAX), "Granted"),
        (0, scan(true), "Scanned { cursor: 0, locks: [ScannedLock"),
        (2, Act::Ask(Verb::RELEASE), "Refused"),
        (0, waits(false), "Granted"),
        (1, waits(false), "Refused(LockView { lock: HeldBy"),
        (2, waits(false), "Refused"),
        (3, Act::Ask(Verb::Inspect), "Inspected"),
        (0, release(Next::Rejoin { waited: Duration::ZERO, wakes: true }), "Released"), // the one that waited longest is first
        (3, grant(0), "Refused(LockView { lock: ReservedFor"),
        (1, waits(false), "Refused"), // it is not the one that it is reserved for
        (2, waits(false), "Granted"),
        (2, release(Next::NoWaiter), "Released"),
        (3, Act::Ask(Verb::Inspect), "Inspected"),
        (2, waits(false), "Granted"),
        (2, release(Next::Grant), "Released"),
        (1, Act::Ask(Verb::Leave), "Left"),
        (3, Act::Ask(Verb::Inspect), "Inspected"),
        (3, waits(true), "Granted"), // though it is reserved
        (0, Act::Ask(Verb::Leave), "Left"),
    ]
}

#[test]
fn the_comparison_meets_every_kind_of_reply() {
    let pair = Pair::new();
    let mut state = pair.anew();
    for (holder, act, expected) in story() {
        let step = Step { resource: 0, holder, act };
        let replies = pair.take(&step, &mut state);
        let is_as_told = replies.as_ref().is_none_or(|(_, of_state)| format!("{of_state:?}").starts_with(expected));
        assert!(is_as_told && agree(replies.as_ref()), "{step:?}: {replies:?}");
    }
}

fn step() -> impl Strategy<Value = Step> {
    let ttl = || (30_000_u64..60_000).prop_map(Duration::from_millis);
    let number = || {
        prop_oneof![
            Just(0),
            0..20_u64,
            COUNTER_MIN - 3..COUNTER_MIN + 3,
            WALL_US - 5..WALL_US + 50,
            COUNTER_MAX - 50..COUNTER_MAX,
        ]
    };
    // Whole seconds, different for each waiter: server and state read the clock one after the other.
    let waits = prop_oneof![1 => Just(None), 2 => any::<bool>().prop_map(|overrides| Some(Waits { waited: Duration::ZERO, overrides }))];
    let grant = (ttl(), number(), waits).prop_map(|(ttl, floor, waits)| Verb::Grant { ttl, floor, block: 1, waits });
    let next = prop_oneof![
        prop_oneof![Just(Publish::Nothing), Just(Publish::ToFirst), Just(Publish::ToFirstTwo)].prop_map(Next::Queue),
        Just(Next::Grant),
        any::<bool>().prop_map(|wakes| Next::Rejoin { waited: Duration::ZERO, wakes }),
        Just(Next::NoWaiter),
    ];
    let of_a_clock = (0..3_u64).prop_map(|later| WALL_US + later * 1_000_003);
    let wall =
        prop_oneof![4 => of_a_clock, 1 => Just(i64::MAX.unsigned_abs() / 1_000)].prop_map(WallTime::from_unix_us);
    let rest = || prop_oneof![2 => Just(Duration::ZERO), 1 => Just(Duration::from_secs(3_600))];
    let act = prop_oneof![
        6 => grant.prop_map(Act::Ask),
        3 => number().prop_map(|token| Act::Ask(Verb::Seal { token })),
        3 => ttl().prop_map(|ttl| Act::Ask(Verb::Extend { ttl })),
        4 => next.prop_map(|next| Act::Ask(Verb::Release { next })),
        1 => Just(Act::Ask(Verb::Leave)),
        2 => Just(Act::Ask(Verb::Inspect)),
        1 => Just(Act::Ask(Verb::Force)),
        1 => any::<bool>().prop_map(|remove| Act::Ask(Verb::Scan { cursor: 0, count: SCAN_ALL, remove })),
        1 => Just(Act::LockVanishes),
        1 => number().prop_map(Act::CounterIsSet),
        1 => Just(Act::CounterVanishes),
        1 => (rest(), any::<bool>()).prop_map(|(rest, stale)| Act::Initialize { rest, stale }),
        1 => wall.prop_map(|wall| Act::Ask(Verb::Activate { max_ttl: Duration::from_secs(45), wall })),
        1 => ttl().prop_map(|max_ttl| Act::Ask(Verb::Probe { max_ttl })),
    ];
    (0..3_usize, 0..4_usize, act).prop_map(|(resource, holder, act)| Step { resource, holder, act })
}

/// A server and the reference state to compare it with.
struct Pair {
    server: RedisServer,
    node: RedisNode,
    resources: [Resource; 3],
    holders: [Holder; 4],
    runtime: Runtime,
}

impl Pair {
    fn new() -> Self {
        let server = RedisServer::start();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let node = runtime.block_on(async {
            let node = RedisNode::open(Address::parse(&server.url()).unwrap(), RedisNodeOptions::default()).unwrap();
            node.dialled().await.unwrap();
            node
        });
        // Two of the resources share a slot, and with it a counter; two of the holders begin alike.
        let first = Resource::new("first").unwrap();
        let in_its_slot = |name: &Resource| name.slot() == first.slot();
        let shares = (0..).map(|n| Resource::new(format!("r{n}")).unwrap()).find(in_its_slot).unwrap();
        let apart = Resource::new("apart").unwrap();
        assert_ne!(apart.slot(), first.slot());
        let holders = [holder("app", 1), holder("app", 2), holder("app and more", 1), holder("", 3)];
        Self { server, node, resources: [first, shares, apart], holders, runtime }
    }

    /// Empties both.
    fn anew(&self) -> NodeState {
        assert_eq!(self.server.command(&["FLUSHALL"]), "OK");
        assert_eq!(self.server.command(&["SCRIPT", "FLUSH"]), "OK");
        let mut state = NodeState::started(RunId::from_bytes([7; 20]), SystemClock.wall());
        let initialization = Act::Initialize { rest: Duration::ZERO, stale: false };
        let replies = self.take(&Step { resource: 0, holder: 0, act: initialization }, &mut state);
        assert!(agree(replies.as_ref()), "{replies:?}");
        // The connection stays subscribed from case to case.
        for holder in 0..self.holders.len() {
            for act in [
                Verb::Grant {
                    ttl: Duration::from_secs(30),
                    floor: 0,
                    block: 1,
                    waits: Some(Waits { waited: Duration::ZERO, overrides: false }),
                },
                Verb::Release { next: Next::NoWaiter },
            ] {
                let replies = self.take(&Step { resource: 0, holder, act: Act::Ask(act) }, &mut state);
                assert!(agree(replies.as_ref()), "{replies:?}");
            }
        }
        state
    }

    fn agrees_on(&self, steps: &[Step]) -> Result<(), TestCaseError> {
        let mut state = self.anew();
        for (at, step) in steps.iter().enumerate() {
            let replies = self.take(step, &mut state);
            prop_assert!(agree(replies.as_ref()), "step {at}, {step:?}: {replies:?}");
        }
        Ok(())
    }

    /// Takes one step on both sides; the server's reply and the state's, if there are any.
    fn take(&self, step: &Step, state: &mut NodeState) -> Option<(Reply, Reply)> {
        let resource = &self.resources[step.resource];
        let (lock, counter) = (Prefix::default().lock(resource), Prefix::default().counter(resource));
        match &step.act {
            Act::Ask(verb) => {
                return Some(self.ask_both(step, verb, verb, state));
            }
            Act::Initialize { rest, stale } => {
                // Each side has its own record: the one that it reports now, or one that it never had.
                let look = Verb::Probe { max_ttl: Duration::ZERO };
                let seen = |reply: Reply| match reply {
                    Reply::Reported(report) if *stale => {
                        let other = report.record.map(|record| Record { awake: !record.awake, ..record });
                        other.or(Some(Record {
                            run_id: None,
                            ready_at: WallTime::default(),
                            max_ttl: Duration::ZERO,
                            awake: true,
                            new: false,
                        }))
                    }
                    Reply::Reported(report) => report.record,
                    other => panic!("{other:?}"),
                };
                let mark = |reply: &Reply| match reply {
                    Reply::Reported(report) => report.mark,
                    other => panic!("{other:?}"),
                };
                let (of_server, of_state) = self.ask_both(step, &look, &look, state);
                let (max_ttl, wall, rest) = (Duration::from_secs(30), WallTime::from_unix_us(WALL_US), *rest);
                let initialize = |reply| {
                    RecordUpdate { mark: mark(&reply), seen: seen(reply), rest, new: *stale, max_ttl, wall }.into()
                };
                return Some(self.ask_both(step, &initialize(of_server), &initialize(of_state), state));
            }
            Act::LockVanishes => {
                self.server.command(&["DEL", &lock]);
                state.drop_lock(resource);
            }
            Act::CounterIsSet(number) => {
                assert_eq!(self.server.command(&["SET", &counter, &number.to_string()]), "OK");
                state.set_counter(resource.slot(), *number);
            }
            Act::CounterVanishes => {
                self.server.command(&["DEL", &counter]);
                state.set_counter(resource.slot(), 0);
            }
        }
        None
    }

    fn ask_both(&self, step: &Step, server: &Verb, of_state: &Verb, state: &mut NodeState) -> (Reply, Reply) {
        let (resource, holder) = (self.resources[step.resource].clone(), self.holders[step.holder].clone());
        // A grace that is longer than a case takes.
        let number = u64::try_from(step.holder).unwrap();
        let waiter = Waiter::new(LockerId::from_random(number + 1), 1, Duration::from_secs(1));
        let subject = Arc::new(Subject { waiter, ..Subject::new(resource, holder) });
        let waited = Duration::from_secs(100 * (number + 1));
        let request = |verb: &Verb| Request { subject: Arc::clone(&subject), verb: after(waited, verb) };
        let of_state = state.apply(SystemClock.wall(), &request(of_state));
        let of_server = self.runtime.block_on(ask(&self.node, request(server)));
        if let Reply::Reported(report) = &of_server {
            self.node.admit(report.session);
        }
        (of_server, of_state)
    }
}

/// The same request from a waiter that has waited for `waited`.
fn after(waited: Duration, verb: &Verb) -> Verb {
    match *verb {
        Verb::Grant { ttl, floor, block, waits: Some(waits) } => {
            Verb::Grant { ttl, floor, block, waits: Some(Waits { waited, ..waits }) }
        }
        Verb::Release { next: Next::Rejoin { wakes, .. } } => Verb::Release { next: Next::Rejoin { waited, wakes } },
        _ => verb.clone(),
    }
}

/// Whether the replies are equal, apart from the time between the two and the wording of faults.
fn agree(replies: Option<&(Reply, Reply)>) -> bool {
    match replies {
        None => true,
        Some((Reply::Refused(one), Reply::Refused(other)) | (Reply::Inspected(one), Reply::Inspected(other))) => {
            let queue = |view: &LockView| (view.place, view.waiting, view.first.clone());
            let same = |view: &LockView| (view.lock.clone(), view.counter, view.ttl_left.is_some(), queue(view));
            let apart = one.ttl_left.unwrap_or_default().abs_diff(other.ttl_left.unwrap_or_default());
            same(one) == same(other) && apart <= TTL_LEFT_APART
        }
        Some((Reply::Scanned { cursor: 0, locks: one }, Reply::Scanned { cursor: 0, locks: other })) => {
            let sorted = |locks: &[ScannedLock]| {
                let mut locks: Vec<_> = locks.iter().map(|l| (l.resource.clone(), l.lock.clone())).collect();
                locks.sort_unstable();
                locks
            };
            sorted(one) == sorted(other)
        }
        Some((Reply::Failed(one), Reply::Failed(other))) => one.kind == other.kind,
        Some((Reply::Reported(one), Reply::Reported(other))) => {
            let same = |report: &NodeReport| report.record.map(|record| (record.awake, record.new, record.max_ttl));
            // The connection sends its scripts again if it finds them flushed.
            let knows = one.was_joined == Some(true) || one.was_joined == other.was_joined;
            let ready_at = |report: &NodeReport| report.record.map_or(0, |record| record.ready_at.unix_ms());
            let clocks_apart = one.now.unix_us().abs_diff(other.now.unix_us()) / 1_000;
            let rests_apart = ready_at(one).abs_diff(ready_at(other));
            let apart = Duration::from_millis(clocks_apart.max(rests_apart));
            same(one) == same(other) && knows && apart <= TTL_LEFT_APART && one.run_id.is_some()
        }
        Some((one, other)) => one == other,
    }
}
