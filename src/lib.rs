// The front page is README, and its code is compiled as a test. It connects to servers, so it needs the feature.
#![cfg_attr(feature = "redis", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "redis"),
    doc = "A distributed lock over N independent Redis or Valkey nodes, with fencing tokens that the quorum itself issues."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
#[cfg(feature = "redis")]
pub mod doctor;
#[cfg(feature = "redlock")]
mod entropy;
#[cfg(feature = "history")]
pub mod history;
mod holder;
mod lease;
mod node_id;
mod printable;
mod resource;
#[cfg(feature = "redlock")]
mod spawner;
mod token;
mod waiter;

#[cfg(feature = "redlock")]
pub mod node;
pub mod protocol;
#[cfg(feature = "redlock")]
mod redlock;
pub mod verifier;

#[cfg(feature = "testing")]
pub use clock::TokioClock;
pub use clock::{Clock, Moment, SystemClock, WallTime};
#[cfg(feature = "redlock")]
pub use entropy::Entropy;
pub use holder::{Holder, HolderError, HolderId, Label};
pub use lease::Lease;
pub use node_id::{NodeId, NodeSet};
pub use printable::Printable;
pub use resource::{Resource, ResourceError};
#[cfg(feature = "redlock")]
pub use spawner::{BackgroundTask, Spawner};
pub use token::{FencingToken, TokenError};
pub use waiter::{LockerId, Waiter};

#[cfg(feature = "redlock")]
pub use node::{EmbeddedNode, Node};
#[cfg(feature = "redlock")]
pub use protocol::{LossCause, ReleaseOutcome};
#[cfg(feature = "redlock")]
pub use redlock::{
    AcquireError, Builder, ConfigError, ConnectError, ExtendError, Guard, HandOver, LeaseHandle, Lost, NodeCondition,
    NodeStatus, Redlock, WithLockError, admin,
};
