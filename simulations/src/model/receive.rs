//! What attempts do with replies, and when no more replies come.

use std::sync::Arc;
use std::time::Duration;

use redfence::protocol::{Acquire, Continuity, ExtendStep, Fault, FaultKind, Reply, Step, Verb, Win};
use redfence::{Moment, NodeId};

use super::Mutant;
use super::attempt::{Attempt, Lease, Phase, counted_as};
use super::kind::RequestKind;
use super::state::State;
use super::violation::Violation;
use super::world::{TICK, World};

impl World {
    /// A reply arrives.
    pub(super) fn receive(&self, state: &mut State, id: usize, node: NodeId, at: usize) -> Option<()> {
        let channel = Arc::make_mut(state.attempts.get_mut(id)?).channels.get_mut(node.index())?;
        let in_flight = (at < channel.replies.len()).then(|| channel.replies.remove(at))?;
        self.take_in(state, id, node, in_flight.kind, in_flight.reply)
    }

    /// The connection is lost: all requests over it fail.
    pub(super) fn lose_connection(&self, state: &mut State, id: usize, node: NodeId) -> Option<()> {
        let attempt = Arc::make_mut(state.attempts.get_mut(id)?);
        let channel = attempt.channels.get_mut(node.index())?;
        channel.replies.clear();
        channel.requests.iter_mut().for_each(|in_flight| in_flight.orphan = true);
        let kind = if matches!(attempt.phase, Phase::Extending(..)) { RequestKind::Extend } else { RequestKind::Grant };
        self.take_in(state, id, node, kind, Reply::Failed(Fault::new(FaultKind::ConnectionLost, "")))
    }

    /// The attempt stops waiting: a timeout, a dropped future, or a holder that is done.
    pub(super) fn leave(&self, state: &mut State, id: usize) -> Option<()> {
        let now = state.moment();
        let attempt = Arc::make_mut(state.attempts.get_mut(id)?);
        match &mut attempt.phase {
            Phase::Acquiring(machine, _) => match machine.timeout(now) {
                Step::Lost(_) => attempt.leave(self),
                _ => state.broken = Some(Violation::Undecided(id)),
            },
            Phase::Extending(lease, machine, _) => match machine.timeout(now) {
                ExtendStep::Lost(_) => attempt.phase = Phase::Holding(*lease),
                _ => state.broken = Some(Violation::Undecided(id)),
            },
            Phase::Holding(_) => attempt.leave(self),
            Phase::Over(_) => return None,
        }
        Arc::make_mut(state.attempts.get_mut(id)?).tidy(self);
        Some(())
    }

    fn take_in(&self, state: &mut State, id: usize, node: NodeId, kind: RequestKind, reply: Reply) -> Option<()> {
        let now = state.moment();
        let attempt = Arc::make_mut(state.attempts.get_mut(id)?);
        if kind == RequestKind::Grant {
            attempt.note_grant(self, node, &reply, now);
        }
        let (mut step, mut untimely, mut extended) = (Step::Wait, None, None);
        let counted = if self.is(Mutant::ReachableQuorum) { counted_as(attempt.reach, node) } else { node };
        match &mut attempt.phase {
            Phase::Acquiring(machine, oracle) => {
                step = machine.reply(counted, reply.clone(), now);
                if self.setup.mutant.is_none() {
                    untimely = oracle.0.judge(node, kind, &reply, &step);
                }
                if self.is(Mutant::NoSeal) {
                    step = pretend_sealed(machine, step, now);
                }
            }
            Phase::Extending(lease, machine, newest) if kind == RequestKind::Extend => {
                match machine.reply(counted, reply, now) {
                    ExtendStep::Wait => {}
                    ExtendStep::Lost(_) => attempt.phase = Phase::Holding(*lease),
                    ExtendStep::Extended { valid_until } => {
                        extended = Some(*newest);
                        lease.valid_until = lease.valid_until.max(valid_until);
                        attempt.phase = Phase::Holding(*lease);
                    }
                }
            }
            _ => {}
        }
        self.obey(state, id, step)?;
        Arc::make_mut(state.attempts.get_mut(id)?).tidy(self);
        if let Some(newest) = extended {
            self.check_extended(state, id, newest);
        }
        if let Some(trace) = untimely {
            state.broken = Some(Violation::Untimely(trace));
        }
        Some(())
    }

    fn obey(&self, state: &mut State, id: usize, step: Step) -> Option<()> {
        let now = state.moment();
        let attempt = Arc::make_mut(state.attempts.get_mut(id)?);
        match step {
            Step::Wait => {}
            Step::Seal(counted, token) => {
                let reach = attempt.reach;
                let is_meant = |node: &NodeId| match self.is(Mutant::ReachableQuorum) {
                    true => counted.contains(counted_as(reach, *node)),
                    false => counted.contains(*node),
                };
                attempt.send(reach.iter().filter(is_meant).collect(), 0, &Verb::Seal { token: token.get() });
            }
            Step::Lost(_) => attempt.leave(self),
            Step::Won(win) => {
                let lease = self.lease(attempt, &win, now);
                attempt.phase = Phase::Holding(lease);
                self.check_won(state, id, &lease);
            }
        }
        Some(())
    }

    fn lease(&self, attempt: &Attempt, win: &Win, now: Moment) -> Lease {
        let mut continuity = Continuity::begin(win, now, self.grace());
        if !self.grace().is_zero() {
            continuity.granted_before(attempt.heard);
        }
        Lease { tokens: win.tokens, continuity, valid_until: win.valid_until, extensions: 0, handed_over: false }
    }

    /// How long late grants above the token count. This is sound only if locks do not vanish.
    fn grace(&self) -> Duration {
        if self.locks_last() && self.setup.restarts == 0 { TICK } else { Duration::ZERO }
    }
}

impl Attempt {
    /// Records every reply to a grant, in any phase of the attempt.
    fn note_grant(&mut self, world: &World, node: NodeId, reply: &Reply, now: Moment) {
        if world.setup.releases {
            self.footprint.on_grant(node, reply);
        }
        match self.phase.lease_mut() {
            Some(lease) => lease.continuity.late_grant(node, reply, || now),
            None if matches!(reply, Reply::Granted { .. }) && !world.grace().is_zero() => self.heard.insert(node),
            None => {}
        }
    }
}

/// Under a mutant: nodes that should be sealed count as sealed.
fn pretend_sealed(machine: &mut Acquire, step: Step, now: Moment) -> Step {
    let Step::Seal(nodes, _) = step else { return step };
    nodes.iter().fold(Step::Wait, |step, node| match machine.reply(node, Reply::Sealed, now) {
        Step::Wait => step,
        end => end,
    })
}
