//! The recipes of the library: semaphores, elections, several resources at once, work once per period.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use redfence::recipes::{Leader, Period};
use tokio::sync::Mutex;

use crate::client::Client;
use crate::errors;
use crate::lease::{self, Lease};
use crate::leases::{self, Leases};
use crate::op::{Op, answer};
use crate::ours::Ours;
use crate::settings::{LockSettings, Sort, seconds, wait_of};

/// Checks a semaphore, without a call.
#[pyfunction]
pub(crate) fn check_semaphore(py: Python<'_>, client: &Client, name: &str, permits: usize, sort: Sort) -> PyResult<()> {
    let redlock = client.judged(py, &LockSettings::of_sort(sort)?)?;
    redlock.semaphore(name, permits).map(drop).map_err(|error| errors::semaphore(py, &error))
}

/// Acquires a permit, within `wait` seconds.
#[pyfunction]
pub(crate) fn acquire_permit(client: &Client, name: String, permits: usize, wait: f64, sort: Sort) -> PyResult<Op> {
    let (wait, link) = (wait_of(wait)?, client.link()?.clone());
    client.op_as(LockSettings::of_sort(sort)?, move |redlock| async move {
        let semaphore = match redlock.semaphore(name.as_str(), permits) {
            Ok(semaphore) => semaphore,
            Err(error) => return answer(move |py| Err(errors::semaphore(py, &error))),
        };
        let outcome = semaphore.acquire_within(wait).await;
        let addresses = redlock.addresses();
        answer(move |py| match outcome {
            Ok(guard) => Lease::given(py, lease::Owned::Guard(guard), addresses, link),
            Err(error) => Err(errors::permit(py, &error, &addresses)),
        })
    })
}

/// Acquires all of `names` or none, within `wait` seconds.
#[pyfunction]
pub(crate) fn acquire_all(client: &Client, names: Vec<String>, wait: f64, sort: Sort) -> PyResult<Op> {
    let (wait, link) = (wait_of(wait)?, client.link()?.clone());
    client.op_as(LockSettings::of_sort(sort)?, move |redlock| async move {
        let outcome = redlock.acquire_all_within(names.iter().map(String::as_str), wait).await;
        let addresses = redlock.addresses();
        answer(move |py| match outcome {
            Ok(all) => Leases::given(py, leases::Owned::All(all), addresses, link),
            Err(error) => Err(errors::acquire_all(py, &error, &addresses)),
        })
    })
}

/// Campaigns, for `wait` seconds at most.
#[pyfunction]
pub(crate) fn campaign(client: &Client, name: String, wait: f64, sort: Sort) -> PyResult<Op> {
    let (wait, link) = (wait_of(wait)?, client.link()?.clone());
    client.op_as(LockSettings::of_sort(sort)?, move |redlock| async move {
        let election = match redlock.election(name.as_str()) {
            Ok(election) => election,
            Err(error) => return answer(move |py| Err(errors::name(py, &error))),
        };
        let outcome = election.campaign_within(wait).await;
        let addresses = redlock.addresses();
        answer(move |py| match outcome {
            Ok(leadership) => Leases::given(py, leases::Owned::Leadership(leadership), addresses, link),
            Err(error) => Err(errors::acquire_all(py, &error, &addresses)),
        })
    })
}

/// The leader now: `(term, label)`, or None.
#[pyfunction]
pub(crate) fn leader(client: &Client, name: String) -> PyResult<Op> {
    client.op(move |redlock| async move {
        let election = match redlock.election(name.as_str()) {
            Ok(election) => election,
            Err(error) => return answer(move |py| Err(errors::name(py, &error))),
        };
        let outcome = election.leader().await;
        answer(move |py| match outcome {
            Ok(leader) => leader.map(shown).into_py_any(py),
            Err(error) => Err(errors::owner(py, &error)),
        })
    })
}

fn shown(leader: Leader) -> (u64, String) {
    (leader.term.get(), leader.label.to_string())
}

type Leaders = Pin<Box<dyn Stream<Item = Leader> + Send>>;

/// The leaders of an election from now on.
#[pyclass(frozen, module = "redfence._core")]
pub(crate) struct Observer(Ours<Watched>);

struct Watched {
    name: String,
    period: Duration,
    leaders: Arc<Mutex<Option<Leaders>>>,
}

#[pymethods]
impl Observer {
    #[new]
    fn new(name: String, period: f64) -> PyResult<Self> {
        let period = seconds("the period", period)?;
        Ok(Self(Ours::new(Watched { name, period, leaders: Arc::default() })))
    }

    /// Waits for the next one: `(term, label)`.
    fn next(&self, client: &Client) -> PyResult<Op> {
        let Watched { name, period, leaders } = self.0.get()?;
        let (name, period, leaders) = (name.clone(), *period, Arc::clone(leaders));
        client.op(move |redlock| async move {
            let mut leaders = leaders.lock().await;
            let next = match leaders.as_mut() {
                Some(leaders) => leaders.next().await,
                None => match redlock.election(name.as_str()) {
                    Ok(election) => leaders.insert(Box::pin(election.observe(period))).next().await,
                    Err(error) => return answer(move |py| Err(errors::name(py, &error))),
                },
            };
            answer(move |py| next.map(shown).into_py_any(py))
        })
    }
}

/// `once_per` and `hold_at_least`, in seconds.
type Times = (Option<f64>, Option<f64>);

fn period_of((once_per, hold_at_least): Times) -> PyResult<Period> {
    let once_per = once_per.map(|time| seconds("per", time)).transpose()?;
    let hold_at_least = hold_at_least.map(|time| seconds("hold_at_least", time)).transpose()?;
    let period = once_per.map_or_else(Period::default, Period::once_per);
    Ok(hold_at_least.map_or(period, |time| period.hold_at_least(time)))
}

/// Checks work that is done once per period, without a call.
#[pyfunction]
pub(crate) fn check_once(py: Python<'_>, client: &Client, name: &str, times: Times, sort: Sort) -> PyResult<()> {
    let (period, redlock) = (period_of(times)?, client.judged(py, &LockSettings::of_sort(sort)?)?);
    redlock.once_per(name, period).map(drop).map_err(|error| errors::once_per(py, &error))
}

/// Acquires for work that is done once per period, within `wait` seconds.
#[pyfunction]
pub(crate) fn acquire_once(client: &Client, name: String, times: Times, wait: f64, sort: Sort) -> PyResult<Op> {
    let (wait, period, link) = (wait_of(wait)?, period_of(times)?, client.link()?.clone());
    client.op_as(LockSettings::of_sort(sort)?, move |redlock| async move {
        let once_per = match redlock.once_per(name.as_str(), period) {
            Ok(once_per) => once_per,
            Err(error) => return answer(move |py| Err(errors::once_per(py, &error))),
        };
        let outcome = once_per.acquire_within(wait).await;
        let addresses = redlock.addresses();
        answer(move |py| match outcome {
            Ok(guard) => Lease::given(py, lease::Owned::Once(guard), addresses, link),
            Err(error) => Err(errors::acquire(py, &error, &addresses)),
        })
    })
}
