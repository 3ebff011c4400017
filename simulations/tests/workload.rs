//! What a workload meets in a run: pauses, deaths, lost and late messages, panics; and that it changes nothing else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redfence::Guard;
use simulations::invariant::Promise;
use simulations::plan::{Fault, Operation, Plan, Section};
use simulations::workload::{Caller, Operating, Workload};
use simulations::{Level, Mutant, Profile, Scale};

/// Each operation is one request; `log` has what happened, with the time of the run in milliseconds.
#[derive(Default)]
struct Requests {
    log: Arc<Mutex<Vec<(u64, &'static str)>>>,
    panics: Option<&'static str>,
    fails: bool,
}

impl Requests {
    fn log(&self) -> Vec<(u64, &'static str)> {
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl Workload for Requests {
    fn operate<'a>(&'a self, caller: &'a Caller, _: &'a Guard) -> Operating<'a> {
        Box::pin(async move {
            let note = |what| {
                self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((caller.world().now_ms(), what))
            };
            note("asks");
            assert!(self.panics != Some("client"), "the client has had enough");
            let (log, panics) = (Arc::clone(&self.log), self.panics);
            let began = caller.world().now_ms();
            let serve = async move {
                assert!(panics != Some("server"), "the server has had enough");
                tokio::time::sleep(Duration::from_millis(7)).await;
                log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((began, "serves"));
            };
            note(if caller.call(serve).await.is_some() { "knows" } else { "does not know" });
        })
    }

    fn check(&self) -> Result<(), String> {
        assert!(self.panics != Some("check"), "the check has had enough");
        if self.fails { Err("it fails always".to_owned()) } else { Ok(()) }
    }
}

/// What happened before the end of all faults; afterwards two clients write once more.
fn before_the_end(plan: &Plan) -> Vec<(u64, &'static str)> {
    let workload = Arc::new(Requests::default());
    let outcome = Level::Node.run_workload(plan, Arc::clone(&workload) as _, None, false);
    assert_eq!(outcome.violations, Vec::new());
    workload.log().into_iter().filter(|(ms, _)| *ms < u64::from(plan.faults_end_ms)).collect()
}

fn names(log: &[(u64, &'static str)]) -> Vec<&'static str> {
    log.iter().map(|(_, what)| *what).collect()
}

fn one_write(flight_ms: u32) -> Plan {
    Plan::of(3).client([Section::after(0).then(Operation::Write { stall_ms: 0, flight_ms })])
}

#[test]
fn a_request_takes_the_time_of_the_network_of_the_plan_and_of_the_server() {
    let log = before_the_end(&one_write(30));
    assert_eq!(names(&log), ["asks", "serves", "knows"]);
    // One millisecond there and one back, 30 in flight, 7 at the server.
    assert_eq!(log[2].0 - log[0].0, 39);
    let slow = one_write(30).fault(0, Fault::SlowStore { by_ms: 100, for_ms: 500 });
    let log = before_the_end(&slow);
    assert_eq!(log[2].0 - log[0].0, 139);
}

#[test]
fn a_request_of_a_client_that_dies_is_served_and_one_that_is_paused_learns_of_it_late() {
    let dies = one_write(30).fault(20, Fault::Reboot { client: 0, down_ms: 100 });
    assert_eq!(names(&before_the_end(&dies)), ["asks", "serves"]);
    let paused = one_write(30).fault(20, Fault::Pause { client: 0, for_ms: 400 });
    let log = before_the_end(&paused);
    assert_eq!(names(&log), ["asks", "serves", "knows"]);
    assert_eq!(log[2].0, 420);
}

#[test]
fn messages_are_lost_and_the_client_does_not_know_whether_it_was_served() {
    let (mut served, mut not_served) = (0, 0);
    for seed in 0..40 {
        let mut plan = one_write(0);
        plan.seed = seed;
        plan.network.loss_per_mille = 300;
        let log = before_the_end(&plan);
        if names(&log).contains(&"does not know") {
            let was_served = names(&log).contains(&"serves");
            served += u32::from(was_served);
            not_served += u32::from(!was_served);
        }
    }
    assert!(served > 0 && not_served > 0, "{served} requests served, {not_served} not");
}

#[test]
fn failed_checks_and_panics_are_violations() {
    for (panics, fails, says) in [
        (None, true, "it fails always"),
        (Some("client"), false, "it panicked: the client has had enough"),
        (Some("server"), false, "it panicked: the server has had enough"),
        (Some("check"), false, "it panicked: the check has had enough"),
    ] {
        let workload = Requests { panics, fails, ..Requests::default() };
        let outcome = Level::Node.run_workload(&one_write(0), Arc::new(workload), None, false);
        let found = outcome.violations.iter().find(|violation| violation.promise == Promise::Workload);
        assert_eq!(found.map(|violation| violation.description.as_str()), Some(says), "{outcome:?}");
    }
}

#[test]
fn a_workload_runs_at_both_levels_gives_the_same_run_twice_and_sees_a_wrong_lock() {
    let plan = Plan::draw(5, Profile::ManyFaults, Scale::default());
    for level in [Level::Node, Level::Stream] {
        let run = || level.run_workload(&plan, Arc::new(Requests::default()), None, true);
        let (first, second) = (run(), run());
        assert_eq!(first.violations, Vec::new());
        assert!(first.trace.contains(" operates with token "), "{level:?}");
        assert!(first.trace == second.trace, "{level:?}: two runs of one plan differ");
    }
    let falls = (0..200).any(|seed| {
        let plan = Plan::draw(seed, Profile::ManyFaults, Scale::default());
        let outcome = Level::Node.run_workload(&plan, Arc::new(Requests::default()), Some(Mutant::NoSeal), false);
        outcome.violation().is_some_and(|violation| violation.promise == Promise::T1)
    });
    assert!(falls, "the promises of the lock are judged too");
}
