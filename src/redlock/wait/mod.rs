//! Where the tasks of this process wait for a resource.

pub(crate) mod local_queue;
pub(crate) mod turn;
