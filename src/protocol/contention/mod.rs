//! Waiting for a lock that others want too: one contender a process and resource, and what it does next.
//!
//! The nodes keep the queue, and it is advice only: a node may refuse any grant at any time, and no promise but the
//! liveness of lockers that wait rests on what is decided here.

mod contender;
mod rollback;

pub use contender::Contender;
pub use rollback::rollback;
