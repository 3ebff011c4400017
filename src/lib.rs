// The front page is README.md, and its code is compiled as tests. That code connects to servers, so it needs the
// feature.
#![cfg_attr(feature = "redis", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "redis"),
    doc = "A distributed lock over N independent Redis or Valkey nodes, with fencing tokens that the quorum itself issues."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "redlock")]
pub mod blocking;
pub mod cached;
mod clock;
#[cfg(feature = "redis")]
pub mod doctor;
#[cfg(feature = "redlock")]
mod entropy;
#[cfg(feature = "history")]
pub mod history;
mod holder;
mod lease;
#[cfg(feature = "metrics")]
pub mod metrics;
mod node_id;
#[cfg(feature = "redlock")]
mod occupant;
mod printable;
#[cfg(feature = "redlock")]
pub mod recipes;
mod resource;
#[cfg(feature = "redlock")]
#[cfg_attr(not(feature = "unstable"), allow(unreachable_pub, reason = "for simulators only"))]
mod spawner;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
#[cfg(feature = "redlock")]
mod waiter;

#[cfg(feature = "unstable")]
pub mod node;
#[cfg(all(feature = "redlock", not(feature = "unstable")))]
#[expect(unreachable_pub, unused_imports, reason = "some of it is for simulators and other nodes only")]
mod node;
#[cfg(feature = "unstable")]
pub mod protocol;
#[cfg(all(feature = "redlock", not(feature = "unstable")))]
#[expect(unreachable_pub, reason = "some of it is for simulators and other nodes only")]
mod protocol;
#[cfg(feature = "redlock")]
mod redlock;
pub mod verifier;

// The code of the page is compiled as a test.
#[cfg(all(doctest, feature = "redlock"))]
#[doc = include_str!("../docs/single-flight.md")]
mod single_flight_page {}

pub use clock::{Clock, Moment, SystemClock, WallTime};
pub use holder::{Holder, HolderError, HolderId, Label};
pub use lease::Lease;
pub use node_id::{NodeId, NodeSet};
pub use printable::Printable;
pub use resource::{Resource, ResourceError};
pub use token::{FencingToken, TokenError};

#[cfg(feature = "redlock")]
pub use node::EmbeddedNode;
#[cfg(feature = "redis")]
pub use node::redis::{KeyStyle, KeyStyleError};
#[cfg(feature = "redlock")]
pub use occupant::Occupant;
#[cfg(feature = "redlock")]
pub use protocol::{Fault, FaultKind, LockState, LockView, LossCause, Reason, ReleaseOutcome, Vote, Votes};
#[cfg(feature = "redlock")]
pub use redlock::{
    AcquireError, Builder, ConfigError, ConnectError, ExtendError, Guard, HandOver, IfHeld, LeaseHandle, Lost,
    NodeCondition, NodeStatus, Redlock, ResumeError, WithLockError, admin,
};

#[cfg(feature = "redlock")]
pub use waiter::QueueEntry;

#[cfg(feature = "testing")]
pub use clock::TokioClock;
#[cfg(feature = "unstable")]
pub use {
    entropy::Entropy,
    node::Node,
    spawner::{BackgroundTask, Spawner},
    waiter::{LockerId, Waiter},
};
#[cfg(all(feature = "redlock", not(feature = "unstable")))]
pub(crate) use {
    entropy::Entropy,
    spawner::Spawner,
    waiter::{LockerId, Waiter},
};
