//! The lock for programs that block: shaped like [`std::sync::Mutex`], with no runtime of the caller's needed.
//!
//! One background thread a process, started by the first use, does the work: connections, renewal, releases. Calls block the
//! thread that makes them and no other. So they may be made anywhere: in plain threads, in `spawn_blocking`, and inside of an
//! async runtime too, where they hold up the worker thread that calls, for as long as they take, and never deadlock it. Where
//! the caller can await, the async [`Redlock`](crate::Redlock) is the better choice.
//!
//! ```
//! use redfence::{EmbeddedNode, Redlock, blocking};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Servers: blocking::Redlock::connect(["redis://a:6379", "redis://b:6379", "redis://c:6379"])?
//! let redlock = blocking::Redlock::build(Redlock::builder().node(EmbeddedNode::new()))?;
//! let invoice = redlock.mutex("invoice:42")?;
//! {
//!     let guard = invoice.lock()?;
//!     guard.check()?; // cheap: before each side effect
//!     println!("write with token {}", guard.token());
//!     assert!(invoice.try_lock().is_err());
//! } // released here
//! assert_eq!(invoice.scope(|guard| guard.check().is_ok())?, true);
//! # Ok(()) }
//! ```
//!
//! # Forks
//!
//! A fork has no threads but the one that forked. In the child, calls on what was opened before fail at once and say so, guards
//! are lost ([`LossCause::Forked`](crate::LossCause::Forked)), and dropping one leaves the parent's lock alone. What the child
//! opens for itself works: it starts a background thread of its own.

mod background;
mod handle;
mod mutex;

pub use handle::{OpenError, Redlock};
pub use mutex::{Mutex, MutexGuard};
