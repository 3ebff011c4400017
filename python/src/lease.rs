//! [`Lease`]: one acquired lease.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use redfence::recipes::{OnceGuard, OnceOutcome};
use redfence::{Guard, LeaseHandle, LossCause, ReleaseOutcome};
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
    guard: Mutex<Option<Held>>,
    handle: LeaseHandle,
    addresses: Vec<String>,
    link: Link,
}

/// What is held: a lease alone, or one under which work is done once per period.
pub(crate) enum Held {
    Guard(Guard),
    Once(OnceGuard),
}

impl Held {
    fn guard(self) -> Guard {
        match self {
            Self::Guard(guard) => guard,
            Self::Once(guard) => guard.into_guard(),
        }
    }

    fn handle(&self) -> LeaseHandle {
        match self {
            Self::Guard(guard) => guard.handle(),
            Self::Once(guard) => (**guard).clone(),
        }
    }
}

impl Lease {
    pub(crate) fn new(held: Held, addresses: Vec<String>, link: Link) -> Self {
        let handle = held.handle();
        Self(Ours::new(Parts { guard: Mutex::new(Some(held)), handle, addresses, link }))
    }

    fn take(&self) -> PyResult<Option<Held>> {
        Ok(self.0.get()?.guard.lock().unwrap_or_else(PoisonError::into_inner).take())
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
        if self.0.is_forked() {
            return Err(errors::forked(py));
        }
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
        let handle = parts.handle.clone();
        tell_loss(&parts.link, callback, async move { errors::cause(&handle.lost().await) });
        Ok(())
    }

    /// Releases, once: gives back what was found, in one word.
    fn release(&self) -> PyResult<Option<Op>> {
        let held = self.take()?;
        let parts = self.0.get()?;
        let handle = parts.handle.clone();
        Ok(held.map(|held| {
            Op::new(&parts.link, async move {
                let overrun = overrun(handle.check().err().map(|lost| lost.cause));
                let outcome = found(&held.guard().release().await, overrun);
                Box::new(move |py: Python<'_>| Ok(outcome.into_pyobject(py)?.into_any().unbind())) as Answer
            })
        }))
    }

    /// Ends work that is done once per period: gives back for how many seconds it is kept, or what its release found, in one
    /// word. None where it was released before, and for a lease alone.
    fn finish(&self, succeeded: bool) -> PyResult<Option<Op>> {
        let Some(held) = self.take()? else { return Ok(None) };
        let parts = self.0.get()?;
        let addresses = parts.addresses.clone();
        let Held::Once(guard) = held else {
            *parts.guard.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
            return Ok(None);
        };
        Ok(Some(Op::new(&parts.link, async move {
            let ended = guard.finish(succeeded).await;
            Box::new(move |py: Python<'_>| match ended {
                Ok(OnceOutcome::Kept { rest, .. }) => {
                    Ok(("kept", rest.as_secs_f64()).into_pyobject(py)?.into_any().unbind())
                }
                Ok(OnceOutcome::Released(found)) => Ok((outcome(&found), 0.0).into_pyobject(py)?.into_any().unbind()),
                Ok(_) => Ok(("unknown", 0.0).into_pyobject(py)?.into_any().unbind()),
                Err(error) => Err(errors::not_stored(py, &error, &addresses)),
            }) as Answer
        })))
    }

    /// Ends the lease for this process and leaves the locks to the one that knows the holder.
    fn leave(&self) -> PyResult<bool> {
        Ok(self.take()?.map(|held| held.guard().into_lease()).is_some())
    }
}

/// Calls `callback(cause)` on a thread of its own when `lost` is over, unless it was a release.
pub(crate) fn tell_loss(link: &Link, callback: Py<PyAny>, lost: impl Future<Output = &'static str> + Send + 'static) {
    let (link, runtime) = (link.clone(), link.handle.clone());
    runtime.clone().spawn(async move {
        let cause = lost.await;
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
}

/// What a release found, in one word. A lease that had ended is an overrun, also where nodes had it still: they count longer.
pub(crate) fn found(released: &ReleaseOutcome, overrun: Option<&'static str>) -> &'static str {
    match (outcome(released), overrun) {
        (word @ ("expired" | "taken"), _) | (word, None) | (_, Some(word)) => word,
    }
}

/// How a lease had ended before its release, in one word.
pub(crate) fn overrun(cause: Option<LossCause>) -> Option<&'static str> {
    match cause? {
        LossCause::Released => None,
        LossCause::Taken => Some("taken"),
        _ => Some("expired"),
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
