//! [`Admin`]: what operators ask of a locker.

use crate::redlock::handle::Redlock;

/// What operators ask of a locker: who holds what, and what to do after a disaster.
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
    /// What operators ask.
    #[must_use]
    pub const fn admin(&self) -> Admin<'_> {
        Admin(self)
    }
}
