//! [`Runtime`]: the background threads of one process.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle};
use tokio::sync::RwLock;
use tokio::time::timeout;

use crate::ours::Ours;

/// What is to be done with the interpreter, on a thread that is not Python's.
pub(crate) type Delivery = Box<dyn FnOnce(Python<'_>) + Send>;

/// So many deliveries are made before other threads have the interpreter again.
const BATCH: usize = 64;

/// One tokio runtime, and the one thread that calls Python for it: no thread of the runtime ever waits for the interpreter.
#[pyclass(frozen, module = "redfence._core")]
pub(crate) struct Runtime(Ours<Home>);

struct Home {
    link: Link,
}

/// What calls need of the runtime.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) handle: Handle,
    deliveries: Sender<Delivery>,
    /// Whether Python may still be called. Read while it is called, written once, when the interpreter ends.
    gate: Arc<RwLock<bool>>,
}

impl Runtime {
    pub(crate) fn link(&self) -> PyResult<&Link> {
        Ok(&self.0.get()?.link)
    }
}

#[pymethods]
impl Runtime {
    /// Starts the threads.
    #[new]
    fn new() -> PyResult<Self> {
        let tokio = Builder::new_multi_thread().worker_threads(1).thread_name("redfence").enable_all().build()?;
        let (deliveries, received) = channel();
        let gate = Arc::new(RwLock::new(true));
        let of_thread = Arc::clone(&gate);
        std::thread::Builder::new().name("redfence-python".into()).spawn(move || deliver(&received, &of_thread))?;
        // It ends with the process: when the interpreter drops its modules, daemon threads may still wait on it.
        let handle = Box::leak(Box::new(tokio)).handle().clone();
        Ok(Self(Ours::new(Home { link: Link { handle, deliveries, gate } })))
    }

    /// Calls Python no more. Waits `within` seconds at most for calls that are being made.
    fn close(&self, py: Python<'_>, within: f64) -> PyResult<()> {
        let link = self.link()?;
        let within = Duration::try_from_secs_f64(within).unwrap_or_default();
        py.detach(|| {
            link.handle.block_on(async {
                if let Ok(mut gate) = timeout(within, link.gate.write()).await {
                    *gate = false;
                }
            });
        });
        Ok(())
    }
}

impl Link {
    /// Has `delivery` made soon, in the order of these calls. It must be short.
    pub(crate) fn deliver(&self, delivery: Delivery) {
        // It fails when the thread has ended, and that is when there is nobody to call.
        let _ = self.deliveries.send(delivery);
    }

    /// Makes `delivery` on this thread, which may take its time.
    pub(crate) fn call(&self, delivery: Delivery) {
        let gate = self.gate.blocking_read();
        if *gate {
            Python::try_attach(delivery);
        }
    }
}

fn deliver(received: &Receiver<Delivery>, gate: &RwLock<bool>) {
    while let Ok(first) = received.recv() {
        let gate = gate.blocking_read();
        if *gate {
            Python::try_attach(|py| {
                first(py);
                received.try_iter().take(BATCH).for_each(|next| next(py));
            });
        }
    }
}
