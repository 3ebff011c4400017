//! Errors of the library as exceptions: one class a verb, with every node's vote.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict, PyList};
use redfence::admin::{BootstrapError, ResetError};
use redfence::cached::CachedError;
use redfence::{AcquireError, ConfigError, ConnectError, ExtendError, LossCause, Lost, Occupant, Vote, Votes};

/// The exception `class` of `redfence._errors` with this message and these attributes.
fn raised(py: Python<'_>, class: &str, message: String, attributes: &Bound<'_, PyDict>) -> PyErr {
    let made = || py.import("redfence._errors")?.getattr(class)?.call((message,), Some(attributes));
    made().map_or_else(|error| error, PyErr::from_value)
}

pub(crate) fn config(py: Python<'_>, error: &ConfigError) -> PyErr {
    raised(py, "ConfigError", error.to_string(), &PyDict::new(py))
}

pub(crate) fn connect(py: Python<'_>, error: &ConnectError) -> PyErr {
    let made = || -> PyResult<PyErr> {
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
    };
    made().unwrap_or_else(|error| error)
}

pub(crate) fn acquire(py: Python<'_>, error: &AcquireError, addresses: &[String]) -> PyErr {
    let (class, attempts, waited) = match error {
        AcquireError::Contended { attempts, waited, .. } | AcquireError::HeldWithoutTtl { attempts, waited, .. } => {
            ("Contended", *attempts, *waited)
        }
        AcquireError::NoQuorum { attempts, waited, .. } => ("NoQuorum", *attempts, *waited),
        AcquireError::Overloaded { attempts, waited, .. } => ("Overloaded", *attempts, *waited),
        AcquireError::TooSlow { attempts, waited, .. } => ("TooSlow", *attempts, *waited),
        AcquireError::Resource(error) => return name(py, error),
        _ => ("AcquireError", 0, Duration::ZERO),
    };
    let made = || -> PyResult<PyErr> {
        let attributes = PyDict::new(py);
        attributes.set_item("attempts", attempts)?;
        attributes.set_item("waited", waited.as_secs_f64())?;
        if let Some(given) = error.votes() {
            attributes.set_item("votes", votes(py, given, addresses)?)?;
        }
        Ok(raised(py, class, error.to_string(), &attributes))
    };
    made().unwrap_or_else(|error| error)
}

pub(crate) fn extend(py: Python<'_>, error: &ExtendError, addresses: &[String]) -> PyErr {
    let made = || -> PyResult<PyErr> {
        let attributes = PyDict::new(py);
        match error {
            ExtendError::Lost(error) => return Ok(lost(py, error)),
            ExtendError::NoQuorum { votes: given } => attributes.set_item("votes", votes(py, given, addresses)?)?,
            _ => {}
        }
        Ok(raised(py, "ExtendError", error.to_string(), &attributes))
    };
    made().unwrap_or_else(|error| error)
}

pub(crate) fn lost(py: Python<'_>, error: &Lost) -> PyErr {
    match [("cause", cause(&error.cause))].into_py_dict(py) {
        Ok(attributes) => raised(py, "LostError", error.to_string(), &attributes),
        Err(error) => error,
    }
}

/// A name that cannot be used, or a holder that is none.
pub(crate) fn name(py: Python<'_>, error: &dyn std::error::Error) -> PyErr {
    raised(py, "NameError", error.to_string(), &PyDict::new(py))
}

pub(crate) fn reset(py: Python<'_>, error: &ResetError) -> PyErr {
    raised(py, "OperateError", error.to_string(), &PyDict::new(py))
}

pub(crate) fn bootstrap(py: Python<'_>, error: &BootstrapError) -> PyErr {
    raised(py, "OperateError", error.to_string(), &PyDict::new(py))
}

/// There is no cached value.
pub(crate) fn cached(py: Python<'_>, error: &CachedError, addresses: &[String]) -> PyErr {
    match error {
        CachedError::Acquire(error) => acquire(py, error, addresses),
        CachedError::Key(error) => name(py, error),
        CachedError::Waited { .. } => raised(py, "Contended", error.to_string(), &PyDict::new(py)),
        CachedError::Store(_) => raised(py, "CacheError", error.to_string(), &PyDict::new(py)),
        _ => PyValueError::new_err(error.to_string()),
    }
}

/// A request whose token was not taken: what to answer.
pub(crate) fn refused(py: Python<'_>, message: String, (status, problem): (u16, String)) -> PyErr {
    let attributes = || -> PyResult<Bound<'_, PyDict>> {
        let attributes = PyDict::new(py);
        attributes.set_item("status", status)?;
        attributes.set_item("problem", problem)?;
        Ok(attributes)
    };
    attributes().map_or_else(|error| error, |attributes| raised(py, "Refused", message, &attributes))
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
