//! What an action does.

use std::sync::Arc;

use redfence::protocol::{
    Acquire, COUNTER_MIN, Contender, Defeat, Fault, FaultKind, Next, Reply, Request, Step, Verb, rollback,
};
use redfence::{Moment, NodeId, NodeSet, Waiter};
use std::time::Duration;

use super::message::{ToNode, ToProcess};
use super::process::{Channel, Phase, Process, WaitState};
use super::round::Round;
use super::state::State;
use super::world::{CHANCE, NOW, TERMS, WALL, World};
use super::{Action, Mutant, Violation};

impl World {
    /// The state after an action; `None` if it changes nothing.
    #[must_use]
    pub fn step(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        let state = &mut next;
        match action {
            Action::Begin { process } => {
                let since = Moment::from_origin(Duration::from_millis(process as u64 + 1));
                let waiter = self.subject(process, 0)?.waiter;
                let contender = Contender::new(self.quorum, waiter, self.setup.expected, since);
                of(state, process)?.wait_state = Some(WaitState { contender, woken: NodeSet::EMPTY });
                self.ask(state, process)?;
            }
            Action::Arrive { process, node, lapsed } => {
                if lapsed {
                    self.lapse(state, process, node)?;
                }
                self.arrive(state, process, node)?;
            }
            Action::Receive { process, node } => self.receive(state, process, node)?,
            Action::TimerFires { process } => {
                let is = of(state, process)?;
                let Phase::Asleep(round) = &mut is.phase else { return None };
                let message = round.give_up();
                is.send(message);
                // It is the second in the queue, so the reservation of the first is over by now.
                if is.wait_state.as_ref()?.woken.is_empty() {
                    state.expected = None;
                }
                self.ask(state, process)?;
            }
            Action::Release { process } => self.release(state, process)?,
            Action::Leave { process } => self.leave(state, process)?,
            Action::Die { process } => {
                state.spent.deaths += 1;
                state.expected = None;
                let is = of(state, process)?;
                (is.phase, is.wait_state) = (Phase::Dead, None);
                is.channels.iter_mut().for_each(|channel| channel.to_process.clear());
                is.send(self.ids().map(|node| (node, ToNode::End)));
            }
            Action::Pause { process } => {
                state.spent.pauses += 1;
                state.expected = None;
                let is = of(state, process)?;
                is.is_paused = true;
                // The process will not read it.
                is.channels.iter_mut().for_each(|channel| channel.to_process.clear());
            }
            Action::LoseWake { process, node } => {
                state.spent.wakes += 1;
                state.expected = None;
                channel(of(state, process)?, node)?.to_process.pop_front()?;
            }
            Action::LoseNode { node } => self.lose_node(state, node)?,
        }
        self.check(state, action);
        Some(next)
    }

    /// A process sends the grants of a new attempt.
    fn ask(&self, state: &mut State, process: usize) -> Option<()> {
        let name = self.free_name(state, process);
        let up: Vec<bool> = state.nodes.iter().map(|node| node.up).collect();
        let is = of(state, process)?;
        let wait_state = is.wait_state.as_mut()?;
        wait_state.woken = NodeSet::EMPTY;
        let waits = wait_state.contender.ask(NOW);
        is.is_queued |= waits.is_some();
        let machine = Acquire::new(self.quorum, TERMS, NOW);
        is.phase = Phase::Asking(Round::begin(name, machine, NodeSet::first(self.setup.nodes)));
        for ((node, channel), up) in self.ids().zip(&mut is.channels).zip(up) {
            let _: NodeId = node;
            match up {
                true => channel.to_node.push_back(ToNode::Grant(name, waits)),
                false => channel.to_process.push_back(ToProcess::Reply(name, fault(FaultKind::Unreachable))),
            }
        }
        Some(())
    }

    fn arrive(&self, state: &mut State, process: usize, node: NodeId) -> Option<()> {
        let message = channel(of(state, process)?, node)?.to_node.pop_front()?;
        let subject = |name| self.subject(process, name).map(Arc::clone);
        let waiter = self.subject(process, 0)?.waiter;
        let server = Arc::make_mut(state.nodes.get_mut(node.index())?);
        let (name, request) = match message {
            ToNode::End => {
                if self.setup.mutant != Some(Mutant::DeadHeadIsNext) {
                    server.state.disconnect(waiter.locker);
                }
                channel(of(state, process)?, node)?.ended = true;
                return Some(());
            }
            ToNode::Grant(name, waits) => {
                let waits = waits.map(|waits| self.as_seen_by(node, waits));
                server.state.set_counter(self.resource.slot(), COUNTER_MIN);
                let verb = Verb::Grant { ttl: TERMS.ttl, floor: 0, block: 1, waits };
                (Some(name), Request { subject: subject(name)?, verb })
            }
            ToNode::Release(name, next) => (None, Request { subject: subject(name)?, verb: Verb::Release { next } }),
            ToNode::Leave if self.setup.mutant == Some(Mutant::LeaveIgnored) => {
                self.check_left(state, process, node);
                return Some(());
            }
            ToNode::Leave => (None, Request { subject: subject(0)?, verb: Verb::Leave }),
        };
        let reply = server.state.apply(WALL, &request);
        let wakes = server.state.take_wakes();
        for wake in wakes {
            let woken = self.process_of(wake.locker)?;
            let now = wake.after.is_zero();
            let is = of(state, woken)?;
            let (receives, is_paused) = (is.moves() && self.setup.mutant != Some(Mutant::WakeIsLost), is.is_paused);
            let channel = channel(is, node)?;
            if channel.ended && !is_paused {
                state.broken.get_or_insert(Violation::ReservedForTheGone { node: node.index(), process: woken });
            } else if receives {
                channel.to_process.push_back(ToProcess::Wake { now });
            }
        }
        if request.verb == Verb::Leave {
            self.check_left(state, process, node);
        }
        let is = of(state, process)?;
        if let Some(name) = name.filter(|_| is.moves()) {
            channel(is, node)?.to_process.push_back(ToProcess::Reply(name, plain(reply)));
            while self.setup.prompt && channel(of(state, process)?, node)?.to_process.iter().any(is_reply) {
                self.receive(state, process, node)?;
            }
        }
        Some(())
    }

    fn receive(&self, state: &mut State, process: usize, node: NodeId) -> Option<()> {
        match channel(of(state, process)?, node)?.to_process.pop_front()? {
            ToProcess::Wake { now } => self.woken(state, process, node, now),
            ToProcess::Reply(name, reply) => self.receive_reply(state, process, node, (name, reply)),
        }
    }

    fn woken(&self, state: &mut State, process: usize, node: NodeId, now: bool) -> Option<()> {
        let is = of(state, process)?;
        // A process that was served or has left is not woken: nodes have noticed that meanwhile.
        let Some(WaitState { contender, woken }) = &mut is.wait_state else { return Some(()) };
        let after = if now { Duration::ZERO } else { Waiter::GRACE.0 };
        contender.woken(node, after, NOW, CHANCE);
        if now {
            woken.insert(node);
        }
        Some(())
    }

    fn receive_reply(
        &self,
        state: &mut State,
        process: usize,
        node: NodeId,
        (name, reply): (usize, Reply),
    ) -> Option<()> {
        let met = match &reply {
            Reply::Refused(view) => self.named(&view.lock),
            _ => None,
        };
        let bit = met.map_or(0, |(process, name)| self.bit(process, name));
        let is = of(state, process)?;
        let (Phase::Asking(round) | Phase::Asleep(round) | Phase::Holding(round) | Phase::Served(round)) =
            &mut is.phase
        else {
            return Some(());
        };
        if round.name != name {
            // Its release was sent after the grant.
            return Some(());
        }
        if round.machine.is_some() {
            round.met |= bit;
        }
        let (step, message) = round.receive(node, reply);
        let mut message: Vec<_> = message.into_iter().map(|message| (node, message)).collect();
        match step {
            Step::Wait | Step::Seal(..) => {}
            Step::Won(_) => {
                message.extend(round.win());
                round.met = 0;
                let round = round.clone();
                (is.phase, is.wait_state, is.is_queued) = (Phase::Holding(round), None, false);
            }
            Step::Lost(defeat) => {
                let wait_state = is.wait_state.as_mut()?;
                let waited = is.is_queued.then(|| wait_state.contender.waited(NOW));
                message.extend(round.roll_back(self.next_after(&defeat, waited)));
                wait_state.contender.defeated(&defeat, NOW, CHANCE);
                round.met = 0;
                is.phase = Phase::Asleep(round.clone());
            }
        }
        is.send(message);
        Some(())
    }

    /// Which waiter a node wakes after it granted a lost attempt.
    fn next_after(&self, defeat: &Defeat, waited: Option<Duration>) -> Next {
        match self.setup.mutant {
            Some(Mutant::SilentRollback) => {
                waited.map_or(Next::NoWaiter, |waited| Next::Rejoin { waited, wakes: false })
            }
            _ => rollback(defeat, self.quorum, waited),
        }
    }

    fn release(&self, state: &mut State, process: usize) -> Option<()> {
        // An earlier wake that led to no lease lets a process override the reservation of another.
        let all_sleep = state.processes.iter().all(|is| is.fires_soon() != Some(true));
        state.expected = match Self::is_quiet(state) && all_sleep && state.spent.is_well() {
            true => state.processes.iter().position(|process| matches!(process.phase, Phase::Asleep(_))),
            false => None,
        };
        let is = of(state, process)?;
        let Phase::Holding(round) = &mut is.phase else { return None };
        let message = round.leave(self.quorum);
        is.phase = Phase::Served(round.clone());
        is.send(message);
        Some(())
    }

    fn leave(&self, state: &mut State, process: usize) -> Option<()> {
        state.spent.leaves += 1;
        state.expected = None;
        let nodes = self.ids();
        let is = of(state, process)?;
        let message = match &mut is.phase {
            Phase::Asking(round) => round.leave(self.quorum),
            Phase::Asleep(round) => round.give_up(),
            _ => return None,
        };
        is.send(message);
        if is.is_queued {
            is.send(nodes.map(|node| (node, ToNode::Leave)));
        }
        (is.phase, is.wait_state, is.is_queued) = (Phase::Left, None, false);
        Some(())
    }

    fn lose_node(&self, state: &mut State, node: NodeId) -> Option<()> {
        let server = Arc::make_mut(state.nodes.get_mut(node.index())?);
        if !std::mem::replace(&mut server.up, false) {
            return None;
        }
        server.state.drop_lock(&self.resource);
        state.spent.nodes += 1;
        state.expected = None;
        for process in 0..state.processes.len() {
            let channel = channel(of(state, process)?, node)?;
            let there = channel
                .to_node
                .iter()
                .filter_map(|message| if let ToNode::Grant(name, _) = message { Some(*name) } else { None });
            let back = channel
                .to_process
                .iter()
                .filter_map(|back| if let ToProcess::Reply(name, _) = back { Some(*name) } else { None });
            let lost = back.chain(there).map(|name| ToProcess::Reply(name, fault(FaultKind::ConnectionLost))).collect();
            *channel = Channel { to_process: lost, ended: channel.ended, ..Channel::default() };
        }
        Some(())
    }

    /// The lock or reservation at a node has ended. A process that gives up after the end of its reservation was paused
    /// in between.
    fn lapse(&self, state: &mut State, process: usize, node: NodeId) -> Option<()> {
        state.expected = None;
        state.spent.late |= self.reserved_for(state, node) == Some(process);
        Arc::make_mut(state.nodes.get_mut(node.index())?).state.drop_lock(&self.resource);
        Some(())
    }

    /// How long a process waited, as a node counts it; under a mutant every second node reverses the order.
    fn as_seen_by(&self, node: NodeId, waits: redfence::protocol::Waits) -> redfence::protocol::Waits {
        let is_turned = self.setup.mutant == Some(Mutant::OrdersDiffer) && node.index() % 2 == 1;
        let waited = if is_turned { Duration::from_secs(2).saturating_sub(waits.waited) } else { waits.waited };
        redfence::protocol::Waits { waited, ..waits }
    }
}

pub(super) fn of(state: &mut State, process: usize) -> Option<&mut Process> {
    state.processes.get_mut(process).map(Arc::make_mut)
}

fn channel(process: &mut Process, node: NodeId) -> Option<&mut Channel> {
    process.channels.get_mut(node.index())
}

const fn is_reply(back: &ToProcess) -> bool {
    matches!(back, ToProcess::Reply(..))
}

fn fault(kind: FaultKind) -> Reply {
    Reply::Failed(Fault::new(kind, ""))
}

/// A reply without the counter, which is level everywhere.
fn plain(reply: Reply) -> Reply {
    match reply {
        Reply::Refused(mut view) => {
            view.counter = 0;
            Reply::Refused(view)
        }
        other => other,
    }
}
