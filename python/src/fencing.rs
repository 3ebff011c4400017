//! Fencing beside the lock: the SQL statements, and the header of HTTP.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use redfence::verifier::StaleToken;
use redfence::{FencingToken, Resource};
use redfence_http::{HeaderError, Presented, Refusal};
use redfence_sql::{mysql, postgres, sqlite};

use crate::errors;

/// A status code, and problem details as JSON.
type Problem = (u16, String);

/// The statements of redfence-sql, by database and name.
pub(crate) fn sql(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let all = PyDict::new(py);
    for (database, name, statement) in [
        ("postgres", "migration", postgres::MIGRATION),
        ("postgres", "admit", postgres::ADMIT),
        ("postgres", "highest", postgres::HIGHEST),
        ("postgres", "before_commit", postgres::BEFORE_COMMIT),
        ("mysql", "migration", mysql::MIGRATION),
        ("mysql", "admit", mysql::ADMIT),
        ("mysql", "admitted", mysql::ADMITTED),
        ("mysql", "highest", mysql::HIGHEST),
        ("sqlite", "migration", sqlite::MIGRATION),
        ("sqlite", "admit", sqlite::ADMIT),
        ("sqlite", "highest", sqlite::HIGHEST),
    ] {
        if !all.contains(database)? {
            all.set_item(database, PyDict::new(py))?;
        }
        all.as_any().get_item(database)?.set_item(name, statement)?;
    }
    Ok(all)
}

/// Reads the values of a request's headers `Fencing-Token`: `(resource, token)`. With a route, the token has to be for it.
#[pyfunction]
pub(crate) fn read_header(py: Python<'_>, values: Vec<Vec<u8>>, route: Option<String>) -> PyResult<(String, u64)> {
    let read = || -> Result<Presented, Refusal> {
        let presented = match values.as_slice() {
            [] => return Err(Refusal::Missing),
            [value] => Presented::from_bytes(value)?,
            _ => return Err(HeaderError::Repeated.into()),
        };
        if let Some(route) = route {
            presented.token_for(&Resource::new(route).map_err(HeaderError::Resource)?)?;
        }
        Ok(presented)
    };
    match read() {
        Ok(presented) => Ok((presented.resource.as_str().to_owned(), presented.token.get())),
        Err(refusal) => Err(errors::refused(py, refusal.to_string(), problem(&refusal))),
    }
}

/// The value of the header.
#[pyfunction]
pub(crate) fn write_header(py: Python<'_>, resource: String, token: u64) -> PyResult<String> {
    Ok(presented(py, resource, token)?.to_string())
}

/// The answer to a token that was found stale.
#[pyfunction]
pub(crate) fn stale(py: Python<'_>, resource: String, token: u64, highest: u64) -> PyResult<Problem> {
    let highest = FencingToken::new(highest).map_err(|error| errors::name(py, &error))?;
    Ok(problem(&presented(py, resource, token)?.stale(StaleToken { highest })))
}

/// Reads the body of an answer: `(status, message, resource, presented, highest)`; None where it is nothing of ours. Only a
/// stale token has the last three.
#[pyfunction]
#[expect(clippy::type_complexity, reason = "it is a tuple of Python's")]
pub(crate) fn read_problem(body: Vec<u8>) -> Option<(u16, String, Option<String>, Option<u64>, Option<u64>)> {
    let refusal = Refusal::from_problem(&body)?;
    let (status, message) = (refusal.status().as_u16(), refusal.to_string());
    Some(match refusal {
        Refusal::Stale { resource, presented, highest } => {
            (status, message, Some(resource.as_str().to_owned()), Some(presented.get()), Some(highest.get()))
        }
        _ => (status, message, None, None, None),
    })
}

fn presented(py: Python<'_>, resource: String, token: u64) -> PyResult<Presented> {
    let resource = Resource::new(resource).map_err(|error| errors::name(py, &error))?;
    Ok(Presented::new(resource, FencingToken::new(token).map_err(|error| errors::name(py, &error))?))
}

fn problem(refusal: &Refusal) -> Problem {
    (refusal.status().as_u16(), refusal.to_problem())
}
