//! What an action does.

use std::sync::Arc;

use redfence::protocol::{
    Acquire, COUNTER_MIN, Contender, Defeat, Fault, FaultKind, Next, Reply, Request, Step, Verb, rollback,
};
use redfence::{Moment, NodeId, NodeSet, Waiter};
use std::time::Duration;

use super::message::{Back, Mail};
use super::process::{Line, Phase, Process, Sleeper};
use super::round::Round;
use super::state::State;
use super::world::{CHANCE, NOW, TERMS, WALL, World};
use super::{Action, Broken, Mutant};

impl World {
    /// The state after an action; `None` where it leads nowhere.
    #[must_use]
    pub fn step(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        let state = &mut next;
        match action {
            Action::Begin { process } => {
                let since = Moment::from_origin(Duration::from_millis(process as u64 + 1));
                let waiter = self.subject(process, 0)?.waiter;
                let contender = Contender::new(self.quorum, waiter, self.setup.expected, since);
                of(state, process)?.sleeper = Some(Sleeper { contender, woken: NodeSet::EMPTY });
                self.ask(state, process)?;
            }
            Action::Arrive { process, node, lapsed } => {
                if lapsed {
                    self.lapse(state, process, node)?;
                }
                self.arrive(state, process, node)?;
            }
            Action::Hear { process, node } => self.hear(state, process, node)?,
            Action::Ring { process } => {
                let is = of(state, process)?;
                let Phase::Asleep(round) = &mut is.phase else { return None };
                let mail = round.give_up();
                is.send(mail);
                // It stands by, so the reservation of the one before it is over by now.
                if is.sleeper.as_ref()?.woken.is_empty() {
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
                (is.phase, is.sleeper) = (Phase::Dead, None);
                is.lines.iter_mut().for_each(|line| line.back.clear());
                is.send(self.ids().map(|node| (node, Mail::End)));
            }
            Action::StandStill { process } => {
                state.spent.stills += 1;
                state.expected = None;
                let is = of(state, process)?;
                is.stands_still = true;
                // Nobody will read it.
                is.lines.iter_mut().for_each(|line| line.back.clear());
            }
            Action::LoseWake { process, node } => {
                state.spent.wakes += 1;
                state.expected = None;
                line(of(state, process)?, node)?.back.pop_front()?;
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
        let sleeper = is.sleeper.as_mut()?;
        sleeper.woken = NodeSet::EMPTY;
        let waits = sleeper.contender.ask(NOW);
        is.is_queued |= waits.is_some();
        let machine = Acquire::new(self.quorum, TERMS, NOW);
        is.phase = Phase::Asking(Round::begin(name, machine, NodeSet::first(self.setup.nodes)));
        for ((node, line), up) in self.ids().zip(&mut is.lines).zip(up) {
            let _: NodeId = node;
            match up {
                true => line.there.push_back(Mail::Grant(name, waits)),
                false => line.back.push_back(Back::Reply(name, fault(FaultKind::Unreachable))),
            }
        }
        Some(())
    }

    fn arrive(&self, state: &mut State, process: usize, node: NodeId) -> Option<()> {
        let mail = line(of(state, process)?, node)?.there.pop_front()?;
        let subject = |name| self.subject(process, name).map(Arc::clone);
        let waiter = self.subject(process, 0)?.waiter;
        let server = Arc::make_mut(state.nodes.get_mut(node.index())?);
        let (name, request) = match mail {
            Mail::End => {
                if self.setup.mutant != Some(Mutant::DeadHeadIsNext) {
                    server.state.disconnect(waiter.locker);
                }
                line(of(state, process)?, node)?.ended = true;
                return Some(());
            }
            Mail::Grant(name, waits) => {
                let waits = waits.map(|waits| self.as_seen_by(node, waits));
                server.state.set_counter(self.resource.slot(), COUNTER_MIN);
                let verb = Verb::Grant { ttl: TERMS.ttl, floor: 0, block: 1, waits };
                (Some(name), Request { subject: subject(name)?, verb })
            }
            Mail::Release(name, next) => (None, Request { subject: subject(name)?, verb: Verb::Release { next } }),
            Mail::Leave if self.setup.mutant == Some(Mutant::LeaveWakesNobody) => {
                self.check_left(state, process, node);
                return Some(());
            }
            Mail::Leave => (None, Request { subject: subject(0)?, verb: Verb::Leave }),
        };
        let reply = server.state.apply(WALL, &request);
        let wakes = server.state.take_wakes();
        for wake in wakes {
            let woken = self.process_of(wake.locker)?;
            let now = wake.after.is_zero();
            let is = of(state, woken)?;
            let (hears, stands) = (is.moves() && self.setup.mutant != Some(Mutant::WakeIsLost), is.stands_still);
            let line = line(is, node)?;
            if line.ended && !stands {
                state.broken.get_or_insert(Broken::ReservedForTheGone { node: node.index(), process: woken });
            } else if hears {
                line.back.push_back(Back::Wake { now });
            }
        }
        if request.verb == Verb::Leave {
            self.check_left(state, process, node);
        }
        let is = of(state, process)?;
        if let Some(name) = name.filter(|_| is.moves()) {
            line(is, node)?.back.push_back(Back::Reply(name, plain(reply)));
            while self.setup.prompt && line(of(state, process)?, node)?.back.iter().any(is_reply) {
                self.hear(state, process, node)?;
            }
        }
        Some(())
    }

    fn hear(&self, state: &mut State, process: usize, node: NodeId) -> Option<()> {
        match line(of(state, process)?, node)?.back.pop_front()? {
            Back::Wake { now } => self.woken(state, process, node, now),
            Back::Reply(name, reply) => self.hear_reply(state, process, node, (name, reply)),
        }
    }

    fn woken(&self, state: &mut State, process: usize, node: NodeId, now: bool) -> Option<()> {
        let is = of(state, process)?;
        // One that was served or has left is not woken; nodes have learned that meanwhile.
        let Some(Sleeper { contender, woken }) = &mut is.sleeper else { return Some(()) };
        let after = if now { Duration::ZERO } else { Waiter::GRACE.0 };
        contender.woken(node, after, NOW, CHANCE);
        if now {
            woken.insert(node);
        }
        Some(())
    }

    fn hear_reply(&self, state: &mut State, process: usize, node: NodeId, (name, reply): (usize, Reply)) -> Option<()> {
        let met = match &reply {
            Reply::Refused(view) => view.occupant.as_deref().and_then(|value| self.named(value)),
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
            // Its release was sent behind the grant.
            return Some(());
        }
        if round.machine.is_some() {
            round.met |= bit;
        }
        let (step, mail) = round.hear(node, reply);
        let mut mail: Vec<_> = mail.into_iter().map(|mail| (node, mail)).collect();
        match step {
            Step::Wait | Step::Seal(..) => {}
            Step::Won(_) => {
                mail.extend(round.win());
                round.met = 0;
                let round = round.clone();
                (is.phase, is.sleeper, is.is_queued) = (Phase::Holding(round), None, false);
            }
            Step::Lost(defeat) => {
                let sleeper = is.sleeper.as_mut()?;
                let waited = is.is_queued.then(|| sleeper.contender.waited(NOW));
                mail.extend(round.retreat(self.next_after(&defeat, waited)));
                sleeper.contender.defeated(&defeat, NOW, CHANCE);
                round.met = 0;
                is.phase = Phase::Asleep(round.clone());
            }
        }
        is.send(mail);
        Some(())
    }

    /// Who is next where a lost attempt was granted.
    fn next_after(&self, defeat: &Defeat, waited: Option<Duration>) -> Next {
        match self.setup.mutant {
            Some(Mutant::QuietRivals) => waited.map_or(Next::Nobody, |waited| Next::Rejoin { waited, wakes: false }),
            _ => rollback(defeat, self.quorum, waited),
        }
    }

    fn release(&self, state: &mut State, process: usize) -> Option<()> {
        // A wake of before, which was in vain, lets a process ask for what is reserved for another.
        let all_sleep = state.processes.iter().all(|is| is.rings_soon() != Some(true));
        state.expected = match Self::is_quiet(state) && all_sleep && state.spent.is_well() {
            true => state.processes.iter().position(|process| matches!(process.phase, Phase::Asleep(_))),
            false => None,
        };
        let is = of(state, process)?;
        let Phase::Holding(round) = &mut is.phase else { return None };
        let mail = round.leave(self.quorum.needed());
        is.phase = Phase::Served(round.clone());
        is.send(mail);
        Some(())
    }

    fn leave(&self, state: &mut State, process: usize) -> Option<()> {
        state.spent.leaves += 1;
        state.expected = None;
        let nodes = self.ids();
        let is = of(state, process)?;
        let mail = match &mut is.phase {
            Phase::Asking(round) => round.leave(self.quorum.needed()),
            Phase::Asleep(round) => round.give_up(),
            _ => return None,
        };
        is.send(mail);
        if is.is_queued {
            is.send(nodes.map(|node| (node, Mail::Leave)));
        }
        (is.phase, is.sleeper, is.is_queued) = (Phase::Left, None, false);
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
            let line = line(of(state, process)?, node)?;
            let there =
                line.there.iter().filter_map(|mail| if let Mail::Grant(name, _) = mail { Some(*name) } else { None });
            let back =
                line.back.iter().filter_map(|back| if let Back::Reply(name, _) = back { Some(*name) } else { None });
            let lost = back.chain(there).map(|name| Back::Reply(name, fault(FaultKind::ConnectionLost))).collect();
            *line = Line { back: lost, ended: line.ended, ..Line::default() };
        }
        Some(())
    }

    /// What stands in the way at a node is over. A process that gives up later than its reservation lasts has stood still.
    fn lapse(&self, state: &mut State, process: usize, node: NodeId) -> Option<()> {
        state.expected = None;
        state.spent.late |= self.reserved_for(state, node) == Some(process);
        Arc::make_mut(state.nodes.get_mut(node.index())?).state.drop_lock(&self.resource);
        Some(())
    }

    /// For how long a process waited, as a node counts it; under a mutant every other node has it the wrong way round.
    fn as_seen_by(&self, node: NodeId, waits: redfence::protocol::Waits) -> redfence::protocol::Waits {
        let is_turned = self.setup.mutant == Some(Mutant::OrdersDiffer) && node.index() % 2 == 1;
        let waited = if is_turned { Duration::from_secs(2).saturating_sub(waits.waited) } else { waits.waited };
        redfence::protocol::Waits { waited, ..waits }
    }
}

pub(super) fn of(state: &mut State, process: usize) -> Option<&mut Process> {
    state.processes.get_mut(process).map(Arc::make_mut)
}

fn line(process: &mut Process, node: NodeId) -> Option<&mut Line> {
    process.lines.get_mut(node.index())
}

const fn is_reply(back: &Back) -> bool {
    matches!(back, Back::Reply(..))
}

fn fault(kind: FaultKind) -> Reply {
    Reply::Failed(Fault::new(kind, ""))
}

/// A reply without the counter, which is level everywhere.
fn plain(reply: Reply) -> Reply {
    match reply {
        Reply::Refused(view) => Reply::Refused(redfence::protocol::View { counter: 0, ..view }),
        other => other,
    }
}
