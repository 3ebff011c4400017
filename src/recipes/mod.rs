//! Other ways to lock, built from leases: several resources at once, semaphores, leader election, work that is
//! done once per period, and the owner of a resource.
//!
//! <div class="warning">
//!
//! **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
//!
//! </div>
//!
//! All of this uses leases as any program can, and depends only on their promises. Each part is a lease with a token and a
//! time to live of its own, so everything that a crashed process leaves behind expires.

mod all;
mod election;
mod leader;
mod multi_guard;
mod observe;
mod once_guard;
mod once_per;
mod owner;
mod period;
mod semaphore;
mod wait;

pub use all::AcquireAllError;
pub use election::{Election, Leadership};
pub use leader::Leader;
pub use multi_guard::{MultiGuard, MultiHandle, PartLost};
pub use once_guard::{OnceGuard, OnceOutcome};
pub use once_per::{OncePer, OncePerError};
pub use owner::OwnerError;
pub use period::Period;
pub use semaphore::{PermitError, Semaphore, SemaphoreError};
