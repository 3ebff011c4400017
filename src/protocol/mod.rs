//! The algorithm: pure machines that take an input and the time, and return what to do.
//!
//! ```text
//!   Reply, Moment ──▶  machine  ──▶ Step: wait · seal these nodes · won · lost
//!                   (acquire, extend, release, renewal)
//! ```
//!
//! The machines perform no I/O, read no clock and draw no randomness: the caller passes all three as arguments. So a
//! simulator and a model checker run the shipped machines, not a copy of them.
//!
//! The machines, together with nodes that keep their counters, promise:
//!
//! | promise | relies on |
//! |---|---|
//! | **T1** no two leases of one resource carry the same token | no timing; a grant is delivered at most once; counters never go back |
//! | **T2** a lease whose acquire began after another was returned carries the greater token | the same |
//! | **X** at most one holder believes in its lease at any instant | clock rates within the drift allowance |
//!
//! `docs/proofs.md` has the proofs, and `docs/waiting.md` the rules of waiting.

mod acquire;
mod backoff;
mod contention;
mod continuity;
mod extend;
mod fencing;
mod footprint;
mod join;
mod lock_view;
mod message;
mod quorum;
mod release;
mod renewal;
mod tally;
mod token_block;
mod validity;
mod vote;

pub use acquire::{Acquire, Defeat, Step, Win};
pub use backoff::Backoff;
pub use contention::{Contender, rollback};
pub use continuity::Continuity;
pub use extend::{Extend, ExtendDefeat, ExtendStep};
pub use fencing::{COUNTER_MAX, COUNTER_MIN, Counters, clock_start};
pub use footprint::Footprint;
pub use join::{JoinDecision, JoinFacts, NodeReport, Reason, Record, RunId, decide, is_unset, rest};
pub use lock_view::{LockState, LockView, ScannedLock};
pub use message::{Fault, FaultKind, Next, Publish, RecordUpdate, Reply, Request, Subject, Verb, VerbKind, Waits};
pub use quorum::Quorum;
pub use release::{Release, ReleaseOutcome};
pub use renewal::{Action, LossCause, Renewal};
pub use tally::{Decision, Tally};
pub use token_block::TokenBlock;
pub use validity::Terms;
pub use vote::{Vote, Votes};
