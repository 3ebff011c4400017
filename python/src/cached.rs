//! Values that one process computes for all: the shipped single flight. The computation runs in Python.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pyo3::IntoPyObjectExt as _;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use redfence::cached::{self, Entry, IfUnavailable, Lookup, MemoryCache};
use redfence::verifier::Verdict;
use redfence::{FencingToken, Redlock, Resource};
use redfence_redis::RedisCache;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use crate::client::Client;
use crate::errors;
use crate::op::{Op, answer};
use crate::ours::{Once, Ours};
use crate::runtime::{Link, Runtime};
use crate::settings::seconds;

/// Where values are.
#[derive(Clone)]
enum Store {
    Memory(MemoryCache),
    Redis(RedisCache<ConnectionManager>),
}

impl cached::CacheStore for Store {
    type Error = io::Error;

    async fn get(&self, key: &Resource) -> io::Result<Option<Entry>> {
        match self {
            Self::Memory(store) => store.get(key).await.map_err(|never| match never {}),
            Self::Redis(store) => store.get(key).await.map_err(io::Error::other),
        }
    }

    async fn put(&self, key: &Resource, entry: &Entry) -> io::Result<Verdict> {
        match self {
            Self::Memory(store) => store.put(key, entry).await.map_err(|never| match never {}),
            Self::Redis(store) => store.put(key, entry).await.map_err(io::Error::other),
        }
    }

    async fn remove(&self, key: &Resource, token: FencingToken) -> io::Result<Verdict> {
        match self {
            Self::Memory(store) => store.remove(key, token).await.map_err(|never| match never {}),
            Self::Redis(store) => store.remove(key, token).await.map_err(io::Error::other),
        }
    }
}

/// A store, of one process.
#[pyclass(frozen, module = "redfence._core")]
pub(crate) struct CacheStore(Ours<Store>);

#[pymethods]
impl CacheStore {
    #[staticmethod]
    fn memory(entries_max: usize) -> Self {
        Self(Ours::new(Store::Memory(MemoryCache::new(entries_max))))
    }

    /// Checks the URL. Connects at the first call.
    #[staticmethod]
    fn redis(runtime: &Runtime, url: &str, prefix: &str) -> PyResult<Self> {
        let refused = |error: redis::RedisError| {
            PyValueError::new_err(format!("the URL of the store: {error}: it has to be as redis://cache:6379/0 is"))
        };
        // `Cached` ends what takes too long.
        let config = ConnectionManagerConfig::new().set_number_of_retries(1);
        let _inside = runtime.link()?.handle.enter();
        let client = redis::Client::open(url).map_err(refused)?;
        let connection = ConnectionManager::new_lazy_with_config(client, config).map_err(refused)?;
        Ok(Self(Ours::new(Store::Redis(RedisCache::with_prefix(connection, prefix)))))
    }
}

/// What all calls of one process share. It begins with the first call, which connects the locker.
#[pyclass(frozen, module = "redfence._core")]
pub(crate) struct Cached(Ours<Shared>);

struct Shared {
    store: Store,
    wait_max: Duration,
    store_timeout: Duration,
    early_percent: u32,
    if_unavailable: IfUnavailable,
    cached: Arc<OnceLock<cached::Cached<Store>>>,
}

#[pymethods]
impl Cached {
    #[new]
    fn new(
        store: &CacheStore,
        wait_max: f64,
        store_timeout: f64,
        early_percent: u32,
        computes_without: bool,
    ) -> PyResult<Self> {
        Ok(Self(Ours::new(Shared {
            store: store.0.get()?.clone(),
            wait_max: seconds("wait_max", wait_max)?,
            store_timeout: seconds("store_timeout", store_timeout)?,
            early_percent,
            if_unavailable: if computes_without { IfUnavailable::Compute } else { IfUnavailable::Fail },
            cached: Arc::default(),
        })))
    }

    /// Removes a value.
    fn invalidate(&self, client: &Client, key: String) -> PyResult<Op> {
        let begun = self.begun()?;
        client.op(move |redlock| async move {
            let addresses = redlock.addresses();
            let outcome = begun(redlock).invalidate(key).await;
            answer(move |py| match outcome {
                Ok(()) => Ok(py.None()),
                Err(error) => Err(errors::cached(py, &error, &addresses)),
            })
        })
    }

    /// `(value, right)`: without a right, the value is fresh; without a value, the right is a `Computation`; with both, it is
    /// a `Refresh`.
    fn lookup(&self, client: &Client, key: String) -> PyResult<Op> {
        let (begun, link) = (self.begun()?, client.link()?.clone());
        client.op(move |redlock| async move {
            let addresses = redlock.addresses();
            let found = begun(redlock).lookup(key).await;
            answer(move |py| {
                let bytes = |value: &[u8]| PyBytes::new(py, value);
                let pair = match found.map_err(|error| errors::cached(py, &error, &addresses))? {
                    Lookup::Hit(value) => (bytes(&value), py.None()).into_pyobject(py)?,
                    Lookup::Early(value, refresh) => {
                        (bytes(&value), Refresh(Right::new(refresh, addresses, link))).into_pyobject(py)?
                    }
                    Lookup::Miss(computation) => {
                        (py.None(), Computation(Right::new(computation, addresses, link))).into_pyobject(py)?
                    }
                    _ => return Err(PyRuntimeError::new_err("a later version of the library has other answers")),
                };
                Ok(pair.into_any().unbind())
            })
        })
    }
}

impl Cached {
    /// Makes of a locker, with the first call, what all calls share.
    fn begun(&self) -> PyResult<impl FnOnce(Redlock) -> cached::Cached<Store> + Send + use<>> {
        let shared = self.0.get()?;
        let Shared { wait_max, store_timeout, early_percent, if_unavailable, .. } = *shared;
        let (cell, store) = (Arc::clone(&shared.cached), shared.store.clone());
        Ok(move |redlock| {
            let make = || {
                let cached = cached::Cached::new(redlock, store).wait_max(wait_max).store_timeout(store_timeout);
                cached.early_refresh(early_percent).if_unavailable(if_unavailable)
            };
            cell.get_or_init(make).clone()
        })
    }
}

/// Something that is used once.
struct Right<T>(Ours<(Once<T>, Vec<String>, Link)>);

impl<T> Right<T> {
    fn new(right: T, addresses: Vec<String>, link: Link) -> Self {
        Self(Ours::new((Once::new(right), addresses, link)))
    }

    fn take(&self) -> PyResult<(T, Vec<String>, Link)> {
        let (right, addresses, link) = self.0.get()?;
        let right = right.take().ok_or_else(|| PyRuntimeError::new_err("this right was used already"))?;
        Ok((right, addresses.clone(), link.clone()))
    }
}

/// The right to compute a value. Dropped, the next one has it.
#[pyclass(frozen, module = "redfence._core")]
pub(crate) struct Computation(Right<cached::Computation<Store>>);

#[pymethods]
impl Computation {
    /// Stores the value; gives back what others have now.
    fn finish(&self, value: Vec<u8>, ttl: f64) -> PyResult<Op> {
        let ttl = seconds("ttl", ttl)?;
        let (computation, addresses, link) = self.0.take()?;
        Ok(Op::new(&link, async move {
            let outcome = computation.finish(value.into(), ttl).await;
            answer(move |py| match outcome {
                Ok(value) => Ok(PyBytes::new(py, &value).into_any().unbind()),
                Err(error) => Err(errors::cached(py, &error, &addresses)),
            })
        }))
    }

    /// Lets the next one compute.
    fn abandon(&self) -> PyResult<Op> {
        let (computation, _, link) = self.0.take()?;
        Ok(Op::new(&link, async move {
            computation.abandon().await;
            answer(|py| Ok(py.None()))
        }))
    }
}

/// The right to compute a value anew.
#[pyclass(frozen, module = "redfence._core")]
pub(crate) struct Refresh(Right<cached::Refresh<Store>>);

#[pymethods]
impl Refresh {
    /// A `Computation`, or None if there is nothing to compute.
    fn begin(&self) -> PyResult<Op> {
        let (refresh, addresses, link) = self.0.take()?;
        Ok(Op::new(&link.clone(), async move {
            let computation = refresh.begin().await;
            answer(move |py| match computation {
                Some(computation) => Computation(Right::new(computation, addresses, link)).into_py_any(py),
                None => Ok(py.None()),
            })
        }))
    }
}
