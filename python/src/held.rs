//! [`HeldLease`]: what one lease and several leases as one have in common.

use std::future::Future;
use std::time::Duration;

use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use redfence::recipes::MultiHandle;
use redfence::{ExtendError, LeaseHandle, LossCause, ReleaseOutcome};
use tokio::time::timeout;

use crate::errors;
use crate::op::{Answer, Op, answer};
use crate::ours::Ours;
use crate::runtime::Link;
use crate::settings::seconds;

/// What other tasks see of a lease, or of several as one. It does not keep them alive.
#[derive(Clone)]
pub(crate) enum View {
    One(LeaseHandle),
    All(MultiHandle),
}

impl View {
    fn valid_for(&self) -> Option<Duration> {
        match self {
            Self::One(lease) => lease.valid_for(),
            Self::All(leases) => leases.valid_for(),
        }
    }

    /// Why it is over.
    fn over(&self) -> Option<LossCause> {
        match self {
            Self::One(lease) => lease.check().err().map(|lost| lost.cause),
            Self::All(leases) => leases.check().err().map(|lost| lost.cause),
        }
    }

    /// How it had ended before its release, in one word.
    pub(crate) fn overrun(&self) -> Option<&'static str> {
        match self.over()? {
            LossCause::Released => None,
            LossCause::Taken => Some("taken"),
            _ => Some("expired"),
        }
    }

    fn check(&self, py: Python<'_>) -> PyResult<()> {
        match self {
            Self::One(lease) => lease.check().map_err(|lost| errors::lost(py, &lost)),
            Self::All(leases) => leases.check().map_err(|lost| errors::part_lost(py, &lost)),
        }
    }

    async fn lost(&self) -> LossCause {
        match self {
            Self::One(lease) => lease.lost().await,
            Self::All(leases) => leases.lost().await.cause,
        }
    }

    async fn extend(&self) -> Result<(), ExtendError> {
        match self {
            Self::One(lease) => lease.extend().await,
            Self::All(leases) => leases.extend().await,
        }
    }
}

/// The base of `Lease` and `Leases`. Of several leases, the end of one is the end of all.
#[pyclass(frozen, subclass, module = "redfence._core")]
pub(crate) struct HeldLease(Ours<Parts>);

struct Parts {
    view: View,
    addresses: Vec<String>,
    link: Link,
}

impl HeldLease {
    pub(crate) fn new(view: View, addresses: Vec<String>, link: Link) -> Self {
        Self(Ours::new(Parts { view, addresses, link }))
    }

    /// A call with the view and the addresses of the nodes.
    pub(crate) fn op<F, A>(&self, call: F) -> PyResult<Op>
    where
        F: FnOnce(View, Vec<String>) -> A,
        A: Future<Output = Answer> + Send + 'static,
    {
        let Parts { view, addresses, link } = self.0.get()?;
        Ok(Op::new(link, call(view.clone(), addresses.clone())))
    }
}

#[pymethods]
impl HeldLease {
    /// The validity that is left, in seconds; None once it is over, and in a fork.
    #[getter]
    fn valid_for(&self) -> Option<f64> {
        self.0.get().ok()?.view.valid_for().map(|left| left.as_secs_f64())
    }

    /// Why it is over; None while it is not.
    #[getter]
    fn cause(&self) -> Option<&'static str> {
        if self.0.is_forked() {
            return Some("forked");
        }
        self.0.get().ok()?.view.over().map(|cause| errors::cause(&cause))
    }

    fn check(&self, py: Python<'_>) -> PyResult<()> {
        if self.0.is_forked() {
            return Err(errors::forked(py));
        }
        self.0.get()?.view.check(py)
    }

    fn extend(&self) -> PyResult<Op> {
        self.op(|view, addresses| async move {
            let outcome = view.extend().await;
            answer(move |py| match outcome {
                Ok(()) => Ok(py.None()),
                Err(error) => Err(errors::extend(py, &error, &addresses)),
            })
        })
    }

    /// Waits for the end, `within` seconds at most: gives back its cause, or None.
    fn lost(&self, within: f64) -> PyResult<Op> {
        let within = seconds("the time-out", within)?;
        self.op(|view, _| async move {
            let cause = timeout(within, view.lost()).await.ok();
            answer(move |py| cause.as_ref().map(errors::cause).into_py_any(py))
        })
    }

    /// Calls `callback(cause)` on a thread of its own when it is over, unless it was released.
    fn on_lost(&self, callback: Py<PyAny>) -> PyResult<()> {
        let Parts { view, link, .. } = self.0.get()?;
        let (view, link) = (view.clone(), link.clone());
        link.handle.clone().spawn(async move {
            let cause = view.lost().await;
            if cause == LossCause::Released {
                return;
            }
            link.handle.clone().spawn_blocking(move || {
                link.call(Box::new(move |py| {
                    if let Err(error) = callback.call1(py, (errors::cause(&cause),)) {
                        error.write_unraisable(py, Some(callback.bind(py)));
                    }
                }));
            });
        });
        Ok(())
    }
}

/// What a release found, in one word. A lease that had ended is an overrun, also where nodes had it still: they count longer.
pub(crate) fn found(released: &ReleaseOutcome, overrun: Option<&'static str>) -> &'static str {
    match (outcome(released), overrun) {
        (word @ ("expired" | "taken"), _) | (word, None) | (_, Some(word)) => word,
    }
}

/// What nodes found, in one word.
pub(crate) fn outcome(outcome: &ReleaseOutcome) -> &'static str {
    match outcome {
        ReleaseOutcome::HandedOver => "handed over",
        ReleaseOutcome::Released { .. } => "released",
        ReleaseOutcome::AlreadyExpired => "expired",
        ReleaseOutcome::TakenByOther { .. } => "taken",
        _ => "unknown",
    }
}
