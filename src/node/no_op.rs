//! [`NoOpNode`]: a node that grants every lock, and keeps none.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::{EmbeddedNode, Node, Responder, WakeListener};
use crate::protocol::{COUNTER_MIN, Reply, Request, Verb};
use crate::{Clock, LockerId, NodeId, WallTime};

/// A node that grants every lock, also one that another holder has. A locker over it keeps no other holder out.
pub(crate) struct NoOpNode {
    clock: Arc<dyn Clock>,
    /// Answers everything else. No lock is ever set there.
    empty: EmbeddedNode,
}

impl NoOpNode {
    pub(crate) fn on(clock: Arc<dyn Clock>) -> Self {
        Self { empty: EmbeddedNode::on(Arc::clone(&clock)), clock }
    }
}

impl Node for NoOpNode {
    fn send(&self, request: Request, responder: Responder) {
        responder.reply(match request.verb {
            Verb::Grant { block, floor, .. } => Reply::Granted { counter: draw(block, floor, self.clock.wall()) },
            Verb::Seal { .. } => Reply::Sealed,
            Verb::Extend { .. } => Reply::Extended,
            Verb::Release { .. } | Verb::Force => Reply::Released,
            Verb::Leave
            | Verb::Inspect
            | Verb::Scan { .. }
            | Verb::Probe { .. }
            | Verb::Initialize(_)
            | Verb::Activate { .. } => self.empty.apply(&request),
        });
    }

    fn listen(&self, _: NodeId, _: LockerId, _: Weak<dyn WakeListener>) {}

    fn admit(&self, _: u64) {}

    fn address(&self) -> String {
        "no-op: keeps no other holder out".to_owned()
    }
}

/// The last of `block` new numbers. In a process each is greater than all before. They start at the wall clock in
/// milliseconds, so a later process usually draws greater ones too. All are below every number of a real counter, which
/// starts at microseconds. So a store that has seen the token of a real lease refuses these. A floor that comes from real
/// counters, as those of `empty`, is left out: it would end the growth.
fn draw(block: u32, floor: u64, wall: WallTime) -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let floor = if floor < COUNTER_MIN { floor } else { 0 };
    let next = |last: u64| last.max(wall.unix_ms()).saturating_add(u64::from(block)).max(floor).min(COUNTER_MIN - 1);
    let last = LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(next(last)));
    next(last.unwrap_or_else(|last| last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_grow_and_stay_below_those_of_real_counters() {
        let now = WallTime::from_unix_ms(1_767_225_600_000);
        let (first, block, third) = (draw(1, 0, now), draw(5, 0, now), draw(1, 0, now));
        assert!(first > 1_767_225_600_000 && block >= first + 5 && third > block, "{first} {block} {third}");
        let floored = draw(1, third + 100, now);
        assert!(floored >= third + 100 && floored < COUNTER_MIN);
        let after = draw(1, COUNTER_MIN + 1, now);
        assert!(after > floored && after < COUNTER_MIN - 1, "a floor of real counters is left out");
    }
}
