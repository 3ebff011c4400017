//! [`drive`]: the only loop that feeds replies to a machine until it has an outcome.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::exchange::Exchange;
use crate::protocol::{
    Acquire, Defeat, Extend, ExtendDefeat, ExtendStep, Release, ReleaseOutcome, Reply, Step, Verb, Win,
};
use crate::{Moment, NodeId, NodeSet};

/// A machine of the protocol. It takes replies and the time, and returns what to do.
pub(crate) trait Machine {
    /// What it comes to.
    type Outcome;

    /// How many more replies must come before it can have an outcome.
    fn replies_missing(&self) -> usize;

    /// A node has replied.
    fn reply(&mut self, node: NodeId, reply: Reply, now: Moment) -> Progress<Self::Outcome>;

    /// The wait for the nodes that have not replied is over.
    fn timeout(&mut self, now: Moment) -> Progress<Self::Outcome>;
}

/// What a machine returns after an input.
pub(crate) enum Progress<T> {
    /// More replies are needed.
    Wait,
    /// Begin a further round: send this verb to these nodes.
    Send(NodeSet, Verb),
    /// The machine has its outcome.
    Done(T),
}

/// Feeds the replies of `exchange` to `machine`. Each round ends after `round_max` at the latest.
///
/// # Cancel safety
///
/// No reply is lost.
pub(crate) async fn drive<M: Machine>(exchange: &Arc<Exchange>, machine: &mut M, round_max: Duration) -> M::Outcome {
    let mut round = pin!(sleep(round_max));
    loop {
        let (replies, in_time) = tokio::select! {
            biased;
            replies = exchange.next(machine.replies_missing()) => (replies, true),
            () = &mut round => {
                catch_up().await;
                (exchange.take(), false)
            }
        };
        // Read after the last reply came in: the validity that is left is counted from here.
        let now = exchange.env().clock.now();
        let mut is_next_round = false;
        for (node, reply) in replies {
            tracing::trace!(%node, ?reply, "vote");
            match machine.reply(node, reply, now) {
                Progress::Wait => {}
                Progress::Send(nodes, verb) => {
                    exchange.send(nodes, &verb);
                    round.set(sleep(round_max));
                    is_next_round = true;
                }
                Progress::Done(outcome) => return outcome,
            }
        }
        if !in_time
            && !is_next_round
            && let Progress::Done(outcome) = machine.timeout(now)
        {
            return outcome;
        }
    }
}

/// Lets waiting replies arrive. After a pause of the process, timers and replies are ready at the same time, and the
/// replies must be read first.
async fn catch_up() {
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
}

impl Machine for Acquire {
    type Outcome = Result<Win, Defeat>;

    fn replies_missing(&self) -> usize {
        self.replies_missing()
    }

    fn reply(&mut self, node: NodeId, reply: Reply, now: Moment) -> Progress<Self::Outcome> {
        self.reply(node, reply, now).into()
    }

    fn timeout(&mut self, now: Moment) -> Progress<Self::Outcome> {
        self.timeout(now).into()
    }
}

impl From<Step> for Progress<Result<Win, Defeat>> {
    fn from(step: Step) -> Self {
        match step {
            Step::Wait => Self::Wait,
            Step::Seal(nodes, token) => {
                tracing::debug!(%nodes, ?token, "counters disagree, sealing");
                Self::Send(nodes, Verb::Seal { token: token.get() })
            }
            Step::Won(win) => Self::Done(Ok(win)),
            Step::Lost(defeat) => Self::Done(Err(defeat)),
        }
    }
}

impl Machine for Extend {
    type Outcome = Result<Moment, ExtendDefeat>;

    fn replies_missing(&self) -> usize {
        self.replies_missing()
    }

    fn reply(&mut self, node: NodeId, reply: Reply, now: Moment) -> Progress<Self::Outcome> {
        self.reply(node, reply, now).into()
    }

    fn timeout(&mut self, now: Moment) -> Progress<Self::Outcome> {
        self.timeout(now).into()
    }
}

impl From<ExtendStep> for Progress<Result<Moment, ExtendDefeat>> {
    fn from(step: ExtendStep) -> Self {
        match step {
            ExtendStep::Wait => Self::Wait,
            ExtendStep::Extended { valid_until } => Self::Done(Ok(valid_until)),
            ExtendStep::Lost(defeat) => Self::Done(Err(defeat)),
        }
    }
}

impl Machine for Release {
    type Outcome = ReleaseOutcome;

    fn replies_missing(&self) -> usize {
        self.replies_missing()
    }

    fn reply(&mut self, node: NodeId, reply: Reply, _: Moment) -> Progress<ReleaseOutcome> {
        self.reply(node, reply).map_or(Progress::Wait, Progress::Done)
    }

    fn timeout(&mut self, _: Moment) -> Progress<ReleaseOutcome> {
        Progress::Done(self.timeout())
    }
}
