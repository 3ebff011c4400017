//! Every interleaving of a small world: the shipped machines and the shipped node state, with the worst network between
//! them.
//!
//! ```text
//!   State ── actions ──▶ Action ── step ──▶ State ── promise ──▶ T1 · T2 · X · E · F · timely
//!     nodes, attempts, messages         begin · arrive · receive · extend · give up · restart · join · tick
//! ```
//! There is one state type for two uses. [`search`] visits every state of a small setup, breadth first, so it finds the
//! shortest trace. [`Walk`] takes random steps through large setups, with shrinking by proptest. What the world does,
//! and what it leaves out because it is covered otherwise:
//!
//! - A message that never arrives is lost. A message that arrives after its sender is done was delayed. Messages
//!   overtake each other in any way, also on one connection: after a redial there is no order between the two sockets.
//!   A request arrives at most once.
//! - If locks vanish at any moment, time does not pass: an expiry, a release, an eviction, an operator and a clock step
//!   all leave the node in the same state. An attempt that gives up receives nothing more.
//! - If locks last, time passes in ticks of half a TTL, for all attempts equally. A lock ends when it expires on the
//!   node or by a release. That is what X assumes.
//! - A node that forgets comes back by the shipped decisions: probe, initialize, rest, activate. If time does not pass,
//!   its rest has no length, and its clock is equal to the greatest number that it issued: T1 and T2 need no more.
//! - A client of another library acquires once, and believes for its time to live less the drift. Its node's reply
//!   comes at once. It counts for X only, because it has no token.

mod action;
mod attempt;
mod derived;
mod foreign;
mod kind;
mod mutant;
mod names;
mod oracle;
mod promise;
mod receive;
mod search;
mod setup;
mod state;
mod step;
mod trace;
mod violation;
mod walk;
mod world;

pub use action::Action;
pub use foreign::{ForeignAction, Knows};
pub use mutant::Mutant;
pub use search::{Bounds, Found, search};
pub use setup::{Setup, Time};
pub use state::State;
pub use trace::Trace;
pub use violation::Violation;
pub use walk::Walk;
pub use world::World;
