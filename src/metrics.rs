//! What redfence measures, by way of the facade crate [`metrics`](https://docs.rs/metrics): names, labels, descriptions.
//!
//! <div class="warning">
//!
//! **Unstable:** this is new, and may change in any minor release ([stability](crate#stability)).
//!
//! </div>
//!
//! Nothing is measured until the program installs a recorder, such as a Prometheus exporter. **Install it before the
//! locker is built or connected**: the locker asks it for its counters then, once, and only counts afterwards. Labels never
//! carry the name of a resource; [`Builder::metrics_label`](crate::Builder::metrics_label) says what they carry instead.
//!
//! Times are in seconds. What each metric is good for, alert rules and a dashboard: `docs/metrics.md`.
//!
//! ```
//! # use metrics::NoopRecorder;
//! use redfence::{EmbeddedNode, Redlock};
//!
//! metrics::set_global_recorder(NoopRecorder)?; // or, for instance, PrometheusBuilder of metrics-exporter-prometheus
//! let redlock = Redlock::builder().node(EmbeddedNode::new()).build()?;
//! # let _ = redlock; Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

use self::Kind::{Counter, Gauge, Histogram};

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(not(feature = "unstable"), doc(hidden))]
pub struct Metric {
    /// Its name, in the style of Prometheus; the unit of a time is part of it.
    pub name: &'static str,
    /// How it is recorded.
    pub kind: Kind,
    /// The keys of its labels.
    pub labels: &'static [&'static str],
    /// What it counts or measures.
    pub description: &'static str,
}

/// How a metric is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "unstable"), doc(hidden))]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Times, in seconds. [`BUCKETS`] are made for them.
    Histogram,
}

/// Upper bounds for histograms, in seconds: from the round trip to a node nearby to the longest time to live.
pub const BUCKETS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0, 300.0, 3_600.0,
];

/// Every metric.
#[cfg_attr(not(feature = "unstable"), doc(hidden))]
pub const ALL: &[Metric] = &[
    ACQUIRE_SECONDS,
    WAIT_SECONDS,
    HOLD_SECONDS,
    VALIDITY_AT_ACQUIRE_SECONDS,
    VALIDITY_AT_RELEASE_SECONDS,
    OVERRUN_SECONDS,
    RENEWALS_TOTAL,
    LOSSES_TOTAL,
    LEASES,
    WAITERS,
    VOTES_TOTAL,
    VOTE_SECONDS,
    NODE_STATE,
    NODE_CLOCK_OFFSET_SECONDS,
    STALE_TOKENS_TOTAL,
];

pub(crate) const ACQUIRE_SECONDS: Metric = metric(
    "redfence_acquire_seconds",
    Histogram,
    &["resource", "outcome"],
    "From the call of an acquire to its end, by outcome.",
);
pub(crate) const WAIT_SECONDS: Metric = metric(
    "redfence_wait_seconds",
    Histogram,
    &["resource"],
    "The part of a successful acquire before the attempt that won, or before the hand-over.",
);
pub(crate) const HOLD_SECONDS: Metric = metric(
    "redfence_hold_seconds",
    Histogram,
    &["resource"],
    "From the acquire to the release of a lease, or to its loss.",
);
pub(crate) const VALIDITY_AT_ACQUIRE_SECONDS: Metric = metric(
    "redfence_validity_at_acquire_seconds",
    Histogram,
    &["resource"],
    "The validity of a lease when its holder got it.",
);
pub(crate) const VALIDITY_AT_RELEASE_SECONDS: Metric = metric(
    "redfence_validity_at_release_seconds",
    Histogram,
    &["resource"],
    "The validity that was left when a lease was released.",
);
pub(crate) const OVERRUN_SECONDS: Metric = metric(
    "redfence_overrun_seconds",
    Histogram,
    &["resource"],
    "For how long a guard outlived its lease: work may have gone on without the lock.",
);
pub(crate) const RENEWALS_TOTAL: Metric =
    metric("redfence_renewals_total", Counter, &["resource", "outcome"], "Tries to extend a lease, by outcome.");
pub(crate) const LOSSES_TOTAL: Metric = metric(
    "redfence_losses_total",
    Counter,
    &["resource", "cause"],
    "Leases that ended before they were released, by cause.",
);
pub(crate) const LEASES: Metric =
    metric("redfence_leases", Gauge, &["resource"], "Leases that tasks of this process have now.");
pub(crate) const WAITERS: Metric =
    metric("redfence_waiters", Gauge, &["resource"], "Acquires of this process that are under way.");
pub(crate) const VOTES_TOTAL: Metric =
    metric("redfence_votes_total", Counter, &["node", "address", "vote"], "What nodes said to attempts to acquire.");
pub(crate) const VOTE_SECONDS: Metric = metric(
    "redfence_vote_seconds",
    Histogram,
    &["node", "address"],
    "From the beginning of an attempt to the grant or the refusal of a node.",
);
pub(crate) const NODE_STATE: Metric = metric(
    "redfence_node_state",
    Gauge,
    &["node", "address", "state"],
    "1 for the state in which a node is, by the last look at it, and 0 for the others.",
);
pub(crate) const NODE_CLOCK_OFFSET_SECONDS: Metric = metric(
    "redfence_node_clock_offset_seconds",
    Gauge,
    &["node", "address"],
    "By how much a node's clock is ahead of this machine's, to within half a round trip.",
);
pub(crate) const STALE_TOKENS_TOTAL: Metric = metric(
    "redfence_stale_tokens_total",
    Counter,
    &["store"],
    "Writes that a store refused because their token was stale.",
);

const fn metric(name: &'static str, kind: Kind, labels: &'static [&'static str], description: &'static str) -> Metric {
    Metric { name, kind, labels, description }
}

/// Describes every metric to the recorder, and shows it the counters of stale tokens, at zero. A locker does it when it is
/// built; a program that has only verifiers calls it once, after its recorder was installed.
pub fn describe() {
    for store in ["memory", "redis"] {
        // A counter that appears with its first stale token hides that token from `increase()`.
        let _ = ::metrics::counter!(STALE_TOKENS_TOTAL.name, "store" => store);
    }
    for Metric { name, kind, description, .. } in ALL {
        match kind {
            Histogram => describe_histogram!(*name, Unit::Seconds, *description),
            Gauge if name.ends_with("_seconds") => describe_gauge!(*name, Unit::Seconds, *description),
            Gauge => describe_gauge!(*name, Unit::Count, *description),
            Counter => describe_counter!(*name, Unit::Count, *description),
        }
    }
}

/// Counts a write that a store refused because its token was stale. The stores of this crate do it themselves; call it from
/// a store of your own, which goes by the name `store`.
pub fn stale_token(store: &'static str) {
    ::metrics::counter!(STALE_TOKENS_TOTAL.name, "store" => store).increment(1);
}
