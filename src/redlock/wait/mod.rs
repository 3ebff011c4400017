//! The tasks of this process that wait for a resource, in the order of their arrival.

pub(crate) mod contended;
pub(crate) mod local_queue;
pub(crate) mod next_attempt;
pub(crate) mod permit;
pub(crate) mod turn;
pub(crate) mod waiter;
