//! Waiting for a contended lock: one contender for each process and resource decides what to do next.
//!
//! The nodes keep the queue. It is only advice: a node may refuse any grant at any time. The decisions here affect
//! only the liveness of waiting lockers, and no other promise.

mod contender;
mod rollback;

pub use contender::Contender;
pub use rollback::rollback;
