//! A resource server of your own under the simulator. It stores values, and refuses those whose fencing token is below the
//! highest. It does so in two ways: `one-step` checks and writes in one step; `apart` checks, waits for its disk, and then
//! writes. The second one is wrong: while it waits, another request may pass its check.
//!
//! ```console
//! $ cargo run --release -p simulations --example own_server -- one-step
//! $ cargo run --release -p simulations --example own_server -- apart > broken.txt
//! $ sed -n 3p broken.txt > plan.json            # the smallest plan that breaks it
//! $ cargo run --release -p simulations --example own_server -- apart --plan plan.json
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redfence::{FencingToken, Guard, Resource};
use simulations::plan::Plan;
use simulations::workload::{Caller, Operating, Workload};
use simulations::{Campaign, Level, Profile, Timeline};

/// How the server checks tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checks {
    OneStep,
    Apart,
}

/// The server: the writes of each resource, in their order.
struct Server {
    checks: Checks,
    written: Mutex<BTreeMap<Resource, Vec<FencingToken>>>,
}

/// The answer to a stale writer.
struct Stale;

impl Server {
    async fn put(&self, resource: &Resource, token: FencingToken) -> Result<(), Stale> {
        if self.checks == Checks::Apart {
            self.admits(resource, token)?;
            // The disk takes its time, and the server serves other requests meanwhile.
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.written().entry(resource.clone()).or_default().push(token);
            return Ok(());
        }
        let mut written = self.written();
        let writes = written.entry(resource.clone()).or_default();
        if writes.last().is_some_and(|highest| token < *highest) {
            return Err(Stale);
        }
        writes.push(token);
        Ok(())
    }

    fn admits(&self, resource: &Resource, token: FencingToken) -> Result<(), Stale> {
        let written = self.written();
        let highest = written.get(resource).and_then(|writes| writes.iter().max());
        if highest.is_some_and(|highest| token < *highest) { Err(Stale) } else { Ok(()) }
    }

    fn written(&self) -> MutexGuard<'_, BTreeMap<Resource, Vec<FencingToken>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server, its clients, and what must hold.
struct OwnServer {
    server: Arc<Server>,
    /// The writes that clients know to be done.
    done: Mutex<Vec<(Resource, FencingToken)>>,
}

impl OwnServer {
    fn new(checks: Checks) -> Self {
        Self { server: Arc::new(Server { checks, written: Mutex::default() }), done: Mutex::default() }
    }

    fn done(&self) -> MutexGuard<'_, Vec<(Resource, FencingToken)>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workload for OwnServer {
    fn operate<'a>(&'a self, caller: &'a Caller, guard: &'a Guard) -> Operating<'a> {
        Box::pin(async move {
            let (server, resource, token) = (Arc::clone(&self.server), caller.resource().clone(), guard.token());
            let put = async move { server.put(&resource, token).await };
            if let Some(Ok(())) = caller.call(put).await {
                self.done().push((caller.resource().clone(), token));
            }
        })
    }

    fn check(&self) -> Result<(), String> {
        let written = self.server.written();
        for (resource, writes) in written.iter() {
            if let Some((newer, older)) =
                writes.iter().zip(writes.iter().skip(1)).find(|(first, second)| first > second)
            {
                return Err(format!("{resource}: token {older} was written after token {newer}"));
            }
        }
        let is_there = |(resource, token): &&(Resource, FencingToken)| {
            written.get(resource).is_some_and(|writes| writes.contains(token))
        };
        match self.done().iter().find(|write| !is_there(write)) {
            Some((resource, token)) => Err(format!("{resource}: token {token} was confirmed, and is not there")),
            None => Ok(()),
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (checks, file) = match arguments[..] {
        ["one-step"] => (Checks::OneStep, None),
        ["apart"] => (Checks::Apart, None),
        ["one-step", "--plan", file] => (Checks::OneStep, Some(file)),
        ["apart", "--plan", file] => (Checks::Apart, Some(file)),
        _ => {
            eprintln!("own_server: write one-step or apart, and --plan FILE to run a plan");
            return ExitCode::from(2);
        }
    };
    match file {
        Some(file) => replay(checks, Path::new(file)),
        None => search(checks),
    }
}

/// Runs a thousand seeds.
fn search(checks: Checks) -> ExitCode {
    match Campaign::of(Profile::ManyFaults).run_workload(0..1_000, 2, || OwnServer::new(checks)) {
        Ok(seen) => {
            println!("{} runs · {} acquires · {} leases lost · every check held", seen.runs, seen.acquired, seen.lost);
            ExitCode::SUCCESS
        }
        Err(broken) => {
            println!("{broken}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one plan, and shows what happens in it.
fn replay(checks: Checks, file: &Path) -> ExitCode {
    let plan = match Plan::read(file) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("own_server: cannot read the plan {}: {error}", file.display());
            return ExitCode::from(2);
        }
    };
    let outcome = Level::Node.run_workload(&plan, Arc::new(OwnServer::new(checks)), None, true);
    println!("{}{}", outcome.trace, Timeline::of(&plan, &outcome));
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use simulations::invariant::Promise;

    use super::*;

    #[test]
    fn the_server_that_checks_in_the_same_step_passes_every_seed() {
        for profile in Profile::ALL {
            let seen = Campaign::of(profile).run_workload(0..25, 2, || OwnServer::new(Checks::OneStep)).unwrap();
            assert!(seen.runs == 25 && seen.acquired > 100, "{profile:?}: {seen:?}");
        }
    }

    #[test]
    fn the_server_that_checks_apart_is_caught_and_its_plan_is_shrunk_and_printed() {
        let campaign = Campaign::of(Profile::ManyFaults);
        let broken = campaign.run_workload(0..1_000, 2, || OwnServer::new(Checks::Apart)).unwrap_err();
        assert_eq!(broken.violation.promise, Promise::Workload);
        assert!(broken.violation.description.contains(" was written after token "), "{broken}");
        assert!(broken.plan.size() < campaign.plan(broken.seed).size(), "{broken}");
        // What is printed can be saved and run again. The right server passes it.
        let printed = broken.to_string();
        let plan = Plan::parse(printed.lines().nth(2).unwrap()).unwrap();
        assert_eq!(plan, broken.plan);
        let run = |checks| Level::Node.run_workload(&plan, Arc::new(OwnServer::new(checks)), None, false);
        assert_eq!(run(Checks::Apart).violations, broken.outcome.violations);
        assert_eq!(run(Checks::OneStep).violations, Vec::new());
    }
}
