//! [`Lease`]: one acquired lease.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use redfence::{Guard, LeaseHandle, ReleaseOutcome};
use tokio::time::timeout;

use crate::errors;
use crate::op::{Answer, Op};
use crate::ours::Ours;
use crate::runtime::Link;
use crate::settings::seconds;

/// One acquired lease. Dropped without a release it is released in the background.
#[pyclass(frozen, module = "redfence._core")]
pub(crate) struct Lease(Ours<Parts>);

struct Parts {
    guard: Mutex<Option<Guard>>,
    handle: LeaseHandle,
    addresses: Vec<String>,
    link: Link,
}

impl Lease {
    pub(crate) fn new(guard: Guard, addresses: Vec<String>, link: Link) -> Self {
        let handle = guard.handle();
        Self(Ours::new(Parts { guard: Mutex::new(Some(guard)), handle, addresses, link }))
    }
}

#[pymethods]
impl Lease {
    #[getter]
    fn token(&self) -> PyResult<u64> {
        Ok(self.0.get()?.handle.token().get())
    }

    #[getter]
    fn name(&self) -> PyResult<String> {
        Ok(self.0.get()?.handle.resource().as_str().to_owned())
    }

    /// What nodes store: the id, a space, the label.
    #[getter]
    fn holder(&self) -> PyResult<String> {
        Ok(self.0.get()?.handle.holder().to_string())
    }

    /// The validity that is left, in seconds; None once the lease is over, and in a fork.
    #[getter]
    fn valid_for(&self) -> Option<f64> {
        self.0.get().ok()?.handle.valid_for().map(|left| left.as_secs_f64())
    }

    /// Why the lease is over; None while it is not.
    #[getter]
    fn cause(&self) -> Option<&'static str> {
        if self.0.is_forked() {
            return Some("forked");
        }
        self.0.get().ok()?.handle.check().err().map(|lost| errors::cause(&lost.cause))
    }

    fn check(&self, py: Python<'_>) -> PyResult<()> {
        self.0.get()?.handle.check().map_err(|lost| errors::lost(py, &lost))
    }

    fn extend(&self) -> PyResult<Op> {
        let parts = self.0.get()?;
        let (handle, addresses) = (parts.handle.clone(), parts.addresses.clone());
        Ok(Op::new(&parts.link, async move {
            let outcome = handle.extend().await;
            Box::new(move |py: Python<'_>| match outcome {
                Ok(()) => Ok(py.None()),
                Err(error) => Err(errors::extend(py, &error, &addresses)),
            }) as Answer
        }))
    }

    /// Waits for the end, `within` seconds at most: gives back its cause, or None.
    fn lost(&self, within: f64) -> PyResult<Op> {
        let parts = self.0.get()?;
        let (handle, within) = (parts.handle.clone(), seconds("the time-out", within)?);
        Ok(Op::new(&parts.link, async move {
            let cause = timeout(within, handle.lost()).await.ok();
            Box::new(move |py: Python<'_>| match cause {
                Some(cause) => Ok(errors::cause(&cause).into_pyobject(py)?.into_any().unbind()),
                None => Ok(py.None()),
            }) as Answer
        }))
    }

    /// Calls `callback(cause)` on a thread of its own when the lease is over, unless it was released.
    fn on_lost(&self, callback: Py<PyAny>) -> PyResult<()> {
        let parts = self.0.get()?;
        let (handle, link) = (parts.handle.clone(), parts.link.clone());
        let runtime = link.handle.clone();
        runtime.clone().spawn(async move {
            let cause = errors::cause(&handle.lost().await);
            if cause == "released" {
                return;
            }
            runtime.spawn_blocking(move || {
                link.call(Box::new(move |py| {
                    if let Err(error) = callback.call1(py, (cause,)) {
                        error.write_unraisable(py, Some(callback.bind(py)));
                    }
                }));
            });
        });
        Ok(())
    }

    /// Releases, once: gives back what was found, in one word.
    fn release(&self) -> PyResult<Option<Op>> {
        let parts = self.0.get()?;
        let guard = parts.guard.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(guard.map(|guard| {
            Op::new(&parts.link, async move {
                let outcome = outcome(&guard.release().await);
                Box::new(move |py: Python<'_>| Ok(outcome.into_pyobject(py)?.into_any().unbind())) as Answer
            })
        }))
    }

    /// Ends the lease for this process and leaves the locks to the one that knows the holder.
    fn leave(&self) -> PyResult<bool> {
        let guard = self.0.get()?.guard.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(guard.map(Guard::into_lease).is_some())
    }
}

/// What a release found, in one word.
pub(crate) fn outcome(outcome: &ReleaseOutcome) -> &'static str {
    match outcome {
        ReleaseOutcome::HandedOver => "handed over",
        ReleaseOutcome::Released { .. } => "released",
        ReleaseOutcome::AlreadyExpired => "expired",
        ReleaseOutcome::TakenByOther { .. } => "taken",
        _ => "unknown",
    }
}

/// How long a lease is waited for that has no bound: longer than a process lives.
pub(crate) const ENDLESS: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);
