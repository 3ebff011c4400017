//! [`Op`]: one call of the lock, to be waited for by a thread or by an event loop.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::ours::{Once, Ours};
use crate::runtime::Link;

/// What a call gives back, made into Python's values where the interpreter is at hand.
pub(crate) type Answer = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// The answer that `made` gives back.
pub(crate) fn answer(made: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send + 'static) -> Answer {
    Box::new(made)
}

type Work = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// How often a thread that waits looks for signals.
const SLICE: Duration = Duration::from_millis(50);

/// A call that was prepared and is made once. Dropped before, or while it is waited for, it is undone.
#[pyclass(frozen, generic, module = "redfence._core")]
pub(crate) struct Op(Ours<(Once<Work>, Link)>);

/// A call that is being made.
#[pyclass(frozen, module = "redfence._core")]
pub(crate) struct Task(Ours<AbortHandle>);

impl Op {
    pub(crate) fn new(link: &Link, work: impl Future<Output = Answer> + Send + 'static) -> Self {
        Self(Ours::new((Once::new(Box::pin(work)), link.clone())))
    }

    fn take(&self) -> PyResult<(Work, Link)> {
        let (work, link) = self.0.get()?;
        let work = work.take().ok_or_else(|| PyRuntimeError::new_err("this call was made already"))?;
        Ok((work, link.clone()))
    }
}

#[pymethods]
impl Op {
    /// Makes the call and waits for its end, without the interpreter's lock. A signal whose handler raises ends it.
    fn run(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let (mut work, link) = self.take()?;
        loop {
            let slice = async { timeout(SLICE, work.as_mut()).await.ok() };
            match py.detach(|| link.handle.block_on(slice)) {
                Some(answer) => return answer(py),
                None => py.check_signals()?,
            }
        }
    }

    /// Makes the call in the background. At its end `callback(value, error)` is called once, on another thread, unless it was
    /// cancelled.
    fn start(&self, callback: Py<PyAny>) -> PyResult<Task> {
        let (work, link) = self.take()?;
        let handle = link.handle.clone();
        let task = handle.spawn(async move {
            let answer = work.await;
            link.deliver(Box::new(move |py| {
                let told = match answer(py) {
                    Ok(value) => callback.call1(py, (value, py.None())),
                    Err(error) => callback.call1(py, (py.None(), error)),
                };
                if let Err(error) = told {
                    error.write_unraisable(py, Some(callback.bind(py)));
                }
            }));
        });
        Ok(Task(Ours::new(task.abort_handle())))
    }
}

#[pymethods]
impl Task {
    /// Undoes the call, if it has not ended. In a fork it is the parent's to undo.
    fn cancel(&self) {
        if let Ok(handle) = self.0.get() {
            handle.abort();
        }
    }
}
