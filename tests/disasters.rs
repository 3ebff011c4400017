//! A table of disasters on real servers, under a load of contending holders. Each runs with the protection, with and
//! without leases that pass from task to task in memory, and once without the protection, to see that the test can
//! fail. To print the table:
//!
//! ```text
//! cargo test --test disasters -- --nocapture --test-threads=1 the_table
//! ```
//! With `REDFENCE_DISASTERS=short` in the environment each disaster runs once, over three nodes and with the
//! protection. scripts/test does so on other servers.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, and only this test uses these modules"
)]

mod support;

#[path = "disasters/clockwork.rs"]
#[allow(dead_code, reason = "some of it is for tests of clocks that were never set")]
mod clockwork;
#[path = "disasters/fault.rs"]
mod fault;
#[path = "disasters/log.rs"]
mod log;
#[path = "disasters/scene.rs"]
mod scene;
#[path = "disasters/two_names.rs"]
mod two_names;

use std::fmt::Write as _;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

use fault::Fault;
use log::Findings;
use redfence::HandOver;

/// The number of runs at a time, however many tests run side by side. More runs would wait for the processors.
const RUNS_AT_A_TIME: usize = 6;
/// A run without protection shows the violation only with some luck, so it is repeated. One violation is enough.
const CARELESS_ATTEMPTS_MAX: usize = 12;

/// How many of the contenders' errors are printed if no lease was acquired.
const FAILURES_SHOWN: usize = 20;

/// What must hold in spite of a disaster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    /// Never two holders at a time, and tokens always grow.
    ExclusiveAndOrdered,
    /// The same, once the lockers have noticed the step. Until then exclusion depends on clocks that are not stepped.
    OnceSeen,
    /// Tokens always grow. Exclusion does not cover this disaster, for the reason given.
    Ordered(&'static str),
}

/// The violation that must be seen without the protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Violation {
    TwoHolders,
    BadTokens,
    Both,
}

struct Disaster {
    name: &'static str,
    fault: Fault,
    promise: Promise,
    careless: &'static str,
    violation: Violation,
}

use Promise::{ExclusiveAndOrdered, OnceSeen, Ordered};
use Violation::{BadTokens, Both, TwoHolders};

const VOTES: &str = "it votes at once, with the counters from before the lease";
const NEVER_LOOKED: &str = "a locker that has not looked before";

const DISASTERS: &[Disaster] = &[
    row("kill -9, restart empty", Fault::RestartEmpty, ExclusiveAndOrdered, VOTES, Both),
    row("kill -9, restart from an old RDB", Fault::OldSnapshot, ExclusiveAndOrdered, "it votes at once", Both),
    row("AOF everysec, tail cut off", Fault::AofTail, ExclusiveAndOrdered, "it votes at once", Both),
    row("a majority restarted one by one", Fault::MajorityOneByOne, ExclusiveAndOrdered, VOTES, Both),
    row("all restarted empty at once", Fault::AllAtOnce, ExclusiveAndOrdered, VOTES, Both),
    row("replica promoted", Fault::Promotion, ExclusiveAndOrdered, "it votes at once", Both),
    row("FLUSHALL on a live node", Fault::FlushAll, ExclusiveAndOrdered, VOTES, Both),
    row("FLUSHALL on all nodes at once", Fault::FlushAllNodes, ExclusiveAndOrdered, VOTES, Both),
    row("FLUSHDB on a live node", Fault::FlushDb, ExclusiveAndOrdered, VOTES, Both),
    row("DEL of a counter", Fault::DelCounter, ExclusiveAndOrdered, "the counter from before the lease", BadTokens),
    row("eviction under allkeys-lru", Fault::Eviction, Ordered("locks may be evicted alone"), VOTES, Both),
    row("replaced by a fresh one, all durable", Fault::Replaced, ExclusiveAndOrdered, VOTES, Both),
    row("clock +1 h on one", Fault::ClockForward { majority: false }, OnceSeen, NEVER_LOOKED, TwoHolders),
    row("clock +1 h on a majority", Fault::ClockForward { majority: true }, OnceSeen, NEVER_LOOKED, TwoHolders),
    row(
        "clock -1 h on one, restart empty",
        Fault::ClockBack { majority: false },
        ExclusiveAndOrdered,
        "it votes at once, counters at its own clock",
        Both,
    ),
    row(
        "clock -1 h on a majority, restart empty",
        Fault::ClockBack { majority: true },
        ExclusiveAndOrdered,
        "they vote at once, counters at their own clock",
        Both,
    ),
    row("connections reset", Fault::Resets, ExclusiveAndOrdered, "no answer counts as granted", TwoHolders),
    row("replies delayed", Fault::Delays, ExclusiveAndOrdered, "validity counted from the reply", TwoHolders),
    row(
        "a grant delivered after its release",
        Fault::LateGrant,
        ExclusiveAndOrdered,
        "a late release not bound to its attempt",
        TwoHolders,
    ),
];

const fn row(
    name: &'static str,
    fault: Fault,
    promise: Promise,
    careless: &'static str,
    violation: Violation,
) -> Disaster {
    Disaster { name, fault, promise, careless, violation }
}

/// One line of the table.
#[derive(Debug, Clone)]
struct Line {
    cells: [String; 8],
    complaint: Option<String>,
}

const HEAD: [&str; 8] = [
    "disaster",
    "N",
    "leases",
    "two at once",
    "T1, T2",
    "next lease after",
    "exclusion promised",
    "with the protection off",
];

macro_rules! tests {
    ($($name:ident: $fault:expr;)*) => {
        $(#[test]
        fn $name() {
            let index = DISASTERS.iter().position(|disaster| disaster.fault == $fault).unwrap();
            complain(lines(index));
        })*

        #[test]
        fn every_disaster_has_a_test() {
            for disaster in DISASTERS {
                assert!([$($fault),*].contains(&disaster.fault), "{}", disaster.name);
            }
        }
    };
}

tests! {
    killed_and_restarted_empty: Fault::RestartEmpty;
    killed_and_restarted_from_an_old_snapshot: Fault::OldSnapshot;
    killed_and_the_end_of_its_log_lost: Fault::AofTail;
    a_majority_restarted_one_by_one: Fault::MajorityOneByOne;
    all_restarted_empty_at_once: Fault::AllAtOnce;
    a_replica_promoted: Fault::Promotion;
    everything_flushed: Fault::FlushAll;
    everything_flushed_everywhere: Fault::FlushAllNodes;
    the_database_flushed: Fault::FlushDb;
    a_counter_deleted: Fault::DelCounter;
    keys_evicted: Fault::Eviction;
    replaced_by_a_fresh_server: Fault::Replaced;
    the_clock_of_one_set_forward: Fault::ClockForward { majority: false };
    the_clocks_of_a_majority_set_forward: Fault::ClockForward { majority: true };
    the_clock_of_one_set_back: Fault::ClockBack { majority: false };
    the_clocks_of_a_majority_set_back: Fault::ClockBack { majority: true };
    connections_reset: Fault::Resets;
    replies_delayed: Fault::Delays;
    a_grant_delivered_after_its_release: Fault::LateGrant;
}

#[test]
fn two_urls_for_one_server() {
    complain(two_names());
}

/// Prints the table, and runs the disasters that no other test has run yet.
#[test]
fn the_table() {
    let lines: Vec<Line> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..DISASTERS.len()).map(|index| scope.spawn(move || lines(index))).collect();
        all.into_iter().flat_map(|line| line.join().unwrap()).chain(two_names()).cloned().collect()
    });
    println!("\n{}", table(&lines));
    complain(&lines);
}

fn complain(lines: &[Line]) {
    let complaints: Vec<&str> = lines.iter().filter_map(|line| line.complaint.as_deref()).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn is_short() -> bool {
    match std::env::var("REDFENCE_DISASTERS").as_deref() {
        Ok("short") => true,
        Ok(other) => panic!("REDFENCE_DISASTERS is {other:?}: unset it, or set it to \"short\""),
        Err(_) => false,
    }
}

fn numbers_of_nodes() -> impl Iterator<Item = usize> {
    [3, 5].into_iter().filter(|nodes| !is_short() || *nodes == 3)
}

/// The lines of one disaster, computed once for all tests.
fn lines(index: usize) -> &'static [Line] {
    static LINES: [OnceLock<Vec<Line>>; DISASTERS.len()] = [const { OnceLock::new() }; DISASTERS.len()];
    let disaster = &DISASTERS[index];
    LINES[index].get_or_init(|| {
        std::thread::scope(|scope| {
            let all: Vec<_> = numbers_of_nodes().map(|nodes| scope.spawn(move || line(disaster, nodes))).collect();
            all.into_iter().map(|line| line.join().unwrap()).collect()
        })
    })
}

fn line(disaster: &Disaster, nodes: usize) -> Line {
    let (found, without) = std::thread::scope(|scope| {
        let found = scope.spawn(|| {
            let of = |hand_over| in_turn(scene::run(disaster.fault, nodes, true, hand_over));
            let found = of(HandOver::ToWaiters);
            if is_short() { found } else { found.and(of(HandOver::Off)) }
        });
        let without = (0..if is_short() { 0 } else { CARELESS_ATTEMPTS_MAX })
            .map(|_| in_turn(scene::run(disaster.fault, nodes, false, HandOver::Off)))
            .find(|found| shows(found, disaster.violation));
        (found.join().unwrap(), without)
    });
    let exclusive = !matches!(disaster.promise, Ordered(_));
    let mut wrong = Vec::new();
    if exclusive && found.overlaps > 0 {
        wrong.push("two holders at a time");
    }
    if found.has_bad_tokens() {
        wrong.push("tokens twice or out of order");
    }
    if found.next.is_none() {
        wrong.push("no lease was acquired afterwards");
        let some = found.failures.iter().step_by((found.failures.len() / FAILURES_SHOWN).max(1));
        wrong.extend(some.map(String::as_str));
    }
    if without.is_none() && !is_short() {
        wrong.push("without the protection nothing happens, so this test cannot fail");
    }
    let complaint = (!wrong.is_empty()).then(|| format!("{}, N = {nodes}: {}", disaster.name, wrong.join("; ")));
    let tokens = if found.has_bad_tokens() { "BROKEN" } else { "held" };
    let promised = match disaster.promise {
        ExclusiveAndOrdered => "yes".to_owned(),
        OnceSeen => "once a look has seen the step".to_owned(),
        Ordered(why) => format!("no: {why}"),
    };
    Line {
        cells: [
            disaster.name.to_owned(),
            nodes.to_string(),
            found.leases.to_string(),
            found.overlaps.to_string(),
            tokens.to_owned(),
            found.next.map_or_else(|| "never".to_owned(), |next| format!("{:.1} s", next.as_secs_f64())),
            promised,
            match &without {
                Some(found) => format!("{}: {}", disaster.careless, damage(found)),
                None if is_short() => "not tried".to_owned(),
                None => format!("{}: NOTHING", disaster.careless),
            },
        ],
        complaint,
    }
}

fn shows(found: &Findings, violation: Violation) -> bool {
    match violation {
        TwoHolders => found.overlaps > 0,
        BadTokens => found.has_bad_tokens(),
        Both => found.overlaps > 0 && found.has_bad_tokens(),
    }
}

fn damage(found: &Findings) -> String {
    let two = (found.overlaps > 0).then_some("two holders");
    let twice = (found.twice > 0).then_some("a token twice");
    let disordered = (found.disordered > 0).then_some("tokens out of order");
    [two, twice, disordered].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn two_names() -> &'static [Line] {
    static LINES: OnceLock<Vec<Line>> = OnceLock::new();
    LINES.get_or_init(|| {
        let line = |nodes: usize| {
            let with = in_turn(two_names::run(nodes, true));
            let without = in_turn(two_names::run(nodes, false));
            let well = with == two_names::Delivery::Refused && without == two_names::Delivery::StoppedByOneServer;
            let complaint =
                (!well).then(|| format!("two URLs for one server, N = {nodes}: {with:?}, without: {without:?}"));
            let with = if with == two_names::Delivery::Refused { "refused" } else { "TAKEN" };
            let off = "INFO forbidden: both are accepted, and if that server dies no quorum is left";
            let off = if well { off.to_owned() } else { format!("{without:?}") };
            let cells =
                ["two URLs for one server", &nodes.to_string(), "0", "0", "held", with, "yes", &off].map(str::to_owned);
            Line { cells, complaint }
        };
        numbers_of_nodes().map(line).collect()
    })
}

/// Waits until few enough others run, and runs `run` on a new runtime.
fn in_turn<T>(run: impl Future<Output = T>) -> T {
    static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());
    struct Turn;
    impl Drop for Turn {
        fn drop(&mut self) {
            *RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
            RUNNING.1.notify_one();
        }
    }
    let running = RUNNING.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut running =
        RUNNING.1.wait_while(running, |running| *running >= RUNS_AT_A_TIME).unwrap_or_else(PoisonError::into_inner);
    *running += 1;
    drop(running);
    let _turn = Turn;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run)
}

/// The table in Markdown, with columns in line.
fn table(lines: &[Line]) -> String {
    let head = HEAD.map(str::to_owned);
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|at| lines.iter().map(|line| &line.cells).chain([&head]).map(|cells| cells[at].len()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    let mut put = |cells: &[String; 8]| {
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
    };
    put(&head);
    put(&std::array::from_fn(|at| "-".repeat(widths[at])));
    lines.iter().for_each(|line| put(&line.cells));
    text
}
