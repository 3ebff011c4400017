//! [`Workload`]: your own code under the simulator. Your clients use the shipped lock, and your resource server gets their
//! requests, while nodes, network, clocks and processes fail as a [`Plan`] says. Your check judges the result.
//!
//! Whenever a client of the plan writes, it runs [`Workload::operate`] instead, with its lease. So every plan works for every
//! workload: plans drawn from seeds, and plans from files. What your code does has to follow from the plan alone:
//!
//! - time is tokio's: `tokio::time::sleep` takes no real time. Use no other clock;
//! - random numbers are [`World::random`](crate::harness::World::random) of [`Caller::world`];
//! - no threads, no I/O, and nothing that depends on the order of a `HashMap`.
//!
//! A panic in your code breaks the check too, so an assertion is a check.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//!
//! use redfence::{FencingToken, Guard};
//! use simulations::harness::Caller;
//! use simulations::workload::{Operating, Workload};
//! use simulations::{Campaign, Profile};
//!
//! /// A server that checks no token.
//! #[derive(Default)]
//! struct NoFence(Arc<Mutex<Vec<(String, FencingToken)>>>);
//!
//! impl Workload for NoFence {
//!     fn operate<'a>(&'a self, caller: &'a Caller, guard: &'a Guard) -> Operating<'a> {
//!         Box::pin(async move {
//!             let (written, resource, token) = (self.0.clone(), caller.resource().to_string(), guard.token());
//!             caller.call(async move { written.lock().unwrap().push((resource, token)) }).await;
//!         })
//!     }
//!
//!     fn check(&self) -> Result<(), String> {
//!         let written = self.0.lock().unwrap();
//!         let stale = written.iter().enumerate().find(|(at, (resource, token))| {
//!             written[..*at].iter().any(|(other, newer)| other == resource && newer > token)
//!         });
//!         stale.map_or(Ok(()), |(_, (_, token))| Err(format!("{token} was written after a newer token")))
//!     }
//! }
//!
//! let broken = Campaign::of(Profile::ManyFaults).run_workload(0..200, 1, NoFence::default).unwrap_err();
//! println!("{broken}"); // the seed, the smallest plan, and what happens in it
//! ```

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use redfence::Guard;

pub use crate::harness::Caller;
use crate::harness::Outcome;
use crate::history::Micros;
use crate::invariant::{Promise, Violation};
use crate::plan::Plan;
use crate::timeline::Timeline;

/// An operation of a workload, until it is done.
pub type Operating<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Your own code under the simulator. One value is one run: the state of your servers.
pub trait Workload: Send + Sync + 'static {
    /// What a client does with its lease. It runs in the client's process: pauses of the process stop it, and it is not polled
    /// again after its death. Requests to your servers go through [`Caller::call`].
    fn operate<'a>(&'a self, caller: &'a Caller, guard: &'a Guard) -> Operating<'a>;

    /// Judges the result when the run is over.
    ///
    /// # Errors
    ///
    /// A sentence that says what must not have happened.
    fn check(&self) -> Result<(), String>;
}

/// A seed that broke the check of a workload, or a promise of the lock.
#[derive(Debug)]
pub struct Broken {
    /// The lowest seed that did.
    pub seed: u64,
    /// What it broke.
    pub violation: Violation,
    /// The smallest plan that was found to break it too.
    pub plan: Plan,
    /// The run of that plan.
    pub outcome: Outcome,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, violation, plan, outcome } = self;
        writeln!(f, "seed {seed} broke {violation}")?;
        writeln!(f, "the smallest plan that does ({} parts):", plan.size())?;
        writeln!(f, "{}", serde_json::to_string(plan).map_err(|_| fmt::Error)?)?;
        write!(f, "{}", Timeline::of(plan, outcome))
    }
}

impl std::error::Error for Broken {}

/// The violation that the check of a workload finds when the run is over.
pub(crate) fn verdict(workload: &dyn Workload, at_us: Micros) -> Option<Violation> {
    match catch_unwind(AssertUnwindSafe(|| workload.check())) {
        Ok(verdict) => verdict.err().map(|why| violation(why, at_us)),
        Err(panic) => Some(panicked(&*panic, at_us)),
    }
}

/// The violation of a workload that panicked.
pub(crate) fn panicked(panic: &(dyn Any + Send), at_us: Micros) -> Violation {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    violation(format!("it panicked: {}", text.unwrap_or("without a text")), at_us)
}

const fn violation(description: String, at_us: Micros) -> Violation {
    Violation { promise: Promise::Workload, at_us, description }
}
