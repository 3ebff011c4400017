//! [`Admin`]: the calls of a locker for operators.

use crate::redlock::handle::Redlock;

/// The calls of a locker for operators: who holds which lock, and what to do after a disaster.
///
/// ```
/// # use redfence::{EmbeddedNode, Redlock};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let redlock = Redlock::builder().node(EmbeddedNode::new()).build()?;
/// let guard = redlock.acquire("invoice:42").await?;
/// let listing = redlock.admin().list("invoice:", 100).await;
/// assert_eq!(listing.locks.len(), 1);
/// # drop(guard); Ok(()) }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Admin<'a>(pub(super) &'a Redlock);

impl Redlock {
    /// The calls for operators.
    #[must_use]
    pub const fn admin(&self) -> Admin<'_> {
        Admin(self)
    }
}
