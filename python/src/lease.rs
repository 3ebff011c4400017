//! [`Lease`]: one acquired lease.

use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use redfence::recipes::{OnceGuard, OnceOutcome};
use redfence::{Guard, LeaseHandle};

use crate::errors;
use crate::held::{HeldLease, View, found, outcome};
use crate::op::{Op, answer};
use crate::ours::{Once, Ours};
use crate::runtime::Link;

/// One acquired lease. Dropped without a release it is released in the background.
#[pyclass(frozen, extends = HeldLease, module = "redfence._core")]
pub(crate) struct Lease(Ours<Parts>);

struct Parts {
    owned: Once<Owned>,
    handle: LeaseHandle,
}

/// The guard: of a lease alone, or of one under which work is done once per period.
pub(crate) enum Owned {
    Guard(Guard),
    Once(OnceGuard),
}

impl Owned {
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
    /// The lease as Python has it.
    pub(crate) fn given(py: Python<'_>, owned: Owned, addresses: Vec<String>, link: Link) -> PyResult<Py<PyAny>> {
        let handle = owned.handle();
        let held = HeldLease::new(View::One(handle.clone()), addresses, link);
        let lease = Self(Ours::new(Parts { owned: Once::new(owned), handle }));
        Ok(Py::new(py, PyClassInitializer::from(held).add_subclass(lease))?.into_any())
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

    /// Releases, once: gives back what was found, in one word.
    fn release(slf: &Bound<'_, Self>) -> PyResult<Option<Op>> {
        let Some(owned) = slf.get().0.get()?.owned.take() else { return Ok(None) };
        let release = slf.as_super().get().op(|view, _| async move {
            let overrun = view.overrun();
            let outcome = found(&owned.guard().release().await, overrun);
            answer(move |py| outcome.into_py_any(py))
        });
        release.map(Some)
    }

    /// Ends work that is done once per period: gives back for how many seconds it is kept, or what its release found, in one
    /// word. None where it was released before, and for a lease alone.
    fn finish(slf: &Bound<'_, Self>, succeeded: bool) -> PyResult<Option<Op>> {
        let owned = slf.get().0.get()?.owned.take_if(|owned| matches!(owned, Owned::Once(_)));
        let Some(Owned::Once(guard)) = owned else { return Ok(None) };
        let finish = slf.as_super().get().op(|_, addresses| async move {
            let ended = guard.finish(succeeded).await;
            answer(move |py| match ended {
                Ok(OnceOutcome::Kept { rest, .. }) => ("kept", rest.as_secs_f64()).into_py_any(py),
                Ok(OnceOutcome::Released(found)) => (outcome(&found), 0.0).into_py_any(py),
                Ok(_) => ("unknown", 0.0).into_py_any(py),
                Err(error) => Err(errors::not_stored(py, &error, &addresses)),
            })
        });
        finish.map(Some)
    }

    /// Ends the lease for this process and leaves the locks to the one that knows the holder.
    fn leave(&self) -> PyResult<bool> {
        Ok(self.0.get()?.owned.take().map(|owned| owned.guard().into_lease()).is_some())
    }
}
