//! [`Courier`]: the task that keeps one connection: it dials, reads, and watches that the server replies.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::connection::Connection;
use super::connector::Connector;
use super::link::Link;
use super::script::Marker;
use super::send_queue::SendQueue;
use crate::protocol::{Backoff, Fault, FaultKind};

/// Keeps one connection.
pub(super) struct Courier {
    pub(super) name: String,
    pub(super) connector: Connector,
    pub(super) send_queue: Arc<SendQueue>,
    pub(super) link: watch::Sender<Link>,
    /// The number of the present connection.
    pub(super) session: watch::Sender<u64>,
}

/// The first and the longest pause between failed dials.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// The same after a connection that was useful but did not last for the longest of `PAUSES`: something between here
/// and the server keeps ending connections. Requests wait meanwhile.
const BRIEF_PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(50));
/// How many times within the response time-out the courier checks whether anything has come in.
const GLANCES: u32 = 4;

/// This also runs when the runtime ends, so no caller waits for a reply that cannot come.
impl Drop for Courier {
    fn drop(&mut self) {
        self.send_queue.end();
    }
}

impl Courier {
    /// Dials and serves until the node is dropped and all requests are answered.
    pub(super) async fn run(self) {
        let entropy = Arc::clone(&self.connector.options.entropy);
        let pauses = || Backoff::new(PAUSES.0, PAUSES.1, || entropy.u32());
        let mut pause = pauses();
        let briefly = || Backoff::new(BRIEF_PAUSES.0, BRIEF_PAUSES.1, || entropy.u32());
        let mut brief_pause = briefly();
        let marker = Arc::new(Marker::new(&self.name, &self.connector.options.prefix, self.connector.login.db()));
        while !self.send_queue.is_done() {
            match self.connector.connect().await {
                Ok((main, pushes)) => {
                    tracing::debug!(node = self.name, ?pushes, "connected");
                    self.session.send_modify(|session| *session += 1);
                    let session = *self.session.borrow();
                    let connection = Connection::new(
                        (main, pushes),
                        self.connector.options.prefix.clone(),
                        Arc::clone(&marker),
                        session,
                    );
                    self.send_queue.open(connection);
                    self.link.send_replace(Link::Up);
                    let mut served = pin!(self.serve());
                    let (fault, was_brief) = match timeout(PAUSES.1, served.as_mut()).await {
                        Ok(fault) => (fault, true),
                        Err(_) => (served.await, false),
                    };
                    let Some(fault) = fault else { return };
                    if fault.kind == FaultKind::TimedOut || fault.kind == FaultKind::Unexpected {
                        tracing::warn!(node = self.name, %fault, "connection dropped");
                    } else {
                        tracing::debug!(node = self.name, %fault, "connection lost");
                    }
                    let was_of_use = self.send_queue.dial(&fault);
                    if was_of_use {
                        self.link.send_replace(Link::Dialing);
                        pause = pauses();
                        if was_brief {
                            sleep(brief_pause.next().unwrap_or(BRIEF_PAUSES.1)).await;
                        } else {
                            brief_pause = briefly();
                        }
                    } else {
                        // A successful login proves nothing: without a pause, the dials would become a storm. Callers
                        // may have missed that the connection was up, so a wait for the outcome of a dial ends here.
                        self.link.send_replace(Link::Down(fault));
                        sleep(pause.next().unwrap_or(PAUSES.1)).await;
                    }
                }
                Err(fault) => {
                    self.send_queue.give_up(&fault);
                    if self.link.send_replace(Link::Down(fault.clone())) == Link::Dialing {
                        // Warn once for each outage, not once for each dial.
                        tracing::warn!(node = self.name, %fault, "cannot connect; trying again in the background");
                    }
                    sleep(pause.next().unwrap_or(PAUSES.1)).await;
                }
            }
        }
    }

    /// Serves until the connection fails, and returns the fault; `None` if the node is no longer needed.
    async fn serve(&self) -> Option<Fault> {
        tokio::select! {
            biased;
            end = poll_fn(|context| self.send_queue.poll(context)) => end,
            fault = self.watch() => Some(fault),
        }
    }

    /// Returns if nothing has come in for the response time-out although something is unanswered. Only silence
    /// counts: an overloaded server replies late, and dropping its connection would add to its load.
    async fn watch(&self) -> Fault {
        let limit = self.connector.options.response_timeout;
        let mut on_the_way = (None, 0);
        loop {
            sleep(limit / GLANCES).await;
            let progress = self.send_queue.progress_on_the_way();
            let stands = progress.is_some() && progress == on_the_way.0;
            on_the_way = if stands { (progress, on_the_way.1 + 1) } else { (progress, 0) };
            if on_the_way.1 >= GLANCES {
                return Fault::new(FaultKind::TimedOut, format!("no answer within {limit:?}"));
            }
        }
    }
}
