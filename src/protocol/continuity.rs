//! [`Continuity`]: which nodes can prove that a lease never lapsed.

use std::time::Duration;

use super::{Reply, Win};
use crate::{FencingToken, Moment, NodeId, NodeSet};

/// The nodes whose locks count when a lease is extended.
///
/// A node that granted and drew no number above the token counts permanently: every earlier holder on that node drew
/// a smaller number. A late grant with a greater number is different: another holder may have had the resource before
/// it. Such a grant counts only within a short time after the lease was won. No other holder's whole lease fits into
/// that time unless locks vanish. Without it, counters that are not level would leave a lease with a bare
/// quorum, and the next node failure would end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Continuity {
    token: FencingToken,
    voters: NodeSet,
    late_until: Moment,
}

impl Continuity {
    /// The lease was won at `now`. Late grants count for `late_max`, whatever number they drew.
    #[must_use]
    pub fn begin(win: &Win, now: Moment, late_max: Duration) -> Self {
        Self { token: win.tokens.last, voters: win.voters, late_until: now.after(late_max) }
    }

    /// Counts nodes whose grants arrived before the lease was won, whatever number they drew: they are not late.
    pub fn granted_before(&mut self, granted: NodeSet) {
        granted.iter().for_each(|node| self.voters.insert(node));
    }

    /// Takes a reply to a grant that arrives at `now`, after the lease was won. Most replies do not need the time.
    pub fn late_grant(&mut self, node: NodeId, reply: &Reply, now: impl FnOnce() -> Moment) {
        if let Reply::Granted { counter } = reply
            && (*counter <= self.token.get() || now() < self.late_until)
        {
            self.voters.insert(node);
        }
    }

    /// The nodes whose locks count.
    #[must_use]
    pub const fn voters(&self) -> NodeSet {
        self.voters
    }
}

#[cfg(test)]
mod tests {
    use super::super::TokenBlock;
    use super::*;

    #[test]
    fn a_late_grant_above_the_token_counts_only_for_a_short_time() {
        let at = |ms| Moment::from_origin(Duration::from_millis(ms));
        let tokens = TokenBlock::up_to(FencingToken::new(7).unwrap(), 1);
        let win = Win { tokens, valid_until: at(900), voters: NodeSet::first(3), sealed_apart: false };
        for (counter, arrives_ms, counts) in
            [(7, 300, true), (6, 900, true), (8, 120, true), (8, 200, false), (8, 300, false)]
        {
            let mut continuity = Continuity::begin(&win, at(100), Duration::from_millis(100));
            continuity.late_grant(NodeId::new(3).unwrap(), &Reply::Granted { counter }, || at(arrives_ms));
            assert_eq!(continuity.voters().len(), 3 + usize::from(counts), "{counter} at {arrives_ms}");
        }
    }
}
