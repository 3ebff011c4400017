//! [`Redlock`]: the locker of a program that blocks.

use std::fmt;
use std::time::Duration;

use super::background::{Background, BackgroundError, Located};
use super::mutex::Mutex;
use crate::{Builder, ConnectError, Resource, ResourceError};

/// A locker whose calls block. It belongs to the background thread of the process; cloning is cheap.
#[derive(Clone)]
pub struct Redlock(Located);

/// Why a blocking locker could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The configuration contradicts itself, or too few servers could be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The background thread could not be started, or cannot run this call.
    #[error("no background thread: {because}")]
    Background {
        /// Why.
        because: String,
    },
}

impl Redlock {
    /// Connects to servers by their URLs, with the defaults of [`Builder`].
    ///
    /// # Errors
    ///
    /// As [`Redlock::connect_with`].
    #[cfg(feature = "redis")]
    pub fn connect<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Result<Self, OpenError> {
        Self::connect_with(crate::Redlock::builder().urls(urls))
    }

    /// Connects to the servers of `builder`. Blocks for as long as [`Builder::connect`] takes: the dial timeout and 3.1 s
    /// at most.
    ///
    /// # Errors
    ///
    /// [`OpenError::Connect`] as of [`Builder::connect`], [`OpenError::Background`] if the system refuses a thread.
    #[cfg(feature = "redis")]
    pub fn connect_with(builder: Builder) -> Result<Self, OpenError> {
        Self::open(builder.connect())
    }

    /// Builds a locker over the nodes that were added to `builder`: embedded ones, for tests.
    ///
    /// # Errors
    ///
    /// [`OpenError::Connect`] for contradictions, [`OpenError::Background`] if the system refuses a thread.
    pub fn build(builder: Builder) -> Result<Self, OpenError> {
        Self::open(async { Ok(builder.build()?) })
    }

    fn open(
        opened: impl Future<Output = Result<crate::Redlock, ConnectError>> + Send + 'static,
    ) -> Result<Self, OpenError> {
        let because = |error: &dyn fmt::Display| OpenError::Background { because: error.to_string() };
        let background = Background::of_this_process().map_err(|error| because(&error))?;
        let redlock = background.run(opened).map_err(|stopped| because(&stopped))??;
        Ok(Self(Located { redlock, background }))
    }

    /// The lock of `resource`. Asks no node.
    ///
    /// # Errors
    ///
    /// [`ResourceError`] for a name that cannot be used.
    pub fn mutex(&self, resource: impl TryInto<Resource, Error: Into<ResourceError>>) -> Result<Mutex, ResourceError> {
        Ok(Mutex::new(self.0.clone(), resource.try_into().map_err(Into::into)?))
    }

    /// Blocks until the nodes have done all that was sent to them, `within` at most: call it before a program ends, as
    /// [`Redlock::drain`](crate::Redlock::drain). In a fork it returns at once.
    pub fn drain(&self, within: Duration) {
        let redlock = self.0.redlock.clone();
        // Without the thread there is nothing to wait for.
        let _: Result<(), BackgroundError> = self.0.background.run(async move { redlock.drain(within).await });
    }

    /// Blocks until an async call is done, on the thread of the caller: for everything that this module does not have, such as
    /// several resources at once, semaphores and elections. It takes as long as the call.
    ///
    /// ```
    /// # use redfence::{EmbeddedNode, Redlock, blocking};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let redlock = blocking::Redlock::build(Redlock::builder().node(EmbeddedNode::new()))?;
    /// let tasks = redlock.as_async();
    /// let both = redlock.block_on(tasks.acquire_all(["account:2", "account:7"]))??;
    /// both.check()?; // cheap: before each side effect
    /// redlock.block_on(both.release())?;
    ///
    /// let permit = redlock.block_on(tasks.semaphore("reports", 3)?.acquire())??;
    /// drop(permit); // released by the background thread
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`BackgroundError`] in a fork, and on the background thread itself; then the call was not made.
    pub fn block_on<F: Future>(&self, call: F) -> Result<F::Output, BackgroundError> {
        self.0.background.block_on(call)
    }

    /// The async locker, for [`Redlock::block_on`], and for any runtime: its background tasks run on the background thread.
    #[must_use]
    pub const fn as_async(&self) -> &crate::Redlock {
        &self.0.redlock
    }
}

impl fmt::Debug for Redlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Redlock").field(&self.0.redlock).finish()
    }
}
