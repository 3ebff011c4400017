//! What operators see, as tuples for the classes of the package.

use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use redfence::NodeStatus;
use redfence::admin::{Agreement, ForceOutcome, Forced, ForcedAt, Inspection, Listing};

/// `(agreement, holder, [(address, holder, ttl_left, takes_part, fault)])`
pub(crate) fn inspection(py: Python<'_>, inspection: &Inspection) -> PyResult<Py<PyAny>> {
    let (agreement, holder) = match inspection.agreement() {
        Agreement::HeldBy(holder) => ("held", Some(holder.value().into_owned())),
        Agreement::Free => ("free", None),
        _ => ("indeterminate", None),
    };
    let rows = inspection.rows.iter().map(|row| {
        let view = row.view.as_ref().ok();
        let holder = view.and_then(|view| view.lock.held_by()).map(|occupant| occupant.value().into_owned());
        let ttl_left = view.and_then(|view| view.ttl_left).map(|left| left.as_secs_f64());
        let fault = row.view.as_ref().err().map(ToString::to_string);
        (row.address.clone(), holder, ttl_left, row.takes_part, fault)
    });
    (agreement, holder, rows.collect::<Vec<_>>()).into_py_any(py)
}

/// `(outcome, holder, [(address, kind, text, holder)])`
pub(crate) fn forced(py: Python<'_>, forced: &Forced) -> PyResult<Py<PyAny>> {
    let (outcome, other) = match forced.outcome() {
        ForceOutcome::Released => ("released", None),
        ForceOutcome::NotHeld => ("not held", None),
        ForceOutcome::HeldBy(other) => ("held by other", Some(other.value().into_owned())),
        _ => ("no quorum", None),
    };
    let rows = forced.rows.iter().map(|row| {
        let (kind, text, holder) = match &row.outcome {
            Ok(ForcedAt::Released) => ("released", "released".to_owned(), None),
            Ok(ForcedAt::Free) => ("free", "free".to_owned(), None),
            Ok(ForcedAt::HeldBy(other)) => ("held", format!("held by {other}"), Some(other.value().into_owned())),
            Ok(_) => ("unknown", "unknown".to_owned(), None),
            Err(fault) => ("failed", fault.to_string(), None),
        };
        (row.address.clone(), kind, text, holder)
    });
    (outcome, other, rows.collect::<Vec<_>>()).into_py_any(py)
}

/// `([(name, holder, ttl_left, nodes)], what is missing)`
pub(crate) fn listing(py: Python<'_>, listing: &Listing) -> PyResult<Py<PyAny>> {
    let locks = listing.locks.iter().map(|lock| {
        let ttl_left = lock.ttl_left.map(|left| left.as_secs_f64());
        (lock.resource.as_str().to_owned(), lock.occupant.value().into_owned(), ttl_left, lock.nodes)
    });
    let partial = listing.partial.as_ref().map(ToString::to_string);
    (locks.collect::<Vec<_>>(), partial).into_py_any(py)
}

/// `[(address, condition, round_trip, rests_for, fault)]`
pub(crate) fn nodes(py: Python<'_>, nodes: &[NodeStatus]) -> PyResult<Py<PyAny>> {
    let rows = nodes.iter().map(|node| {
        let fault = node.last_fault.as_ref().map(ToString::to_string);
        let (round_trip, rests_for) =
            (node.round_trip.map(|t| t.as_secs_f64()), node.rests_for.map(|t| t.as_secs_f64()));
        (node.address.clone(), node.condition.to_string(), round_trip, rests_for, fault)
    });
    rows.collect::<Vec<_>>().into_py_any(py)
}
