//! [`ResourceMeters`]: what is measured of the resources that share a label.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::metrics::{
    ACQUIRE_SECONDS, HOLD_SECONDS, LEASES, LOSSES_TOTAL, OVERRUN_SECONDS, RENEWALS_TOTAL, VALIDITY_AT_ACQUIRE_SECONDS,
    VALIDITY_AT_RELEASE_SECONDS, WAIT_SECONDS, WAITERS,
};

pub(super) struct ResourceMeters {
    pub(super) acquire: AcquireSeconds,
    pub(super) wait: Histogram,
    pub(super) hold: Histogram,
    pub(super) validity_at_acquire: Histogram,
    pub(super) validity_at_release: Histogram,
    pub(super) overrun: Histogram,
    pub(super) renewals: Renewals,
    pub(super) losses: Losses,
    pub(super) leases: Gauge,
    pub(super) waiters: Gauge,
}

/// By outcome.
pub(super) struct AcquireSeconds {
    pub(super) acquired: Histogram,
    pub(super) handed_over: Histogram,
    pub(super) contended: Histogram,
    pub(super) no_quorum: Histogram,
    pub(super) overloaded: Histogram,
    pub(super) too_slow: Histogram,
    /// The future was dropped.
    pub(super) cancelled: Histogram,
}

/// By outcome.
pub(super) struct Renewals {
    pub(super) extended: Counter,
    pub(super) no_quorum: Counter,
    pub(super) too_slow: Counter,
    pub(super) gone: Counter,
}

/// By cause.
pub(super) struct Losses {
    pub(super) expired: Counter,
    pub(super) taken: Counter,
    pub(super) max_hold: Counter,
    pub(super) forked: Counter,
}

impl ResourceMeters {
    /// Asks the recorder for all of them.
    pub(super) fn new(label: &'static str) -> Self {
        let acquire =
            |outcome: &'static str| histogram!(ACQUIRE_SECONDS.name, "resource" => label, "outcome" => outcome);
        let renewals = |outcome: &'static str| counter!(RENEWALS_TOTAL.name, "resource" => label, "outcome" => outcome);
        let losses = |cause: &'static str| counter!(LOSSES_TOTAL.name, "resource" => label, "cause" => cause);
        Self {
            acquire: AcquireSeconds {
                acquired: acquire("acquired"),
                handed_over: acquire("handed_over"),
                contended: acquire("contended"),
                no_quorum: acquire("no_quorum"),
                overloaded: acquire("overloaded"),
                too_slow: acquire("too_slow"),
                cancelled: acquire("cancelled"),
            },
            wait: histogram!(WAIT_SECONDS.name, "resource" => label),
            hold: histogram!(HOLD_SECONDS.name, "resource" => label),
            validity_at_acquire: histogram!(VALIDITY_AT_ACQUIRE_SECONDS.name, "resource" => label),
            validity_at_release: histogram!(VALIDITY_AT_RELEASE_SECONDS.name, "resource" => label),
            overrun: histogram!(OVERRUN_SECONDS.name, "resource" => label),
            renewals: Renewals {
                extended: renewals("extended"),
                no_quorum: renewals("no_quorum"),
                too_slow: renewals("too_slow"),
                gone: renewals("gone"),
            },
            losses: Losses {
                expired: losses("expired"),
                taken: losses("taken"),
                max_hold: losses("max_hold"),
                forked: losses("forked"),
            },
            leases: gauge!(LEASES.name, "resource" => label),
            waiters: gauge!(WAITERS.name, "resource" => label),
        }
    }
}
