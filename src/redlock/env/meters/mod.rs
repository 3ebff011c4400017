//! [`Meters`]: what a locker measures. Without the feature `metrics` each of these types is empty, and its calls do nothing.

#[cfg(not(feature = "metrics"))]
mod off;
#[cfg(feature = "metrics")]
mod on;

#[cfg(not(feature = "metrics"))]
pub(crate) use off::{CallMeter, LeaseMeter, Meters};
#[cfg(feature = "metrics")]
pub(crate) use on::{CallMeter, LabelOf, LeaseMeter, Meters};

/// How a node stands, as it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeState {
    Ready,
    Resting,
    /// It gave no proper answer to the last look.
    Failing,
    Duplicate,
    Unknown,
}

/// What became of a try to extend a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extended {
    Yes,
    NoQuorum,
    TooSlow,
    Gone,
}
