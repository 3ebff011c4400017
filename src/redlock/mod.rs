//! The locker: drives the machines of [`protocol`](crate::protocol) with the replies of nodes.
//!
//! Floors, the top one first. A file imports from its own floor or from lower ones, which `tests/floors.rs` checks:
//!
//! | floor | files | |
//! |---|---|---|
//! | 9 | `connect` `builder` | how a locker is made |
//! | 8 | `acquire` `as_holder` `resume` `admin/` | the calls of [`Redlock`] |
//! | 7 | `handle` `guard` `contend` | what users hold; the loop of one call |
//! | 6 | `hand_over` | a lease passes from task to task |
//! | 5 | `locker` | puts the parts together |
//! | 4 | `lease/` | active leases, their renewal and their events |
//! | 3 | `membership/` `wait/` | which nodes may be asked; which task is next |
//! | 2 | `round/` | one round of requests |
//! | 1 | `env/` `settings` `error` | the ground |

mod acquire;
pub mod admin;
mod as_holder;
mod builder;
#[cfg(feature = "redis")]
mod connect;
mod contend;
mod env;
mod error;
mod guard;
mod hand_over;
mod handle;
pub(crate) mod lease;
mod locker;
mod membership;
mod resume;
mod round;
mod settings;
mod wait;

pub use acquire::IfHeld;
pub use builder::Builder;
#[cfg(feature = "testing")]
pub(crate) use env::timer::{outruns_tokio, sleep_until};
pub use error::{AcquireError, ConfigError, ConnectError, ExtendError, Lost, ResumeError, WithLockError};
pub use guard::{Guard, LeaseHandle};
pub use handle::Redlock;
pub use membership::node_health::{NodeCondition, NodeStatus};
pub use settings::HandOver;
