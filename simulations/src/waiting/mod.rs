//! Every interleaving of a few processes that wait for one lock: does each of them get it?
//!
//! ```text
//!   State ── choices ──▶ Action ── step ──▶ State ── promise ──▶ W · L · reserved · in turn · X
//!     nodes, processes, messages       begin · arrive · receive · timer · release · leave · die · …
//! ```
//!
//! The shipped code runs: [`Contender`](redfence::protocol::Contender), [`rollback`](redfence::protocol::rollback),
//! [`Acquire`](redfence::protocol::Acquire), [`Footprint`](redfence::protocol::Footprint) and
//! [`NodeState`](redfence::node::NodeState). `round.rs` repeats what an exchange sends and when, because the shipped
//! exchange is not a pure machine.
//!
//! What is checked:
//! - **L**: there is no dead end. From every reachable state, if messages arrive, holders release and timers fire,
//!   every living process that waits gets the lock.
//! - **W**: if no wake was lost and no process died or paused, no process waits for the end of a TTL.
//! - **reserved**: no node reserves the lock for a process whose connection has ended there, or that has left.
//! - **in turn**: if messages are not late, the process that waited longest is next.
//! - **X**: one holder at a time. Time is abstracted. This is sound here, because:
//! - Clocks do not move. A waiting process has one of two timers.
//! - A *short* timer may fire at any moment: nodes have woken the process, a reservation ends, or it pauses. So states
//!   that differ only by the lengths of pauses are equal.
//! - A *long* timer ends with the TTL of a lock. It fires, and the lock of a process that is gone ends, only if nothing
//!   else can happen. W says that without losses this never happens.
//! - A reservation may end at any moment: messages may be late for it.
//! - Processes began in the order of their numbers: the node's clock minus the time waited is the same on all nodes.
//! - Counters are level before every grant, so no attempt needs a seal round. The other model covers tokens.
//! - Messages between one process and one node stay in order; others overtake each other in any way.
//! - *Prompt* replies arrive at once, behind earlier wakes. Requests and wakes may still be late.
//! - An attempt does not time out: a connection brings an answer, or ends, which fails the attempt at once.
//! - Each process wants one section. A process that died or paused stays so: a process that continues after a pause is
//!   the same as one whose messages were late.

mod action;
mod message;
mod mutant;
mod names;
mod process;
mod progress;
mod promise;
mod round;
mod search;
mod setup;
mod state;
mod step;
mod trace;
mod violation;
mod world;

pub use action::Action;
pub use mutant::Mutant;
pub use search::{Found, search};
pub use setup::Setup;
pub use state::State;
pub use trace::Trace;
pub use violation::Violation;
pub use world::World;
