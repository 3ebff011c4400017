//! [`ReadGate`]: serves a value that was read under a lease, as long as the lease is valid.

use redfence::{LeaseHandle, Lost};

use crate::Presented;

/// A value that was read under a lease and is served only while the lease is valid.
///
/// Fencing stops old *writes*. An old holder that answers reads from its memory writes nothing, so no token stops it;
/// only its own clock can. A value from a gate was the latest one at some moment between the call and its return, if
/// 1. all writers of the resource hold the lock and present its token,
/// 2. the token was **admitted at the resource before the value was read**, in one step or in this order. Otherwise a
///    write of the previous holder that is still on its way may arrive after the read,
/// 3. each write of this holder is put into the gate ([`get_mut`](Self::get_mut)) before any client gets its
///    confirmation. Drop the gate if the outcome of a write is unknown,
/// 4. the clocks of this machine and of the nodes keep to the drift allowance of the lease. Unlike fencing, this is about time.
///
/// So call [`get`](Self::get) for each request, after the request has come in. A pause between `get` and the answer
/// does no harm: the value was the latest at some moment after the request came in.
///
/// ```
/// use redfence::verifier::{MemoryStore, Rule};
/// use redfence::{EmbeddedNode, Redlock};
/// use redfence_http::ReadGate;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let redlock = Redlock::builder().node(EmbeddedNode::new()).build()?;
/// let (store, balance) = (MemoryStore::new(), 100);
///
/// let guard = redlock.acquire("account:7").await?;
/// let gate = ReadGate::claim(&guard, |claim| async move {
///     store.write(&claim.resource, claim.token, Rule::AcceptEqual, || balance)
/// })
/// .await?;
/// assert_eq!(gate.get()?, &100);
///
/// drop(guard.release().await);
/// assert!(gate.get().is_err());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ReadGate<T> {
    lease: LeaseHandle,
    value: T,
}

impl<T> ReadGate<T> {
    /// Claims and reads: `read` gets the token of the lease, has the resource admit it, and reads.
    ///
    /// # Errors
    /// The errors of `read`.
    ///
    /// # Cancel safety
    /// The same as the future of `read`.
    pub async fn claim<E, F>(lease: &LeaseHandle, read: impl FnOnce(Presented) -> F) -> Result<Self, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let value = read(Presented::new(lease.resource().clone(), lease.token())).await?;
        Ok(Self { lease: lease.clone(), value })
    }

    /// The value, if the lease is valid now.
    ///
    /// # Errors
    ///
    /// [`Lost`] once the lease is over: from then on another holder may have written.
    pub fn get(&self) -> Result<&T, Lost> {
        self.lease.check()?;
        Ok(&self.value)
    }

    /// The value, to replace it with what this holder has written.
    ///
    /// # Errors
    ///
    /// [`Lost`] once the lease is over.
    pub fn get_mut(&mut self) -> Result<&mut T, Lost> {
        self.lease.check()?;
        Ok(&mut self.value)
    }
}
