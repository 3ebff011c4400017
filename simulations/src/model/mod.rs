//! Every interleaving of a small world: the shipped machines, the shipped node state, and the worst of networks in
//! between.
//!
//! ```text
//!   State ── actions ──▶ Action ── step ──▶ State ── promise ──▶ T1 · T2 · X · E · F · timely
//!     nodes, attempts, messages         begin · arrive · receive · extend · give up · restart · join · tick
//! ```
//!
//! One state type for two uses: [`search`] visits every state of a small setup, breadth first, so that what it finds is
//! the shortest trace there is; [`Walk`] goes through large ones at random, with shrinking by proptest.
//!
//! What the world does, and what it leaves out because something else covers it:
//!
//! - A message that never arrives is lost; one that arrives after its sender is done was delayed. Messages overtake
//!   each other in any way, also on one connection: after a redial nothing orders the two sockets. A request arrives at
//!   most once.
//! - Where locks vanish at any moment, time stands still: an expiry, a release, an eviction, an operator and the step
//!   of a node's clock all leave the same node behind. An attempt that gives up is one that receives nothing more.
//! - Where locks are kept, time passes in ticks of half a time to live, for all attempts alike. A lock ends by the
//!   node's own expiry or by a release. That is what X assumes.
//! - A node that forgets comes back by the shipped judgement: look, settle, rest, wake. Where time stands still its
//!   rest has no length, and its clock is only just not behind what it issued: T1 and T2 rely on no more.

mod action;
mod attempt;
mod derived;
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
pub use mutant::Mutant;
pub use search::{Bounds, Found, search};
pub use setup::{Setup, Time};
pub use state::State;
pub use trace::Trace;
pub use violation::Violation;
pub use walk::Walk;
pub use world::World;
