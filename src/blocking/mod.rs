//! The lock for programs that block, with the shape of [`std::sync::Mutex`]. The caller needs no runtime.
//!
//! <div class="warning">
//!
//! **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
//!
//! </div>
//!
//! One background thread for each process, started by the first use, does the work: connections, renewal, releases. A call
//! blocks only the thread that makes it. So any thread may call: a plain thread, one of `spawn_blocking`, and also a worker
//! thread of an async runtime, which then does nothing else for the time of the call, and never deadlocks. If the caller can
//! await, the async [`Redlock`](crate::Redlock) is the better choice.
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
//! A fork has only a copy of the thread that forked. In the child, calls to a locker of the parent fail at once with an error
//! that says so, guards are lost ([`LossCause::Forked`](crate::LossCause::Forked)), and dropping one does not touch the
//! parent's lock. A locker that the child opens for itself works: it starts a background thread of its own.

mod background;
mod handle;
mod mutex;

pub use background::BackgroundError;
pub use handle::{OpenError, Redlock};
pub use mutex::{Mutex, MutexGuard};
