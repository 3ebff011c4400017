//! [`LateReplies`]: which nodes reply, but too late: they are overloaded, not unreachable.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Moment, NodeId};

/// For each node, when its last late reply came, and how long that reply took.
pub(crate) struct LateReplies([AtomicU64; NodeId::COUNT_MAX]);

/// The lower bits are how long the reply took, the upper bits when it came. Both are in milliseconds.
const TOOK_BITS: u32 = 20;
const TOOK_MAX: u64 = (1 << TOOK_BITS) - 1;

impl LateReplies {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// A reply of `node` to a request that was sent at `sent` came at `now`.
    pub(crate) fn note(&self, node: NodeId, sent: Moment, now: Moment) {
        let took = ms(now.since(sent)).clamp(1, TOOK_MAX);
        if let Some(place) = self.0.get(node.index()) {
            place.store(ms(now.since_origin()) << TOOK_BITS | took, Ordering::Relaxed);
        }
    }

    /// How long the last late reply of `node` took, if it came after `since`.
    pub(crate) fn took(&self, node: NodeId, since: Moment) -> Option<Duration> {
        let noted = self.0.get(node.index())?.load(Ordering::Relaxed);
        let came = noted >> TOOK_BITS;
        (noted > 0 && came >= ms(since.since_origin())).then(|| Duration::from_millis(noted & TOOK_MAX))
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_late_reply_counts_for_attempts_that_began_before_it_came() {
        let at = |ms| Moment::from_origin(Duration::from_millis(ms));
        let (late, node) = (LateReplies::new(), NodeId::new(2).unwrap());
        assert_eq!(late.took(node, at(0)), None);
        late.note(node, at(5_000), at(5_400));
        assert_eq!(late.took(node, at(4_000)), Some(Duration::from_millis(400)));
        assert_eq!(late.took(node, at(5_401)), None);
        assert_eq!(late.took(NodeId::new(1).unwrap(), at(0)), None);
    }
}
