//! Errors of the library as exceptions: one class a verb, with every node's vote.

use std::error::Error;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict, PyList};
use redfence::cached::CachedError;
use redfence::recipes::{AcquireAllError, OncePerError, OwnerError, PartLost, PermitError, SemaphoreError};
use redfence::{AcquireError, ConfigError, ConnectError, ExtendError, LossCause, Lost, Occupant, Vote, Votes};

/// The exception `class` of `redfence._errors` with this message and these attributes.
fn raised(py: Python<'_>, class: &str, message: String, attributes: &Bound<'_, PyDict>) -> PyErr {
    let made = || py.import("redfence._errors")?.getattr(class)?.call((message,), Some(attributes));
    made().map_or_else(|error| error, PyErr::from_value)
}

/// The same, with no attributes.
fn plain(py: Python<'_>, class: &str, error: &dyn Error) -> PyErr {
    raised(py, class, error.to_string(), &PyDict::new(py))
}

fn raised_with(made: impl FnOnce() -> PyResult<PyErr>) -> PyErr {
    made().unwrap_or_else(|error| error)
}

pub(crate) fn config(py: Python<'_>, error: &ConfigError) -> PyErr {
    plain(py, "ConfigError", error)
}

pub(crate) fn connect(py: Python<'_>, error: &ConnectError) -> PyErr {
    raised_with(|| {
        let attributes = PyDict::new(py);
        match error {
            ConnectError::Config(error) => return Ok(config(py, error)),
            ConnectError::NoQuorum { unreachable, .. } => {
                let nodes = unreachable.iter().map(|(address, fault)| (address.clone(), fault.to_string()));
                attributes.set_item("unreachable", nodes.collect::<Vec<_>>())?;
            }
            _ => {}
        }
        Ok(raised(py, "ConnectError", error.to_string(), &attributes))
    })
}

pub(crate) fn acquire(py: Python<'_>, error: &AcquireError, addresses: &[String]) -> PyErr {
    let class = class_of(error);
    raised_with(|| Ok(raised(py, class, error.to_string(), &of_acquire(py, error, addresses)?)))
}

fn class_of(error: &AcquireError) -> &'static str {
    match error {
        AcquireError::Contended { .. } | AcquireError::HeldWithoutTtl { .. } => "Contended",
        AcquireError::NoQuorum { .. } => "NoQuorum",
        AcquireError::Overloaded { .. } => "Overloaded",
        AcquireError::TooSlow { .. } => "TooSlow",
        AcquireError::Resource(_) => "NameError",
        _ => "AcquireError",
    }
}

/// Attempts, seconds, votes.
fn of_acquire<'py>(py: Python<'py>, error: &AcquireError, addresses: &[String]) -> PyResult<Bound<'py, PyDict>> {
    let attributes = PyDict::new(py);
    let (AcquireError::Contended { attempts, waited, .. }
    | AcquireError::HeldWithoutTtl { attempts, waited, .. }
    | AcquireError::NoQuorum { attempts, waited, .. }
    | AcquireError::Overloaded { attempts, waited, .. }
    | AcquireError::TooSlow { attempts, waited, .. }) = error
    else {
        return Ok(attributes);
    };
    attributes.set_item("attempts", attempts)?;
    attributes.set_item("waited", waited.as_secs_f64())?;
    if let Some(given) = error.votes() {
        attributes.set_item("votes", votes(py, given, addresses)?)?;
    }
    Ok(attributes)
}

/// No permit of a semaphore was acquired.
pub(crate) fn permit(py: Python<'_>, error: &PermitError, addresses: &[String]) -> PyErr {
    raised_with(|| match error {
        PermitError::AllHeld { permits, error: last } => {
            let attributes = of_acquire(py, last, addresses)?;
            attributes.set_item("permits", permits)?;
            Ok(raised(py, "AllHeld", error.to_string(), &attributes))
        }
        PermitError::Acquire(last) => Ok(acquire(py, last, addresses)),
        _ => Ok(plain(py, "AcquireError", error)),
    })
}

/// Not all of several resources were acquired.
pub(crate) fn acquire_all(py: Python<'_>, error: &AcquireAllError, addresses: &[String]) -> PyErr {
    raised_with(|| {
        let (class, attributes, resource) = match error {
            AcquireAllError::Acquire { resource, error } => {
                (class_of(error), of_acquire(py, error, addresses)?, Some(resource))
            }
            AcquireAllError::Lost(lost) => return Ok(part_lost(py, lost)),
            AcquireAllError::Extend { resource, error } => {
                let (class, attributes) = of_extend(py, error, addresses)?;
                (class, attributes, Some(resource))
            }
            _ => ("NameError", PyDict::new(py), None),
        };
        if let Some(resource) = resource.filter(|_| class != "NameError") {
            attributes.set_item("resource", resource.as_str())?;
        }
        Ok(raised(py, class, error.to_string(), &attributes))
    })
}

pub(crate) fn extend(py: Python<'_>, error: &ExtendError, addresses: &[String]) -> PyErr {
    raised_with(|| {
        let (class, attributes) = of_extend(py, error, addresses)?;
        Ok(raised(py, class, error.to_string(), &attributes))
    })
}

fn of_extend<'py>(
    py: Python<'py>,
    error: &ExtendError,
    addresses: &[String],
) -> PyResult<(&'static str, Bound<'py, PyDict>)> {
    let attributes = PyDict::new(py);
    let class = match error {
        ExtendError::Lost(lost) => {
            attributes.set_item("cause", cause(&lost.cause))?;
            "LostError"
        }
        ExtendError::NoQuorum { votes: given } => {
            attributes.set_item("votes", votes(py, given, addresses)?)?;
            "ExtendError"
        }
        _ => "ExtendError",
    };
    Ok((class, attributes))
}

/// Work succeeded, and no quorum stored its period, or its lease had ended before.
pub(crate) fn not_stored(py: Python<'_>, error: &ExtendError, addresses: &[String]) -> PyErr {
    raised_with(|| {
        let attributes = PyDict::new(py);
        match error {
            ExtendError::Lost(lost) => {
                attributes.set_item("outcome", cause(&lost.cause))?;
                let message = format!("overrun: the lease had ended before the end of the work: {error}");
                return Ok(raised(py, "Overrun", message, &attributes));
            }
            ExtendError::NoQuorum { votes: given } => attributes.set_item("votes", votes(py, given, addresses)?)?,
            _ => {}
        }
        let message = format!(
            "the work succeeded, but the nodes did not store its period, so it may be done again within it: {error}"
        );
        Ok(raised(py, "NotStored", message, &attributes))
    })
}

pub(crate) fn lost(py: Python<'_>, error: &Lost) -> PyErr {
    lost_by(py, &error.cause, error.to_string())
}

/// The lease is another process's, of which this one is a fork.
pub(crate) fn forked(py: Python<'_>) -> PyErr {
    let cause = LossCause::Forked;
    lost_by(py, &cause, format!("the lease is lost: {cause}: acquire again after the fork"))
}

fn lost_by(py: Python<'_>, why: &LossCause, message: String) -> PyErr {
    raised_with(|| Ok(raised(py, "LostError", message, &[("cause", cause(why))].into_py_dict(py)?)))
}

/// One of several leases is lost.
pub(crate) fn part_lost(py: Python<'_>, error: &PartLost) -> PyErr {
    raised_with(|| {
        let attributes = [("cause", cause(&error.cause)), ("resource", error.resource.as_str())].into_py_dict(py)?;
        Ok(raised(py, "LostError", error.to_string(), &attributes))
    })
}

/// Who leads is not known.
pub(crate) fn owner(py: Python<'_>, error: &OwnerError) -> PyErr {
    let class = match error {
        OwnerError::Resource(_) => "NameError",
        OwnerError::Undecided { .. } => "NoQuorum",
        _ => "OperateError",
    };
    plain(py, class, error)
}

/// There is no such semaphore.
pub(crate) fn semaphore(py: Python<'_>, error: &SemaphoreError) -> PyErr {
    let class = if matches!(error, SemaphoreError::Resource(_)) { "NameError" } else { "ConfigError" };
    plain(py, class, error)
}

/// There is no work with such a period.
pub(crate) fn once_per(py: Python<'_>, error: &OncePerError) -> PyErr {
    let class = if matches!(error, OncePerError::Resource(_)) { "NameError" } else { "ConfigError" };
    plain(py, class, error)
}

/// A name that cannot be used, or a holder that is none.
pub(crate) fn name(py: Python<'_>, error: &dyn Error) -> PyErr {
    plain(py, "NameError", error)
}

/// What an operator asked for was not done.
pub(crate) fn operate(py: Python<'_>, error: &dyn Error) -> PyErr {
    plain(py, "OperateError", error)
}

/// There is no cached value.
pub(crate) fn cached(py: Python<'_>, error: &CachedError, addresses: &[String]) -> PyErr {
    match error {
        CachedError::Acquire(error) => acquire(py, error, addresses),
        CachedError::Key(error) => name(py, error),
        CachedError::Waited { .. } => plain(py, "Contended", error),
        CachedError::Store(_) => plain(py, "CacheError", error),
        _ => PyValueError::new_err(error.to_string()),
    }
}

/// A request whose token was not taken: what to answer.
pub(crate) fn refused(py: Python<'_>, message: String, (status, problem): (u16, String)) -> PyErr {
    raised_with(|| {
        let attributes = PyDict::new(py);
        attributes.set_item("status", status)?;
        attributes.set_item("problem", problem)?;
        Ok(raised(py, "Refused", message, &attributes))
    })
}

/// One word for why a lease is over.
pub(crate) fn cause(cause: &LossCause) -> &'static str {
    match cause {
        LossCause::Released => "released",
        LossCause::Expired => "expired",
        LossCause::Taken => "taken",
        LossCause::MaxHold => "max_hold",
        LossCause::Forked => "forked",
        _ => "other",
    }
}

/// Each vote as the class `Vote` of the package.
fn votes<'py>(py: Python<'py>, votes: &Votes, addresses: &[String]) -> PyResult<Bound<'py, PyList>> {
    let class = py.import("redfence._errors")?.getattr("Vote")?;
    let list = PyList::empty(py);
    for ((_, vote), address) in votes.iter().zip(addresses) {
        let kind = match vote {
            Vote::Pending => "pending",
            Vote::NotAsked => "not asked",
            Vote::Granted => "granted",
            Vote::Refused(_) => "refused",
            Vote::Failed(_) => "failed",
            Vote::Silent => "silent",
            // Votes that later versions of the library add.
            _ => "unknown",
        };
        let view = match vote {
            Vote::Refused(view) => Some(view),
            _ => None,
        };
        let occupant = view.and_then(|view| view.lock.held_by()).map(Occupant::value);
        let ttl_left = view.and_then(|view| view.ttl_left).map(|left| left.as_secs_f64());
        list.append(class.call1((address, kind, vote.to_string(), occupant, ttl_left))?)?;
    }
    Ok(list)
}
