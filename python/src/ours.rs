//! [`Ours`]: what belongs to one process. [`Once`]: what is used once.

use std::mem::forget;
use std::process::id;
use std::sync::{Mutex, PoisonError};

use pyo3::PyResult;
use pyo3::exceptions::PyRuntimeError;

/// A value of the process that made it. A fork has a copy whose threads are not there and whose locks may be taken for
/// all time, so the copy is neither looked at nor dropped.
pub(crate) struct Ours<T> {
    process: u32,
    value: Option<T>,
}

impl<T> Ours<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { process: id(), value: Some(value) }
    }

    pub(crate) fn is_forked(&self) -> bool {
        self.process != id()
    }

    /// The value, unless this process is a fork of the one that made it.
    pub(crate) fn get(&self) -> PyResult<&T> {
        self.value.as_ref().filter(|_| !self.is_forked()).ok_or_else(|| {
            PyRuntimeError::new_err(format!(
                "this belongs to process {}, of which this one is a fork: make a new one after the fork",
                self.process
            ))
        })
    }
}

impl<T> Drop for Ours<T> {
    fn drop(&mut self) {
        if self.is_forked() {
            forget(self.value.take());
        }
    }
}

/// A value that is used once.
pub(crate) struct Once<T>(Mutex<Option<T>>);

impl<T> Once<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(Some(value)))
    }

    /// The value, the first time.
    pub(crate) fn take(&self) -> Option<T> {
        self.take_if(|_| true)
    }

    /// The value, if it is such a one; else it stays.
    pub(crate) fn take_if(&self, is_such: impl FnOnce(&T) -> bool) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take_if(|value| is_such(value))
    }
}
