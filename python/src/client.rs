//! [`Client`]: the nodes of one process, connected at the first call.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use redfence::{Builder, EmbeddedNode, Holder, Redlock};
use tokio::sync::OnceCell;

use crate::errors;
use crate::held;
use crate::lease::{Lease, Owned};
use crate::op::{Answer, Op, answer};
use crate::ours::Ours;
use crate::runtime::{Link, Runtime};
use crate::settings::{self, LockSettings, Sort, seconds, wait_of};
use crate::views;

/// So many sorts of locks are kept. Locks of one sort pass their lease on in memory.
const SORTS_MAX: usize = 256;

/// Nodes in this process, for tests.
#[pyclass(frozen, module = "redfence._core")]
pub(crate) struct EmbeddedNodes(Ours<Vec<EmbeddedNode>>);

#[pymethods]
impl EmbeddedNodes {
    #[new]
    fn new(count: usize) -> Self {
        // A set has 32 at most; the check of the settings says so.
        Self(Ours::new((0..count.min(64)).map(|_| EmbeddedNode::new()).collect()))
    }
}

/// The nodes, connected at the first call.
#[pyclass(frozen, module = "redfence._core")]
pub(crate) struct Client(Ours<(Arc<Shared>, Link)>);

struct Shared {
    builder: Builder,
    /// Embedded nodes need no connection.
    is_embedded: bool,
    base: OnceCell<Redlock>,
    sorts: Mutex<HashMap<LockSettings, Redlock>>,
}

impl Shared {
    /// The locker, connected. What cannot be connected is tried again at the next call.
    async fn base(&self) -> Result<&Redlock, Answer> {
        let connect = || async {
            if self.is_embedded {
                return self.builder.clone().build().map_err(Into::into);
            }
            self.builder.clone().connect().await
        };
        let refused = |error: redfence::ConnectError| answer(move |py| Err(errors::connect(py, &error)));
        self.base.get_or_try_init(connect).await.map_err(refused)
    }

    async fn sort(&self, settings: &LockSettings) -> Result<Redlock, Answer> {
        let base = self.base().await?;
        let mut sorts = self.sorts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sort) = sorts.get(settings) {
            return Ok(sort.clone());
        }
        let made = settings.of(base).map_err(|error| answer(move |py| Err(errors::config(py, &error))))?;
        if sorts.len() >= SORTS_MAX {
            sorts.clear();
        }
        sorts.insert(settings.clone(), made.clone());
        Ok(made)
    }
}

impl Client {
    pub(crate) fn link(&self) -> PyResult<&Link> {
        Ok(&self.0.get()?.1)
    }

    /// A locker with these settings over a node in this process: to judge what is asked for, without a call.
    pub(crate) fn judged(&self, py: Python<'_>, sort: &LockSettings) -> PyResult<Redlock> {
        let judged = self.0.get()?.0.builder.clone().node(EmbeddedNode::new()).build();
        judged.and_then(|redlock| sort.of(&redlock)).map_err(|error| errors::config(py, &error))
    }

    /// A call that needs the connected locker.
    pub(crate) fn op<F, A>(&self, call: F) -> PyResult<Op>
    where
        F: FnOnce(Redlock) -> A + Send + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        self.op_as(LockSettings::default(), call)
    }

    pub(crate) fn op_as<F, A>(&self, sort: LockSettings, call: F) -> PyResult<Op>
    where
        F: FnOnce(Redlock) -> A + Send + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let (shared, link) = self.0.get()?;
        let shared = Arc::clone(shared);
        Ok(Op::new(link, async move {
            match shared.sort(&sort).await {
                Ok(redlock) => call(redlock).await,
                Err(refusal) => refusal,
            }
        }))
    }
}

#[pymethods]
impl Client {
    /// Checks the settings. Connects to nothing yet.
    #[new]
    fn new(
        py: Python<'_>,
        runtime: &Runtime,
        nodes: &Bound<'_, PyAny>,
        settings: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let mut builder = settings::client(Redlock::builder(), settings)?;
        // Settings are judged together, which needs a node.
        let judged = builder.clone().node(EmbeddedNode::new()).build();
        judged.map_err(|error| errors::config(py, &error))?;
        let embedded = nodes.cast::<EmbeddedNodes>();
        let is_embedded = embedded.is_ok();
        if let Ok(embedded) = embedded {
            for node in embedded.get().0.get()? {
                builder = builder.node(node.clone());
            }
        } else {
            builder = builder.urls(nodes.extract::<Vec<String>>()?);
        }
        let shared = Shared { builder, is_embedded, base: OnceCell::new(), sorts: Mutex::default() };
        Ok(Self(Ours::new((Arc::new(shared), runtime.link()?.clone()))))
    }

    fn connect(&self) -> PyResult<Op> {
        self.op(|_| async { answer(|py| Ok(py.None())) })
    }

    /// Acquires, within `wait` seconds.
    fn acquire(&self, name: String, wait: f64, sort: Sort) -> PyResult<Op> {
        let (wait, link) = (wait_of(wait)?, self.link()?.clone());
        self.op_as(LockSettings::of_sort(sort)?, move |redlock| async move {
            let outcome = redlock.acquire_within(name.as_str(), wait).await;
            let addresses = redlock.addresses();
            answer(move |py| match outcome {
                Ok(guard) => Lease::given(py, Owned::Guard(guard), addresses, link),
                Err(error) => Err(errors::acquire(py, &error, &addresses)),
            })
        })
    }

    /// Checks what a lock asks for, without a call.
    fn check(&self, py: Python<'_>, sort: Sort) -> PyResult<()> {
        self.judged(py, &LockSettings::of_sort(sort)?).map(drop)
    }

    /// Asks every node who holds `name`.
    fn inspect(&self, name: String) -> PyResult<Op> {
        self.op(move |redlock| async move {
            let outcome = redlock.admin().inspect(name.as_str()).await;
            answer(move |py| match outcome {
                Ok(inspection) => views::inspection(py, &inspection),
                Err(error) => Err(errors::name(py, &error)),
            })
        })
    }

    /// Takes `name` away from `holder`.
    fn force_release(&self, py: Python<'_>, name: String, holder: &str, reason: String) -> PyResult<Op> {
        let holder: Holder = holder.parse().map_err(|error| errors::name(py, &error))?;
        self.op(move |redlock| async move {
            let outcome = redlock.admin().force_release(name.as_str(), &holder, &reason).await;
            answer(move |py| match outcome {
                Ok(forced) => views::forced(py, &forced),
                Err(error) => Err(errors::name(py, &error)),
            })
        })
    }

    /// Extends what `holder` holds; gives back the validity in seconds.
    fn extend_as(&self, py: Python<'_>, name: &str, holder: &str, ttl: Option<f64>) -> PyResult<Op> {
        let holder: Holder = holder.parse().map_err(|error| errors::name(py, &error))?;
        let resource = redfence::Resource::new(name).map_err(|error| errors::name(py, &error))?;
        let ttl = ttl.map(|ttl| seconds("ttl", ttl)).transpose()?;
        self.op_as(LockSettings { ttl, ..LockSettings::default() }, move |redlock| async move {
            let outcome = redlock.extend_as(resource, &holder).await;
            let addresses = redlock.addresses();
            answer(move |py| match outcome {
                Ok(valid_for) => valid_for.as_secs_f64().into_py_any(py),
                Err(error) => Err(errors::extend(py, &error, &addresses)),
            })
        })
    }

    /// Releases what `holder` holds; gives back what was found, in one word.
    fn release_as(&self, py: Python<'_>, name: String, holder: &str) -> PyResult<Op> {
        let holder: Holder = holder.parse().map_err(|error| errors::name(py, &error))?;
        self.op(move |redlock| async move {
            let outcome = redlock.release_as(name.as_str(), &holder).await;
            answer(move |py| match outcome {
                Ok(outcome) => held::outcome(&outcome).into_py_any(py),
                Err(error) => Err(errors::name(py, &error)),
            })
        })
    }

    /// The locks whose names begin with `prefix`, `limit` at most.
    fn locks(&self, prefix: String, limit: usize) -> PyResult<Op> {
        self.op(move |redlock| async move {
            let listing = redlock.admin().list(&prefix, limit).await;
            answer(move |py| views::listing(py, &listing))
        })
    }

    /// How the nodes stand.
    fn nodes(&self) -> PyResult<Op> {
        self.op(|redlock| async move {
            redlock.look().await;
            let nodes = redlock.nodes();
            answer(move |py| views::nodes(py, &nodes))
        })
    }

    /// Declares the installation new.
    fn bootstrap(&self) -> PyResult<Op> {
        self.op(|redlock| async move {
            let outcome = redlock.admin().bootstrap().await;
            answer(move |py| match outcome {
                Ok(()) => Ok(py.None()),
                Err(error) => Err(errors::operate(py, &error)),
            })
        })
    }

    /// Removes every lock and begins anew.
    fn reset(&self) -> PyResult<Op> {
        self.op(|redlock| async move {
            let outcome = redlock.admin().reset().await;
            answer(move |py| match outcome {
                Ok(reset) => reset.removed.into_py_any(py),
                Err(error) => Err(errors::operate(py, &error)),
            })
        })
    }

    /// Waits until the nodes have done what was sent to them, `within` seconds at most. Connects to nothing.
    fn drain(&self, within: f64) -> PyResult<Op> {
        let (shared, link) = self.0.get()?;
        let (shared, within) = (Arc::clone(shared), Duration::try_from_secs_f64(within).unwrap_or_default());
        Ok(Op::new(link, async move {
            if let Some(redlock) = shared.base.get() {
                redlock.drain(within).await;
            }
            answer(|py| Ok(py.None()))
        }))
    }
}
