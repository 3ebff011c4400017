//! [`Leases`]: several leases as one, and those of a leader.

use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use redfence::recipes::{Leadership, MultiGuard, MultiHandle};

use crate::held::{HeldLease, View, found};
use crate::op::{Op, answer};
use crate::ours::{Once, Ours};
use crate::runtime::Link;

/// Several leases as one. Dropped without a release they are released in the background.
#[pyclass(frozen, extends = HeldLease, module = "redfence._core")]
pub(crate) struct Leases(Ours<Parts>);

struct Parts {
    owned: Once<Owned>,
    handle: MultiHandle,
    term: Option<u64>,
}

/// The guards.
pub(crate) enum Owned {
    All(MultiGuard),
    Leadership(Leadership),
}

impl Leases {
    /// The leases as Python has them.
    pub(crate) fn given(py: Python<'_>, owned: Owned, addresses: Vec<String>, link: Link) -> PyResult<Py<PyAny>> {
        let (handle, term) = match &owned {
            Owned::All(all) => (all.handle(), None),
            Owned::Leadership(leadership) => ((**leadership).clone(), Some(leadership.term().get())),
        };
        let held = HeldLease::new(View::All(handle.clone()), addresses, link);
        let leases = Self(Ours::new(Parts { owned: Once::new(owned), handle, term }));
        Ok(Py::new(py, PyClassInitializer::from(held).add_subclass(leases))?.into_any())
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

    /// Releases all, once: gives back what was found of each, in one word. Of a leader: of the lease of the name.
    fn release(slf: &Bound<'_, Self>) -> PyResult<Option<Op>> {
        let Parts { owned, handle, .. } = slf.get().0.get()?;
        let Some(owned) = owned.take() else { return Ok(None) };
        let parts: Vec<_> = handle.parts().cloned().map(View::One).collect();
        let release = slf.as_super().get().op(|whole, _| async move {
            let found: Vec<_> = match owned {
                // The last name is released first.
                Owned::All(all) => {
                    let overruns: Vec<_> = parts.iter().rev().map(View::overrun).collect();
                    let released = all.release().await;
                    released.iter().zip(overruns).map(|((_, one), overrun)| found(one, overrun)).collect()
                }
                // A leader led no more once one of the two leases was over.
                Owned::Leadership(leadership) => {
                    let overrun = whole.overrun();
                    vec![found(&leadership.resign().await, overrun)]
                }
            };
            answer(move |py| found.into_py_any(py))
        });
        release.map(Some)
    }
}
