//! What is built from locks: several at once, semaphores, leader election, and questions about who holds what.
//!
//! Everything here uses leases as any program may, and rests on their promises alone: each part of it is a lease with a token
//! and an expiry of its own, so a process that crashes leaves nothing behind that does not end by itself.

mod all;
mod election;
mod leader;
mod multi_guard;
mod observe;
mod owner;
mod semaphore;
mod wait;

pub use all::AcquireAllError;
pub use election::{Election, Leadership};
pub use leader::Leader;
pub use multi_guard::{MultiGuard, PartLost};
pub use owner::OwnerError;
pub use semaphore::{PermitError, Semaphore, SemaphoreError};
