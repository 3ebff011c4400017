//! [`Leases`]: several leases as one, and those of a leader.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use redfence::recipes::{Leadership, MultiGuard, MultiHandle};
use tokio::time::timeout;

use crate::errors;
use crate::lease::{found, overrun, tell_loss};
use crate::op::{Answer, Op};
use crate::ours::Ours;
use crate::runtime::Link;
use crate::settings::seconds;

/// Several leases as one. Dropped without a release they are released in the background.
#[pyclass(frozen, module = "redfence._core")]
pub(crate) struct Leases(Ours<Parts>);

struct Parts {
    held: Mutex<Option<Held>>,
    handle: MultiHandle,
    term: Option<u64>,
    addresses: Vec<String>,
    link: Link,
}

/// What is held.
pub(crate) enum Held {
    All(MultiGuard),
    Leadership(Leadership),
}

impl Leases {
    pub(crate) fn new(held: Held, addresses: Vec<String>, link: Link) -> Self {
        let (handle, term) = match &held {
            Held::All(all) => (all.handle(), None),
            Held::Leadership(leadership) => ((**leadership).clone(), Some(leadership.term().get())),
        };
        Self(Ours::new(Parts { held: Mutex::new(Some(held)), handle, term, addresses, link }))
    }
}

#[pymethods]
impl Leases {
    /// `[(name, token, holder)]`, in the order of the names.
    #[getter]
    fn parts(&self) -> PyResult<Vec<(String, u64, String)>> {
        let parts = self.0.get()?.handle.parts();
        Ok(parts.map(|part| (part.resource().to_string(), part.token().get(), part.holder().to_string())).collect())
    }

    /// The term of a leader.
    #[getter]
    fn term(&self) -> PyResult<Option<u64>> {
        Ok(self.0.get()?.term)
    }

    /// The validity that is left, in seconds; None once a part is over, and in a fork.
    #[getter]
    fn valid_for(&self) -> Option<f64> {
        self.0.get().ok()?.handle.valid_for().map(|left| left.as_secs_f64())
    }

    /// Why a part is over; None while none is.
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
        self.0.get()?.handle.check().map_err(|lost| errors::part_lost(py, &lost))
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

    /// Waits for the end of a part, `within` seconds at most: gives back its cause, or None.
    fn lost(&self, within: f64) -> PyResult<Op> {
        let parts = self.0.get()?;
        let (handle, within) = (parts.handle.clone(), seconds("the time-out", within)?);
        Ok(Op::new(&parts.link, async move {
            let lost = timeout(within, handle.lost()).await.ok();
            Box::new(move |py: Python<'_>| match lost {
                Some(lost) => Ok(errors::cause(&lost.cause).into_pyobject(py)?.into_any().unbind()),
                None => Ok(py.None()),
            }) as Answer
        }))
    }

    /// Calls `callback(cause)` on a thread of its own when a part is over, unless all were released.
    fn on_lost(&self, callback: Py<PyAny>) -> PyResult<()> {
        let parts = self.0.get()?;
        let handle = parts.handle.clone();
        tell_loss(&parts.link, callback, async move { errors::cause(&handle.lost().await.cause) });
        Ok(())
    }

    /// Releases all, once: gives back what was found of each, in one word. Of a leader: of the lease of the name.
    fn release(&self) -> PyResult<Option<Op>> {
        let parts = self.0.get()?;
        let held = parts.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        let handle = parts.handle.clone();
        Ok(held.map(|held| {
            Op::new(&parts.link, async move {
                let whole = overrun(handle.check().err().map(|lost| lost.cause));
                let parts: Vec<_> =
                    handle.parts().map(|part| overrun(part.check().err().map(|lost| lost.cause))).collect();
                let found: Vec<_> = match held {
                    // The last name is released first.
                    Held::All(all) => {
                        let released = all.release().await;
                        released.iter().zip(parts.into_iter().rev()).map(|((_, one), part)| found(one, part)).collect()
                    }
                    // A leader led no more once one of the two leases was over.
                    Held::Leadership(leadership) => vec![found(&leadership.resign().await, whole)],
                };
                Box::new(move |py: Python<'_>| Ok(found.into_pyobject(py)?.into_any().unbind())) as Answer
            })
        }))
    }
}
