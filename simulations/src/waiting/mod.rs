//! Every interleaving of a few processes that wait for one lock: does each of them get it?
//!
//! ```text
//!   State ── choices ──▶ Action ── step ──▶ State ── promise ──▶ W · L · reserved · in turn · X
//!     nodes, processes, messages       begin · arrive · receive · timer · release · leave · die · …
//! ```
//!
//! What runs is shipped: [`Contender`](redfence::protocol::Contender), [`rollback`](redfence::protocol::rollback),
//! [`Acquire`](redfence::protocol::Acquire), [`Footprint`](redfence::protocol::Footprint) and
//! [`NodeState`](redfence::node::NodeState). What an exchange sends when is written anew in `round.rs`: the shipped one is not a pure machine.
//!
//! What is asked:
//!
//! - **L**: no dead end. From every state that can be reached, if from there on mail is delivered, holders release and timers
//!   ring, every process that lives and waits gets the lock.
//! - **W**: where no wake was lost and no process died or paused, no process ever has to wait for the end of a time to live.
//! - **reserved**: no node reserves the lock for a process whose connection has ended there, or that has left.
//! - **in turn**: where mail is not late, the process that waited longest is next.
//! - **X**: one holder at a time.
//!
//! Time is abstracted, and this is why that is sound here:
//!
//! - Clocks pause. A process that waits has one of two alarms: a *short* one (a quorum or fewer nodes have woken it, a
//!   reservation ends, it pauses) may ring at any moment, however long it is; so states that differ by the lengths of pauses alone are
//!   one. A *long* one ends with the time to live of a lock.
//! - A time to live is long: a lock of a process that is gone ends, and a long alarm rings, only where nothing else is left to
//!   happen. W says that without losses this never comes.
//! - A reservation may end at any moment: mail may be late for it.
//! - Processes are as old as their numbers: the node's clock minus the time waited is the same on all nodes.
//! - Counters are level before every grant, so no attempt needs a seal round; tokens are the other model's business.
//! - Messages between one process and one node stay in order; others overtake each other in any way. *Prompt* replies arrive as
//!   soon as they are given, behind the wakes before them; requests and wakes are late all the same.
//! - An attempt does not time out: on connections that stand an answer comes, and where they end it fails at once. Each process wants one
//!   section. A process that died or paused stays so; one that goes on is one whose messages were late.

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
