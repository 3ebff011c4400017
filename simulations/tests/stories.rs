//! Plans written by hand: some are refused, and short ones once found bugs. Stories with a description are in
//! `src/scenario/`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use simulations::plan::{Fault, Foreign, ForeignSection, Knows, Section};
use simulations::{Level, Plan};

#[test]
fn a_plan_that_cannot_be_run_is_refused_with_a_sentence() {
    let plan = || Plan::of(3).client([Section::after(0)]);
    let mut endless = plan();
    endless.terms.max_ttl_ms = u32::MAX;
    let rows = [
        (plan(), None),
        (Plan::of(0), Some("there are 0 nodes: name 1 to 32")),
        (plan().fault(2_001, Fault::Flush { node: 0 }), Some("comes after the end of all faults")),
        (plan().fault(0, Fault::Hang { node: 0, for_ms: 600_001 }), Some("600001 ms are too long")),
        (Plan::of(3).client([Section::after(0).work(u32::MAX)]), Some("are too long")),
        (endless, Some("are too long")),
        (plan().anchor(3), Some("node 3 cannot be the anchor, because there are 3 nodes: write 0 to 2")),
        (plan().foreign(another_library(600_001)), Some("600001 ms are too long")),
        ((0..17).fold(plan(), |plan, _| plan.foreign(another_library(1))), Some("name 16 at most")),
    ];
    for (plan, complaint) in rows {
        let verdict = plan.check();
        match complaint {
            None => assert_eq!(verdict, Ok(())),
            Some(part) => {
                assert!(
                    verdict.as_ref().is_err_and(|error| error.to_string().contains(part)),
                    "{verdict:?} without {part:?}"
                )
            }
        }
    }
}

fn another_library(work_ms: u32) -> Foreign {
    let section = ForeignSection { think_ms: 0, resource: 0, wait_ms: 0, work_ms };
    Foreign { knows: Knows::All, endless: false, sections: vec![section] }
}

/// A node that lost the lock of a living holder grants it to the waiter, and the others refuse. The node publishes the
/// release of that grant to the waiter itself, which must not count it as its turn.
#[test]
fn a_waiter_is_not_woken_by_its_own_rollback() {
    for node in 0..3 {
        let plan = Plan::of(3)
            .client([Section::after(0).work(400)])
            .client([Section::after(20).wait(1_000)])
            .fault(10, Fault::Evict { node, resource: 0 });
        plan.check().unwrap_or_default();
        let outcome = Level::Node.run(&plan, None, true);
        assert_eq!(outcome.violations, Vec::new());
        let asked = outcome.trace.lines().filter(|line| line.contains("c1.0 -> ") && line.contains("Grant")).count();
        assert!(asked < 60, "the waiter asked {asked} times in 400 ms, node {node}");
        assert!(asked > 3, "it never waited: {asked}");
    }
}

/// A holder with exactly a quorum of locks lost its lock at the node that all clients ask first. Many clients wait, and
/// their roll-backs are published often. Each must ask only once per TTL which holder blocks it.
#[test]
fn a_crowd_does_not_keep_itself_awake() {
    let mut plan = Plan::of(5).client([Section::after(0).work(5_000)]).faults_end_at(6_000);
    (plan.terms.ttl_ms, plan.terms.max_ttl_ms) = (10_000, 10_000);
    for node in [3, 4] {
        plan = plan.fault(10, Fault::Evict { node, resource: 0 });
    }
    for _ in 0..63 {
        plan = plan.client([Section::after(20).wait(10_000)]);
    }
    assert_eq!(plan.check(), Ok(()));
    let outcome = Level::Node.run(&plan, None, true);
    assert_eq!(outcome.violations, Vec::new());
    let asks = |line: &&str| line.contains(" -> ") && line.contains("Grant {");
    let at_ms = |line: &str| line.split_whitespace().next().and_then(|ms| ms.parse::<u32>().ok());
    let asked =
        outcome.trace.lines().filter(asks).filter(|line| at_ms(line).is_some_and(|ms| (2_000..5_000).contains(&ms)));
    assert_eq!(asked.count(), 0, "waiters ask no node while they know the holder");
}

/// Plans that simulations found and shrank, each named after what it broke.
#[test]
fn plans_that_once_broke_a_promise_break_none_any_more() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        let plan = Plan::read(&file).unwrap();
        assert_eq!(Level::Node.run(&plan, None, false).violations, Vec::new(), "{}", file.display());
    }
}
