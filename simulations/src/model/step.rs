//! What an [`Action`] does to a [`State`].

use std::sync::Arc;
use std::time::Duration;

use redfence::node::NodeState;
use redfence::protocol::{
    Acquire, Extend, Footprint, JoinDecision, JoinFacts, NodeReport, Quorum, Reason, Record, RecordUpdate, Reply,
    Request, Verb, decide, rest,
};
use redfence::{NodeId, NodeSet, WallTime};

use super::attempt::{Attempt, Channel, Phase};
use super::derived::Derived;
use super::kind::RequestKind;
use super::oracle::Oracle;
use super::state::{Server, State, run};
use super::world::{TERMS, World};
use super::{Action, Mutant, Setup};

impl World {
    /// The state after `action`; `None` if it changes nothing.
    #[must_use]
    pub fn step(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        match action {
            Action::Begin { reach, floor } => self.begin(&mut state, reach, floor)?,
            Action::Arrive { attempt, node, at, vanished } => {
                if vanished {
                    Arc::make_mut(state.servers.get_mut(node.index())?).node.drop_lock(&self.resource);
                }
                drop(self.arrive(&mut state, attempt, node, at)?);
                if self.setup.prompt && self.has_replies(&state, attempt, node) {
                    self.receive(&mut state, attempt, node, 0)?;
                }
            }
            Action::Receive { attempt, node, at } => self.receive(&mut state, attempt, node, at)?,
            Action::LoseConnection { attempt, node } => self.lose_connection(&mut state, attempt, node)?,
            Action::Extend { attempt } => self.extend(&mut state, attempt)?,
            Action::HandOver { attempt } => self.hand_over(&mut state, attempt)?,
            Action::Leave { attempt } => self.leave(&mut state, attempt)?,
            Action::Restart { node, remembers } => self.restart(&mut state, node, remembers)?,
            Action::Join { node } => self.join(&mut state, node)?,
            Action::Foreign(action) => self.step_of_foreign(&mut state, action)?,
            Action::Tick => self.tick(&mut state),
        }
        Some(state)
    }

    fn has_replies(&self, state: &State, id: usize, node: NodeId) -> bool {
        let channel = state.attempts.get(id).and_then(|attempt| attempt.channels.get(node.index()));
        channel.is_some_and(|channel| !channel.replies.is_empty())
    }

    fn begin(&self, state: &mut State, reach: NodeSet, floor: u64) -> Option<()> {
        let quorum = if self.is(Mutant::ReachableQuorum) { Quorum::of(reach.len())? } else { self.quorum };
        let machine = Acquire::new(quorum, TERMS, state.moment()).for_block(self.setup.block);
        let mut attempt = Attempt {
            earlier: state.leases().fold(0, |bits, (id, _)| bits | 1 << id),
            reach,
            channels: vec![Channel::default(); self.setup.nodes],
            footprint: Footprint::asked(reach),
            heard: NodeSet::EMPTY,
            phase: Phase::Acquiring(Box::new(machine), Derived(Oracle::new(quorum))),
        };
        attempt.send(reach, 0, &Verb::Grant { ttl: TERMS.ttl, floor, block: self.setup.block, waits: None });
        state.attempts.push(Arc::new(attempt));
        Some(())
    }

    /// A request takes effect. Returns the node's reply, even if it will not be received.
    pub(super) fn arrive(&self, state: &mut State, id: usize, node: NodeId, at: usize) -> Option<Reply> {
        let wall = state.wall();
        let attempt = Arc::make_mut(state.attempts.get_mut(id)?);
        let channel = attempt.channels.get_mut(node.index())?;
        let in_flight = channel.requests.get(at)?.clone();
        // The grants of every second attempt are repeated: enough to break T1, and few enough to search.
        let is_first_of_two = self.is(Mutant::GrantTwice)
            && id.is_multiple_of(2)
            && in_flight.kind() == RequestKind::Grant
            && !channel.repeated;
        let is_repeated = channel.repeated && in_flight.kind() == RequestKind::Grant;
        if is_first_of_two {
            channel.repeated = true;
        } else {
            channel.requests.remove(at);
        }
        let request = Request { subject: Arc::clone(self.subjects.get(id)?), verb: in_flight.verb.clone() };
        let server = Arc::make_mut(state.servers.get_mut(node.index())?);
        let reply = Mutant::apply(self.setup.mutant, &mut server.node, wall, &request);
        server.occupant.0 = self.occupant(server, wall);
        if !is_repeated {
            channel.in_flight(in_flight, reply.clone());
        }
        attempt.tidy(self);
        Some(reply)
    }

    fn extend(&self, state: &mut State, id: usize) -> Option<()> {
        let (now, newest) = (state.moment(), state.greatest_token());
        let attempt = Arc::make_mut(state.attempts.get_mut(id)?);
        let Phase::Holding(lease) = &mut attempt.phase else { return None };
        lease.extensions += 1;
        let (lease, voters) = (*lease, lease.continuity.voters());
        let quorum = if self.is(Mutant::ExtendWithoutAnchor) { Quorum::of(self.setup.nodes)? } else { self.quorum };
        let machine = Extend::new(quorum, TERMS, now, voters);
        attempt.phase = Phase::Extending(lease, Box::new(machine), newest);
        attempt.send(NodeSet::first(self.setup.nodes), lease.extensions, &Verb::Extend { ttl: TERMS.ttl });
        attempt.tidy(self);
        Some(())
    }

    /// The next section begins, with the next token. Its task began to wait before the attempt. The latest possible
    /// moment is the strictest, so the attempt's own beginning is used.
    fn hand_over(&self, state: &mut State, id: usize) -> Option<()> {
        let attempt = Arc::make_mut(state.attempts.get_mut(id)?);
        match &mut attempt.phase {
            Phase::Holding(lease) => lease.handed_over = true,
            Phase::Over(_) if self.is(Mutant::HandOverAfterLoss) => {}
            _ => return None,
        }
        self.check_handed_over(state, id);
        // A lease that is over and breaks nothing would be handed over again and again.
        (!matches!(state.attempts.get(id)?.phase, Phase::Over(_)) || state.broken.is_some()).then_some(())
    }

    fn restart(&self, state: &mut State, node: NodeId, remembers: bool) -> Option<()> {
        let wall = state.wall();
        let counter = self.counter(state.servers.get(node.index())?);
        let server = Arc::make_mut(state.servers.get_mut(node.index())?);
        server.runs += 1;
        state.restarts += 1;
        server.issued = server.issued.max(counter);
        let run_id = run(server.runs);
        if self.is(Mutant::ForgottenCounterVotes) {
            // Counters start again at the lowest number, not at the clock.
            server.node = NodeState::bootstrapped(run_id, WallTime::from_unix_us(redfence::protocol::COUNTER_MIN));
        } else {
            server.node.restart(run_id, wall, remembers);
        }
        server.occupant.0 = self.occupant(server, wall);
        if self.locks_last() && !self.setup.joins_late {
            self.join(state, node)?;
        }
        Some(())
    }

    /// Probe, decide, and initialize or activate, by a locker that has never seen these nodes before.
    fn join(&self, state: &mut State, node: NodeId) -> Option<()> {
        let subject = self.subjects.first()?;
        let ask = |server: &mut Server, now, verb| {
            let reply = server.node.apply(now, &Request { subject: Arc::clone(subject), verb });
            if let Reply::Reported(report) = reply { Some(*report) } else { None }
        };
        let wall = state.wall();
        let mut others = state.servers.iter().zip(self.ids()).filter(|(_, id)| *id != node);
        let look = || Verb::Probe { max_ttl: TERMS.ttl };
        let known_elsewhere = others.any(|(other, _)| {
            ask(&mut Server::clone(other), wall, look()).is_some_and(|report: NodeReport| report.record.is_some())
        });
        let server = Arc::make_mut(state.servers.get_mut(node.index())?);
        // Its clock is not behind the numbers that it issued. If time does not pass, it is not ahead either.
        let now = wall.max(WallTime::from_unix_us(server.issued));
        let report = ask(server, now, look())?;
        let seen: Option<Record> = report.record;
        let verb = match decide(&report, &self.facts(known_elsewhere, now)) {
            JoinDecision::Ready | JoinDecision::Resting(_) | JoinDecision::ClockUnset => return None,
            JoinDecision::Activate => Verb::Activate { max_ttl: TERMS.ttl, wall: now },
            JoinDecision::Initialize { rest, reason } => {
                let (mark, new, max_ttl) = (report.mark, reason == Reason::New, TERMS.ttl);
                RecordUpdate { seen, mark, rest, new, max_ttl, wall: now }.into()
            }
        };
        ask(server, now, verb).map(|_| ())
    }

    fn facts(&self, known_elsewhere: bool, wall: WallTime) -> JoinFacts {
        let Setup { mutant, .. } = self.setup;
        let rests = self.locks_last() && mutant != Some(Mutant::NoRest);
        JoinFacts {
            known_elsewhere: known_elsewhere || !self.locks_last(),
            all_seen: true,
            declared_new: false,
            durable: false,
            forgot: false,
            rest: if rests { rest(TERMS.ttl, TERMS.drift_ppm) } else { Duration::ZERO },
            wall,
        }
    }

    /// Time passes for all attempts alike. At the end of its lease a holder stops believing in it.
    fn tick(&self, state: &mut State) {
        state.ticks += 1;
        let now = state.moment();
        state.foreign.tick(now);
        for attempt in &mut state.attempts {
            if attempt.phase.lease().is_some_and(|lease| now >= lease.valid_until) {
                let attempt = Arc::make_mut(attempt);
                attempt.phase = Phase::Over(attempt.phase.tokens());
                attempt.tidy(self);
            }
        }
    }
}
