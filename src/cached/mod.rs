//! A value that is costly to compute is computed once, and all processes that want it share it.
//!
//! <div class="warning">
//!
//! **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
//!
//! </div>
//!
//! A `Cached` joins a locker and a [`CacheStore`]. If many tasks of many processes miss the same key at
//! once, one task computes the value, and the others wait and take it from there. The value is written under the token of the
//! computing task's lease, so a task that was paused never overwrites a newer value. Shortly before a value expires, one task
//! computes it anew while all readers still get the old one.
//!
//! docs/single-flight.md in the repository says what happens in each case.

#[cfg(feature = "redlock")]
mod computation;
#[cfg(feature = "testing")]
pub mod contract;
#[cfg(feature = "redlock")]
mod decide;
#[cfg(feature = "redlock")]
mod error;
mod fences;
#[cfg(feature = "redlock")]
mod flight;
#[cfg(feature = "redlock")]
mod handle;
#[cfg(feature = "redlock")]
mod invalidate;
#[cfg(feature = "redlock")]
mod lookup;
mod memory;
#[cfg(feature = "redlock")]
mod single_flight;
mod store;

#[cfg(feature = "redlock")]
pub use computation::Computation;
#[cfg(feature = "redlock")]
pub use error::CachedError;
#[cfg(feature = "redlock")]
pub use handle::{Cached, IfUnavailable};
#[cfg(feature = "redlock")]
pub use lookup::{Lookup, Refresh};
pub use memory::MemoryCache;
pub use store::{CacheStore, Entry};
