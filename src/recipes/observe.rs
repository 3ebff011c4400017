//! Observing an election: the leader now, and the leaders from now on.

use std::time::Duration;

use futures::Stream;
use futures::stream::unfold;

use super::election::Election;
use super::leader::Leader;
use super::owner::OwnerError;
use crate::Redlock;

/// The shortest pause between two looks.
const PERIOD_MIN: Duration = Duration::from_millis(10);

impl Election {
    /// The leader that a quorum names; `None` if there is none, or if the leader has no notice yet.
    ///
    /// # Errors
    ///
    /// As [`Redlock::owner`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn leader(&self) -> Result<Option<Leader>, OwnerError> {
        let owner = self.redlock.owner(&self.notice).await?;
        Ok(owner.and_then(|owner| Leader::of_notice(owner.label())))
    }

    /// The leaders from now on, the present one first: each leader once, with growing terms. The stream may miss a leader
    /// whose leadership is shorter than one and a half periods.
    ///
    /// It asks the nodes about once in each `period` of at least 10 ms: after half a period to one and a half, so that
    /// observers do not all ask at the same time. It asks only while it is polled, and stores only the last term. It yields
    /// nothing while no quorum answers. The stream has no end: drop it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use redfence::{EmbeddedNode, Redlock};
    /// use futures::StreamExt as _;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let redlock = Redlock::builder().node(EmbeddedNode::new()).build()?;
    /// let election = redlock.election("scheduler")?;
    /// let leadership = election.campaign().await?;
    /// let mut leaders = std::pin::pin!(election.observe(Duration::from_secs(1)));
    /// let leader = leaders.next().await.expect("the stream has no end");
    /// println!("{} leads since term {}", leader.label, leader.term);
    /// # assert_eq!(leader.term, leadership.term()); drop(leadership.resign().await); Ok(()) }
    /// ```
    pub fn observe(&self, period: Duration) -> impl Stream<Item = Leader> + Send + use<> {
        let period = period.max(PERIOD_MIN);
        unfold((self.clone(), None), move |(election, mut last)| async move {
            let mut is_first = last.is_none();
            loop {
                if !std::mem::take(&mut is_first) {
                    tokio::time::sleep(pause(&election.redlock, period)).await;
                }
                let Ok(Some(leader)) = election.leader().await else { continue };
                if last.is_none_or(|last| leader.term > last) {
                    last = Some(leader.term);
                    return Some((leader, (election, last)));
                }
            }
        })
    }
}

/// Between half a period and one and a half.
fn pause(redlock: &Redlock, period: Duration) -> Duration {
    let part = |chance: u32| period.saturating_mul(chance >> 16) / (1 << 16);
    (period / 2).saturating_add(part(redlock.chance()))
}
